//! What the threads share, in two bodies: the real one, and loom's for the models in
//! `tests/loom.rs`.

pub(crate) use imp::{
    AtomicBool, AtomicUsize, Condvar, Event, Listener, Mutex, MutexGuard, per_thread,
};
use std::sync::PoisonError;
pub(crate) use std::sync::atomic::Ordering;
use std::time::Instant;

/// Locks, poisoned or not: every critical section of this crate leaves its data whole.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a notification, a spurious wake-up, or the deadline. Returns whether the deadline has
/// passed.
pub(crate) fn wait<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Option<Instant>,
) -> (MutexGuard<'a, T>, bool) {
    let Some(deadline) = deadline else {
        return (condvar.wait(guard).unwrap_or_else(PoisonError::into_inner), false);
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return (guard, true);
    }
    let (guard, result) = condvar.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner);
    (guard, result.timed_out())
}

#[cfg(not(thrasks_loom))]
mod imp {
    pub(crate) use event_listener::{Event, Listener};
    pub(crate) use std::sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize},
    };

    /// `thread_local!` with an initial value that is a constant.
    macro_rules! per_thread {
        ($name:ident: $type:ty = $value:expr) => {
            std::thread_local! { static $name: $type = const { $value }; }
        };
    }
    pub(crate) use per_thread;
}

#[cfg(thrasks_loom)]
mod imp {
    pub(crate) use loom::sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize},
    };
    pub(crate) use thrasks_loop::modelled::{Event, Listener};

    /// loom's knows no constants.
    macro_rules! per_thread {
        ($name:ident: $type:ty = $value:expr) => {
            loom::thread_local! { static $name: $type = $value; }
        };
    }
    pub(crate) use per_thread;
}
