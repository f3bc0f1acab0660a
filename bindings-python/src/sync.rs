//! Locking, in one place.
//!
//! The rule for every lock in this module tree: nothing is called into Python, and no reference to
//! a Python object is dropped, while it is held. Either may run any code, this module's included.

/// Locks a std mutex, poisoned or not: every critical section of this crate leaves its data whole.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
