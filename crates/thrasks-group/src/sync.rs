//! What this crate shares between threads, in two bodies: the real one, and loom's for the models
//! in `tests/loom.rs`.

pub(crate) use imp::{
    AtomicBool, AtomicU64, AtomicUsize, Event, EventListener, Mutex, MutexGuard, thread_locals,
};
use std::sync::PoisonError;
pub(crate) use std::sync::atomic::Ordering;

/// Locks, poisoned or not: every critical section of this crate leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(not(thrasks_loom))]
mod imp {
    pub(crate) use event_listener::{Event, EventListener};
    pub(crate) use std::{
        sync::{
            Mutex, MutexGuard,
            atomic::{AtomicBool, AtomicU64, AtomicUsize},
        },
        thread_local as thread_locals,
    };
}

#[cfg(thrasks_loom)]
mod imp {
    pub(crate) use loom::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    };
    pub(crate) use thrasks_loop::modelled::{Event, EventListener};

    /// loom's own does not know the `const` of std's.
    macro_rules! thread_locals {
        ($(#[$about:meta])* static $name:ident: $type:ty = const $value:block;) => {
            loom::thread_local! {
                $(#[$about])*
                static $name: $type = $value;
            }
        };
    }
    pub(crate) use thread_locals;
}
