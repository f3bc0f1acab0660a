//! What a worker's loop takes over from the loop of its caller.

use std::sync::Arc;

use pyo3::{intern, prelude::*};

/// The debug flag, the slow-callback threshold and the exception handler of a caller's loop.
#[derive(Clone)]
pub(crate) struct Settings(Arc<Inner>);

struct Inner {
    debug: bool,
    slow_callback_duration: Option<Py<PyAny>>,
    exception_handler: Option<Py<PyAny>>,
}

impl Settings {
    pub(crate) fn of(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = event_loop.py();
        let optional = |value: PyResult<Bound<'_, PyAny>>| {
            value.ok().filter(|value| !value.is_none()).map(Bound::unbind)
        };
        Ok(Self(Arc::new(Inner {
            debug: event_loop.call_method0(intern!(py, "get_debug"))?.is_truthy()?,
            // A loop of another make may lack these.
            slow_callback_duration: optional(
                event_loop.getattr(intern!(py, "slow_callback_duration")),
            ),
            exception_handler: optional(
                event_loop.call_method0(intern!(py, "get_exception_handler")),
            ),
        })))
    }

    /// Whether both are one and the same, so that a loop which has one has the other.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn apply(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let arguments =
            (event_loop, self.0.debug, &self.0.slow_callback_duration, &self.0.exception_handler);
        crate::imports::configure_loop(event_loop.py())?.call1(arguments)?;
        Ok(())
    }
}
