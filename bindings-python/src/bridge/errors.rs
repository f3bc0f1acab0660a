//! What a thread that did not do its work has for an excuse, as exceptions.

use std::error::Error as _;

use pyo3::{
    exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration},
    prelude::*,
};
use thrasks_bridge::JoinError;

/// The exception of work that has no outcome of its own. `None` where it was cancelled.
pub(crate) fn failure(py: Python<'_>, error: &JoinError) -> Option<PyErr> {
    if error.is_cancelled() {
        return None;
    }
    // An executor of the user's refuses with an exception of its own.
    if let Some(error) = error.source().and_then(|source| source.downcast_ref::<PyErr>()) {
        return Some(error.clone_ref(py));
    }
    Some(PyRuntimeError::new_err(error.to_string()))
}

/// The same, for what cannot be cancelled: an iterator, say.
pub(crate) fn failure_of(py: Python<'_>, what: &str, error: &JoinError) -> PyErr {
    failure(py, error).unwrap_or_else(|| {
        PyRuntimeError::new_err(format!("{what} did not begin: its threads were shut down"))
    })
}

/// An exception that says something else to whoever awaits: where one comes out of user code, it is
/// wrapped, as the interpreter does for generators and coroutines.
pub(crate) fn unambiguous(py: Python<'_>, what: &str, error: PyErr) -> PyErr {
    let name = if error.is_instance_of::<PyStopIteration>(py) {
        "StopIteration"
    } else if error.is_instance_of::<PyStopAsyncIteration>(py) {
        "StopAsyncIteration"
    } else {
        return error;
    };
    let wrapped = PyRuntimeError::new_err(format!("{what} raised {name}"));
    wrapped.set_cause(py, Some(error));
    wrapped
}
