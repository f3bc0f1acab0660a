//! Contexts on threads.

use pyo3::{ffi, intern, prelude::*};

use crate::imports;

/// A copy of the present context, in which this loop is the one that the thread works for.
pub(crate) fn context_for<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let context = imports::copy_context(event_loop.py())?.call0()?;
    set_loop(&context, event_loop)?;
    Ok(context)
}

/// Makes this loop the one that a thread in the context works for.
pub(crate) fn set_loop(context: &Bound<'_, PyAny>, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = context.py();
    let set = imports::caller_loop(py)?.getattr(intern!(py, "set"))?;
    context.call_method1(intern!(py, "run"), (set, event_loop))?;
    Ok(())
}

/// This thread runs in a context, until this is dropped.
pub(crate) struct Entered<'a, 'py>(&'a Bound<'py, PyAny>);

impl<'a, 'py> Entered<'a, 'py> {
    /// Enters the context.
    ///
    /// # Errors
    ///
    /// It is no context, or it has been entered already.
    pub(crate) fn new(context: &'a Bound<'py, PyAny>) -> PyResult<Self> {
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
