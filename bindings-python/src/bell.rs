//! Waking a loop that watches a descriptor.

use std::{
    fs::File,
    io::{Read, Write},
};

/// An eventfd, which a loop watches: written to, it wakes the loop, with no Python in between.
pub(crate) struct Bell(File);

#[cfg(unix)]
impl Bell {
    /// Takes over a descriptor that nobody else owns: an eventfd that does not block.
    pub(crate) fn new(descriptor: i32) -> Self {
        use std::os::fd::FromRawFd;
        // SAFETY: `_workers.make_bell` has just made it, and nobody else closes it.
        Self(unsafe { File::from_raw_fd(descriptor) })
    }
}

#[cfg(not(unix))]
impl Bell {
    pub(crate) fn new(_descriptor: i32) -> Self {
        unreachable!("there are no eventfds here")
    }
}

impl Bell {
    /// Wakes the loop. Returns whether that went well.
    pub(crate) fn ring(&self) -> bool {
        matches!((&self.0).write(&1_u64.to_ne_bytes()), Ok(8))
    }

    /// The loop is awake: it need not be woken for what it was woken for.
    pub(crate) fn hush(&self) {
        // It fails only where there is nothing to read, which is as well.
        let _ = (&self.0).read(&mut [0; 8]);
    }
}
