//! What the threads share, in two bodies: the real one, and loom's for the models in
//! `tests/loom.rs`.

pub(crate) use imp::{
    AtomicBool, AtomicU8, AtomicU64, AtomicUsize, ConcurrentQueue, Event, Listener, Mutex,
    MutexGuard, fence,
};
pub(crate) use std::sync::atomic::Ordering;

/// Locks, poisoned or not: every critical section of this crate leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(not(thrasks_loom))]
mod imp {
    pub(crate) use concurrent_queue::ConcurrentQueue;
    pub(crate) use event_listener::{Event, Listener};
    pub(crate) use std::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, fence},
    };
}

#[cfg(thrasks_loom)]
mod imp {
    use std::collections::VecDeque;

    use concurrent_queue::{PopError, PushError};
    pub(crate) use loom::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, fence},
    };

    use super::{Ordering, lock};
    pub(crate) use crate::modelled::{Event, Listener};

    /// The part of `concurrent_queue::ConcurrentQueue` that this crate uses.
    ///
    /// The real queue's atomics are invisible to loom. Emptiness is read from a relaxed counter,
    /// which promises less than the real queue does: a model passes only if this crate
    /// orders that read.
    pub(crate) struct ConcurrentQueue<T> {
        items: Mutex<(VecDeque<T>, bool)>,
        len: AtomicUsize,
    }

    impl<T> ConcurrentQueue<T> {
        pub(crate) fn unbounded() -> Self {
            Self { items: Mutex::new((VecDeque::new(), false)), len: AtomicUsize::new(0) }
        }

        pub(crate) fn push(&self, item: T) -> Result<(), PushError<T>> {
            let mut items = lock(&self.items);
            if items.1 {
                return Err(PushError::Closed(item));
            }
            items.0.push_back(item);
            self.len.store(items.0.len(), Ordering::Relaxed);
            Ok(())
        }

        pub(crate) fn pop(&self) -> Result<T, PopError> {
            let mut items = lock(&self.items);
            let item = items.0.pop_front().ok_or(PopError::Empty)?;
            self.len.store(items.0.len(), Ordering::Relaxed);
            Ok(item)
        }

        pub(crate) fn len(&self) -> usize {
            self.len.load(Ordering::Relaxed)
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.len() == 0
        }

        pub(crate) fn close(&self) -> bool {
            !std::mem::replace(&mut lock(&self.items).1, true)
        }

        pub(crate) fn is_closed(&self) -> bool {
            lock(&self.items).1
        }
    }
}
