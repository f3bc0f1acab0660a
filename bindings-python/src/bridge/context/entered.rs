//! Entering a context, and leaving it.

use pyo3::{
    ffi,
    prelude::*,
    types::{PyDict, PyTuple},
};

/// Runs something in a context.
///
/// # Errors
///
/// It is no context, or it has been entered already.
pub(crate) fn run_in<T>(context: &Bound<'_, PyAny>, work: impl FnOnce() -> T) -> PyResult<T> {
    let _entered = Entered::new(context)?;
    Ok(work())
}

/// Calls something in a context.
///
/// # Errors
///
/// What is raised there; it is no context, or it has been entered already.
pub(crate) fn call_in<'py>(
    context: &Bound<'py, PyAny>,
    callable: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let _entered = Entered::new(context)?;
    callable.call(args, kwargs)
}

/// This thread runs in a context, until this is dropped.
struct Entered<'a, 'py>(&'a Bound<'py, PyAny>);

impl<'a, 'py> Entered<'a, 'py> {
    fn new(context: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        // SAFETY: the thread is attached, as `Bound` proves, and the object is alive. What is no
        // context is refused with a TypeError.
        if unsafe { ffi::PyContext_Enter(context.as_ptr()) } == 0 {
            Ok(Self(context))
        } else {
            Err(PyErr::fetch(context.py()))
        }
    }
}

impl Drop for Entered<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: as above. It is the context that `new` entered on this thread: a `Bound` does not
        // leave it, and the borrow ends in the function that it began in. One that is not the
        // innermost any more, because the code in it left another open, is refused with an error.
        if unsafe { ffi::PyContext_Exit(self.0.as_ptr()) } != 0 {
            PyErr::fetch(self.0.py()).write_unraisable(self.0.py(), Some(self.0));
        }
    }
}
