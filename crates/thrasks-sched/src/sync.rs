//! Everything this crate shares between threads, in two bodies: the real one, and loom's for the
//! models in `tests/loom.rs`.

pub(crate) use imp::{AtomicBool, AtomicUsize, ConcurrentQueue, Mutex, MutexGuard, fence};
use std::sync::PoisonError;
pub(crate) use std::sync::atomic::Ordering;

/// Locks, poisoned or not: no code of the user's runs under any lock of this crate, so a panic
/// elsewhere cannot have left the data half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(not(thrasks_loom))]
mod imp {
    pub(crate) use concurrent_queue::ConcurrentQueue;
    pub(crate) use std::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, fence},
    };
}

#[cfg(thrasks_loom)]
mod imp {
    use std::collections::VecDeque;

    use concurrent_queue::{PopError, PushError};
    pub(crate) use loom::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, fence},
    };

    use super::{Ordering, lock};

    /// The part of `concurrent_queue::ConcurrentQueue` that this crate uses.
    ///
    /// The real queue's atomics are invisible to loom. Emptiness is read from a relaxed counter,
    /// which promises less than the real queue does: a model passes only if this crate's own
    /// fences order that read.
    pub(crate) struct ConcurrentQueue<T> {
        items: Mutex<Items<T>>,
        len: AtomicUsize,
    }

    struct Items<T> {
        queue: VecDeque<T>,
        closed: bool,
    }

    impl<T> ConcurrentQueue<T> {
        pub(crate) fn unbounded() -> Self {
            Self {
                items: Mutex::new(Items { queue: VecDeque::new(), closed: false }),
                len: AtomicUsize::new(0),
            }
        }

        pub(crate) fn push(&self, item: T) -> Result<(), PushError<T>> {
            let mut items = lock(&self.items);
            if items.closed {
                return Err(PushError::Closed(item));
            }
            items.queue.push_back(item);
            self.len.store(items.queue.len(), Ordering::Relaxed);
            Ok(())
        }

        pub(crate) fn pop(&self) -> Result<T, PopError> {
            if self.is_empty() {
                return Err(PopError::Empty);
            }
            let mut items = lock(&self.items);
            let item = items.queue.pop_front().ok_or(PopError::Empty)?;
            self.len.store(items.queue.len(), Ordering::Relaxed);
            Ok(item)
        }

        pub(crate) fn len(&self) -> usize {
            self.len.load(Ordering::Relaxed)
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.len() == 0
        }

        pub(crate) fn close(&self) -> bool {
            !std::mem::replace(&mut lock(&self.items).closed, true)
        }

        pub(crate) fn is_closed(&self) -> bool {
            lock(&self.items).closed
        }
    }
}
