//! Contexts on threads.

#[cfg(not(Py_LIMITED_API))]
mod entered;
#[cfg(Py_LIMITED_API)]
mod run;

use pyo3::{intern, prelude::*};

#[cfg(not(Py_LIMITED_API))]
pub(crate) use self::entered::{call_in, run_in};
#[cfg(Py_LIMITED_API)]
pub(crate) use self::run::{call_in, run_in};
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
