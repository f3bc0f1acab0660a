//! Locking and dropping, in one place.
//!
//! The rule for every lock in this module tree: nothing is called into Python, and no reference to
//! a Python object is dropped, while it is held. Either may run any code, this module's included.

use pyo3::prelude::*;

/// Locks a std mutex, poisoned or not: every critical section of this crate leaves its data whole.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// On cache lines of its own: what is beside it changes at other times, and on other threads.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> std::ops::Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Calls into Python from a `Drop`, which may run while an exception is on its way through the
/// frames that let go of the object: that one goes on afterwards.
pub(crate) fn in_drop(work: impl FnOnce(Python<'_>)) {
    Python::attach(|py| {
        let on_its_way = PyErr::take(py);
        work(py);
        if let Some(error) = on_its_way {
            error.restore(py);
        }
    });
}
