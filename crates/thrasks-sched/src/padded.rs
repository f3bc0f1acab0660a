use std::ops::Deref;

/// Keeps a value on cache lines of its own.
///
/// 128 and not 64 bytes: x86-64 prefetches lines in pairs, and the large ARM cores have 128.
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
