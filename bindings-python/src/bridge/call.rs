//! Calls of functions on threads.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake},
};

use pyo3::{
    exceptions::PyRuntimeError,
    intern,
    prelude::*,
    types::{PyDict, PyTuple},
};
use thrasks_bridge::{Call, JoinError, Once, call};

use crate::{
    home::{Delivery, Home},
    imports,
    outcome::Outcome,
    sync::lock,
    trace,
};

use super::{
    bell::running_loop,
    context::{call_in, context_for},
    errors::{failure, unambiguous},
    place::Place,
    report::report,
};

/// A call that runs on a thread, and the future of its result.
struct Calling {
    /// Until the outcome is delivered. What runs is a root, what has ended holds nothing.
    parts: Mutex<Option<Parts>>,
}

struct Parts {
    home: Arc<Home>,
    running: Running,
    future: Py<PyAny>,
}

/// What the outcome comes from.
pub(crate) enum Running {
    Call(Call<Outcome>),
    Once(Once<Outcome>),
}

impl Running {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Outcome, JoinError>> {
        match self {
            Self::Call(call) => Pin::new(call).poll(cx),
            Self::Once(once) => Pin::new(once).poll(cx),
        }
    }
}

/// Sends a call of `function` to a thread. Returns the future of its result.
#[pyfunction]
pub(crate) fn start_call<'py>(
    py: Python<'py>,
    place: Option<&Bound<'py, PyAny>>,
    function: &Bound<'py, PyAny>,
    args: Bound<'py, PyTuple>,
    kwargs: Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    await_outcome(py, place, |_home, place, context| {
        let work = Work::new(function, args, kwargs, context);
        Running::Call(call(place, move || Python::attach(|py| work.run(py))))
    })
}

/// Starts something on a thread, and makes a future of its outcome.
pub(crate) fn await_outcome<'py>(
    py: Python<'py>,
    place: Option<&Bound<'py, PyAny>>,
    start: impl FnOnce(&Arc<Home>, &Place, Py<PyAny>) -> Running,
) -> PyResult<Bound<'py, PyAny>> {
    let event_loop = running_loop(py, "a call on a thread")?;
    let place = Place::of(place).on(&event_loop)?;
    let home = Home::of(&event_loop)?;
    let context = context_for(&event_loop)?.unbind();
    let future = new_future(&event_loop)?;
    let running = start(&home, &place, context);
    let parts = Parts { home, running, future: future.clone().unbind() };
    let calling = Arc::new(Calling { parts: Mutex::new(Some(parts)) });
    match calling.poll() {
        Poll::Pending => {
            let reference = Bound::new(py, CallRef(calling))?;
            future.setattr(intern!(py, "_call"), reference)?;
        }
        // So soon, it may be that no thread has taken it.
        Poll::Ready(outcome) => calling.settle(py, outcome),
    }
    Ok(future)
}

/// A call, for a thread.
pub(crate) struct Work {
    function: Py<PyAny>,
    args: Py<PyTuple>,
    kwargs: Option<Py<PyDict>>,
    context: Py<PyAny>,
    traced: trace::Call,
}

impl Work {
    pub(crate) fn new(
        function: &Bound<'_, PyAny>,
        args: Bound<'_, PyTuple>,
        kwargs: Bound<'_, PyDict>,
        context: Py<PyAny>,
    ) -> Self {
        let kwargs = (!kwargs.is_empty()).then(|| kwargs.unbind());
        let traced = trace::Call::of(function);
        Self { function: function.clone().unbind(), args: args.unbind(), kwargs, context, traced }
    }

    /// Adds an argument in front.
    pub(crate) fn prepend(&mut self, py: Python<'_>, first: Bound<'_, PyAny>) -> PyResult<()> {
        let args = self.args.bind(py).iter();
        let args = PyTuple::new(py, std::iter::once(first).chain(args).collect::<Vec<_>>())?;
        self.args = args.unbind();
        Ok(())
    }

