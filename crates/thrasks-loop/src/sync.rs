//! The primitives that a loom model replaces.

#[cfg(thrasks_loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
#[cfg(not(thrasks_loom))]
pub(crate) use std::sync::atomic::{AtomicBool, Ordering};

/// Locks a std mutex, poisoned or not: every critical section of this crate leaves its data whole.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
