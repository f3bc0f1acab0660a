//! Turns of a worker's loop, at less cost: what `call_soon` makes of a callback.
//!
//! A task that suspends has the loop call it back, and whoever waits for it another time. For each,
//! asyncio's loops run some thirty lines of Python, most of what a short task costs. A worker's loop
//! has its `call_soon` replaced by one that does the same at a fraction, where a context is given:
//! by tasks and futures it always is. What others give the loop, and all in debug mode, goes the
//! usual way.

use std::sync::{
    Mutex, TryLockError,
    atomic::{AtomicBool, Ordering},
};

use pyo3::{
    PyTraverseError, PyVisit,
    exceptions::{PyKeyboardInterrupt, PySystemExit},
    intern,
    prelude::*,
    types::{PyDict, PyTuple},
};

use crate::{bridge::Entered, imports, sync::lock};

/// The `call_soon` of one loop, which has it for as long as it is open.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Turns")]
pub(crate) struct Turns {
    event_loop: Py<PyAny>,
    /// The loop's own.
    call_soon: Py<PyAny>,
    /// That of its queue.
    append: Py<PyAny>,
}

#[pymethods]
impl Turns {
    #[new]
    fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = event_loop.py();
        Ok(Self {
            event_loop: event_loop.clone().unbind(),
            call_soon: event_loop.getattr(intern!(py, "call_soon"))?.unbind(),
            append: event_loop
                .getattr(intern!(py, "_ready"))?
                .getattr(intern!(py, "append"))?
                .unbind(),
        })
    }

    /// Has the loop call a callback in its next turn. Returns the handle.
    #[pyo3(signature = (callback, *args, context=None))]
    fn call_soon<'py>(
        &self,
        callback: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = callback.py();
        let event_loop = self.event_loop.bind(py);
        let in_context = context
            .filter(|context| imports::context(py).is_ok_and(|class| context.get_type().is(class)));
        let debug = || event_loop.getattr(intern!(py, "_debug"))?.is_truthy();
        let Some(context) = in_context.filter(|_| debug().is_ok_and(|debug| !debug)) else {
            let keywords = PyDict::new(py);
            keywords.set_item(intern!(py, "context"), context)?;
            let mut all = vec![callback.clone()];
            all.extend(args);
            return self.call_soon.bind(py).call(PyTuple::new(py, all)?, Some(&keywords));
        };
        let turn = Turn {
            event_loop: event_loop.clone().unbind(),
            context: context.clone().unbind(),
            call: Mutex::new(Some((callback.clone().unbind(), args.clone().unbind()))),
            cancelled: AtomicBool::new(false),
        };
        let turn = Bound::new(py, turn)?.into_any();
        self.append.bind(py).call1((&turn,))?;
        Ok(turn)
    }
}

/// What `call_soon` returns: it has the interface of `asyncio.Handle`.
#[pyclass(frozen, weakref, module = "thrasks._thrasks", name = "_Handle")]
pub(crate) struct Turn {
    event_loop: Py<PyAny>,
    context: Py<PyAny>,
    /// The callback and its arguments, until it is called or cancelled.
    call: Mutex<Option<(Py<PyAny>, Py<PyTuple>)>>,
    cancelled: AtomicBool,
}

#[pymethods]
impl Turn {
    /// Calls the callback: what the loop does in its turn.
    fn _run(&self, py: Python<'_>) -> PyResult<()> {
        let Some((callback, args)) = lock(&self.call).take() else { return Ok(()) };
        let context = self.context.bind(py);
        let called = Entered::new(context).and_then(|_entered| callback.call1(py, args.bind(py)));
        let Err(error) = called else { return Ok(()) };
        if error.is_instance_of::<PySystemExit>(py)
            || error.is_instance_of::<PyKeyboardInterrupt>(py)
        {
            return Err(error);
        }
        let args = (self.event_loop.bind(py), callback, args, context, error.into_value(py));
        imports::report_callback(py)?.call1(args)?;
        Ok(())
    }

    /// Has the callback not be called.
    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        let call = lock(&self.call).take();
        drop(call);
    }

    /// Whether it was cancelled.
    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The context that the callback is called in.
    fn get_context<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.context.bind(py).clone()
    }

    // What the loop, and those who look into its queue, know of a handle.

    #[getter]
    fn _cancelled(&self) -> bool {
        self.cancelled()
    }

    #[getter]
    fn _callback<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        lock(&self.call).as_ref().map(|(callback, _)| callback.bind(py).clone())
    }

    #[getter]
    fn _args<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        lock(&self.call).as_ref().map(|(_, args)| args.bind(py).clone())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let args = (self.event_loop.bind(py), self._callback(py), self._args(py), self.cancelled());
        Ok(imports::describe_callback(py)?.call1(args)?.unbind())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.context)?;
        let call = match self.call.try_lock() {
            Ok(call) => call,
            Err(TryLockError::Poisoned(call)) => call.into_inner(),
            // Somebody is at it, and has it.
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        if let Some((callback, args)) = &*call {
            visit.call(callback)?;
            visit.call(args)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        self.cancel();
    }
}
