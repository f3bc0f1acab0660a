//! What the threads share, in two bodies: the real one, and loom's for the models in
//! `tests/loom.rs`.

pub(crate) use imp::{Event, EventListener, Mutex, MutexGuard};
use std::sync::PoisonError;

/// Locks, poisoned or not: every critical section of this crate leaves its data whole.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(not(thrasks_loom))]
mod imp {
    pub(crate) use event_listener::{Event, EventListener};
    pub(crate) use std::sync::{Mutex, MutexGuard};
}

#[cfg(thrasks_loom)]
mod imp {
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use thrasks_loop::modelled::{Event, EventListener};
}
