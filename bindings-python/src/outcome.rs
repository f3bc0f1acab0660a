//! How a task ended.

use pyo3::{
    exceptions::{PyKeyboardInterrupt, PyRuntimeError, PySystemExit, asyncio::CancelledError},
    intern,
    prelude::*,
    types::PyList,
};

use crate::imports;

/// The most notes that an exception is given. One that is raised again and again, an object that a
/// module keeps, must not grow for ever.
const MAX_NOTES: usize = 16;

/// How a task ended.
pub(crate) enum Outcome {
    Value(Py<PyAny>),
    Error(Py<PyAny>),
    /// Cancelled, with the message of the cancellation.
    Cancelled(Option<Py<PyAny>>),
}

impl Outcome {
    /// The outcome of a task, if that has ended.
    pub(crate) fn of(task: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = task.py();
        if !imports::is_done(py)?.call1((task,))?.is_truthy()? {
            return Ok(None);
        }
        if imports::is_cancelled(py)?.call1((task,))?.is_truthy()? {
            // The message is in the error that the task keeps, if anywhere.
            let error = task.call_method0(intern!(py, "_make_cancelled_error"))?;
            let message = error.getattr(intern!(py, "args"))?.get_item(0).ok();
            return Ok(Some(Self::Cancelled(message.map(Bound::unbind))));
        }
        // Also marks the exception as retrieved: it is the handle's from now on.
        let error = imports::exception_of(py)?.call1((task,))?;
        if !error.is_none() {
            return Ok(Some(Self::Error(error.unbind())));
        }
        Ok(Some(Self::Value(imports::result_of(py)?.call1((task,))?.unbind())))
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Value(value) => Self::Value(value.clone_ref(py)),
            Self::Error(error) => Self::Error(error.clone_ref(py)),
            Self::Cancelled(message) => {
                Self::Cancelled(message.as_ref().map(|message| message.clone_ref(py)))
            }
        }
    }

    /// The exception that it is.
    pub(crate) fn into_exception(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Error(error) => Ok(error.into_bound(py)),
            Self::Cancelled(Some(message)) => py.get_type::<CancelledError>().call1((message,)),
            Self::Cancelled(None) | Self::Value(_) => py.get_type::<CancelledError>().call0(),
        }
    }

    /// Leaves a note on an exception that says which task raised it, and on which worker.
    pub(crate) fn note_origin(&self, task: &Bound<'_, PyAny>, worker: &str) {
        let Self::Error(error) = self else { return };
        // An exception may refuse, for reasons of its own; it is the outcome all the same.
        let _ = note_origin(error.bind(task.py()), task, worker);
    }
}

fn note_origin(error: &Bound<'_, PyAny>, task: &Bound<'_, PyAny>, worker: &str) -> PyResult<()> {
    let py = error.py();
    if error.is_instance_of::<PySystemExit>() || error.is_instance_of::<PyKeyboardInterrupt>() {
        return Ok(());
    }
    let name = task.call_method0(intern!(py, "get_name"))?;
    let note = format!("raised in task {} on {worker}", imports::repr(&name));
    if let Ok(notes) = error.getattr(intern!(py, "__notes__"))
        && let Ok(notes) = notes.cast::<PyList>()
        && (notes.len() >= MAX_NOTES || notes.contains(&note)?)
    {
        return Ok(());
    }
    let add_note = error.getattr(intern!(py, "add_note"))?;
    add_note.call1((note,))?;
    if error.is_instance_of::<PyRuntimeError>() && is_of_another_loop(&error.str()?.to_cow()?) {
        add_note.call1((
            "An asyncio object (a Lock, an Event, a Queue, a future) that tasks of another loop use \
             was used here. Share it among the tasks of one loop, or use threading's or queue's.",
        ))?;
    }
    Ok(())
}

/// Whether this is what asyncio says where something of another loop is used; it does not know of ours.
/// The first only in debug mode, and only once the loops' threads have met there.
fn is_of_another_loop(text: &str) -> bool {
    text.starts_with("Non-thread-safe operation")
        || text.ends_with(" is bound to a different event loop")
        || text.ends_with(" attached to a different loop")
}
