//! Telling a loop of an exception that nobody else will hear of.

use std::sync::{Arc, Mutex};

use pyo3::{intern, prelude::*, types::PyDict};

use crate::{
    home::{Delivery, Home},
    sync::lock,
};

struct Report {
    home: Arc<Home>,
    message: String,
    error: Mutex<Option<PyErr>>,
}

/// Has the loop's exception handler called, on the loop.
pub(crate) fn report(py: Python<'_>, home: &Arc<Home>, message: String, error: PyErr) {
    let report = Report { home: home.clone(), message, error: Mutex::new(Some(error)) };
    home.send(py, Arc::new(report));
}

impl Delivery for Report {
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        let error = lock(&self.error).take();
        let tell = || {
            let told = PyDict::new(py);
            told.set_item("message", &self.message)?;
            told.set_item("exception", error)?;
            let tell = intern!(py, "call_exception_handler");
            self.home.event_loop(py).call_method1(tell, (told,))?;
            Ok::<_, PyErr>(())
        };
        if let Err(error) = tell() {
            error.write_unraisable(py, None);
        }
    }

    /// The loop is closed: it goes where exceptions go that nobody can be told of.
    fn discard(self: Arc<Self>, py: Python<'_>) {
        let error = lock(&self.error).take();
        if let Some(error) = error {
            error.write_unraisable(py, None);
        }
    }
}
