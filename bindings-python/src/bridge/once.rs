//! Functions on threads that report once, by a callback.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use pyo3::{
    prelude::*,
    types::{PyDict, PyTuple},
};
use thrasks_bridge::{Resolver, once_from_callback};

use crate::{home::Home, outcome::Outcome};

use super::{
    call::{Running, Work, await_outcome},
    report::report,
};

/// Sends a call of `function` to a thread, with a callback as its first argument. Returns the future
/// of the first value that the callback is called with.
#[pyfunction]
pub(crate) fn start_once<'py>(
    py: Python<'py>,
    place: Option<&Bound<'py, PyAny>>,
    function: &Bound<'py, PyAny>,
    args: Bound<'py, PyTuple>,
    kwargs: Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    await_outcome(py, place, |home, place, context| {
        let home = home.clone();
        let work = Work::new(function, args, kwargs, context);
        let once = once_from_callback(place, move |resolver| {
            Python::attach(|py| run(py, work, &resolver, &home));
        });
        Running::Once(once)
    })
}

fn run(py: Python<'_>, mut work: Work, resolver: &Resolver<Outcome>, home: &Arc<Home>) {
    let called = Arc::new(AtomicBool::new(false));
    let callback = OnceCallback { resolver: resolver.clone(), called: called.clone() };
    let callback = Bound::new(py, callback);
    let outcome = callback.and_then(|callback| work.prepend(py, callback.into_any()));
    let outcome = match outcome {
        Ok(()) => work.run(py),
        Err(error) => Outcome::Error(error.into_value(py).into_any()),
    };
    if let Outcome::Error(error) = outcome
        && let Err(Outcome::Error(error)) = resolver.resolve(Outcome::Error(error))
    {
        let message = if called.load(Ordering::Relaxed) {
            "exception in a function on a thread that had called its callback"
        } else {
            "exception in a call on a thread that was cancelled"
        };
        report(py, home, message.to_owned(), PyErr::from_value(error.into_bound(py)));
    }
}

/// What the function is given to call. Dropped uncalled, it tells that it never will be.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_OnceCallback")]
struct OnceCallback {
    resolver: Resolver<Outcome>,
    called: Arc<AtomicBool>,
}

#[pymethods]
impl OnceCallback {
    /// Later calls do nothing.
    fn __call__(&self, value: Py<PyAny>) {
        self.called.store(true, Ordering::Relaxed);
        let unwanted = self.resolver.resolve(Outcome::Value(value));
        drop(unwanted);
    }
}