    /// Makes it. What it holds is dropped before the outcome is passed on.
    pub(crate) fn run(mut self, py: Python<'_>) -> Outcome {
        self.traced.begin(py);
        let kwargs = self.kwargs.as_ref().map(|kwargs| kwargs.bind(py));
        let (context, function) = (self.context.bind(py), self.function.bind(py));
        let result = call_in(context, function, self.args.bind(py), kwargs);
        let outcome = match result {
            Ok(value) => Outcome::Value(value.unbind()),
            Err(error) => {
                let error = unambiguous(py, "a function on a thread", error);
                Outcome::Error(error.into_value(py).into_any())
            }
        };
        self.traced.end(&outcome);
        outcome
    }
}

fn new_future<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = event_loop.py();
    let keywords = PyDict::new(py);
    keywords.set_item(intern!(py, "loop"), event_loop)?;
    imports::call_type(py)?.call((), Some(&keywords))
}

impl Calling {
    fn poll(self: &Arc<Self>) -> Poll<Result<Outcome, JoinError>> {
        let waker = self.clone().into();
        match &mut *lock(&self.parts) {
            Some(parts) => parts.running.poll(&mut Context::from_waker(&waker)),
            None => Poll::Pending,
        }
    }

    /// Gives the outcome to the future. On the thread of its loop.
    fn settle(&self, py: Python<'_>, outcome: Result<Outcome, JoinError>) {
        let Some(Parts { home, running, future }) = lock(&self.parts).take() else { return };
        let outcome = match (outcome, running) {
            (Err(error), Running::Once(_)) if error.is_cancelled() => {
                let error = PyRuntimeError::new_err(
                    "the function has returned, and dropped its callback, without calling it",
                );
                Ok(Outcome::Error(error.into_value(py).into_any()))
            }
            (outcome, _) => outcome,
        };
        if let Err(error) = give(&home, future.bind(py), outcome) {
            error.write_unraisable(py, Some(future.bind(py)));
        }
    }
}

fn give(
    home: &Arc<Home>,
    future: &Bound<'_, PyAny>,
    outcome: Result<Outcome, JoinError>,
) -> PyResult<()> {
    let py = future.py();
    let outcome = outcome.unwrap_or_else(|error| match failure(py, &error) {
        Some(error) => Outcome::Error(error.into_value(py).into_any()),
        None => Outcome::Cancelled(None),
    });
    if future.call_method0(intern!(py, "done"))?.is_truthy()? {
        // It was given up. That async code which it waited for was cancelled, too, is no news.
        if let Outcome::Error(error) = outcome
            && !error.bind(py).is_instance(imports::cancelled_error(py)?)?
        {
            let message = "exception in a call on a thread that was cancelled".to_owned();
            report(py, home, message, PyErr::from_value(error.into_bound(py)));
        }
        return Ok(());
    }
    match outcome {
        Outcome::Value(value) => future.call_method1(intern!(py, "set_result"), (value,))?,
        Outcome::Error(error) => future.call_method1(intern!(py, "set_exception"), (error,))?,
        Outcome::Cancelled(_) => future.call_method0(intern!(py, "cancel"))?,
    };
    Ok(())
}

/// The thread has ended the call.
impl Wake for Calling {
    fn wake(self: Arc<Self>) {
        let home = lock(&self.parts).as_ref().map(|parts| parts.home.clone());
        if let Some(home) = home {
            Python::attach(|py| home.send(py, self));
        }
    }
}

impl Delivery for Calling {
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        if let Poll::Ready(outcome) = self.poll() {
            self.settle(py, outcome);
        }
    }

    fn discard(self: Arc<Self>, _: Python<'_>) {
        let parts = lock(&self.parts).take();
        drop(parts);
    }
}

/// A call as its future sees it.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Call")]
pub(crate) struct CallRef(Arc<Calling>);

#[pymethods]
impl CallRef {
    /// Takes the call back, if no thread has begun with it. Returns whether that is so.
    fn cancel(&self) -> bool {
        // Its arguments are dropped with it, which may run any code.
        let Some(parts) = lock(&self.0.parts).take() else { return false };
        let Running::Call(call) = &parts.running else { return false };
        let cancelled = call.cancel();
        if !cancelled {
            *lock(&self.0.parts) = Some(parts);
            let finished = matches!(
                &*lock(&self.0.parts),
                Some(Parts { running: Running::Call(call), .. }) if call.is_finished()
            );
            if finished {
                // Its end may have come while there was nothing to be found.
                self.0.clone().wake();
            }
        }
        cancelled
    }
}
