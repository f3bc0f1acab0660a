//! Turns of a worker's loop, at less cost: what `call_soon` makes of a callback.
//!
//! A task that suspends has the loop call it back, and whoever waits for it another time. For each,
//! asyncio's loops run some thirty lines of Python, most of what a short task costs. A worker's loop
//! has its `call_soon` replaced by one that does the same at a fraction, where a context is given:
//! by tasks and futures it always is. What others give the loop, and all in debug mode, goes the
//! usual way.
//!
//! Turns that are given to the loop one after the other stand in its queue as one entry, a batch: the
//! order is that of asyncio, since one goes into a batch only while that is the last entry.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
};

use pyo3::{
    PyTraverseError, PyVisit,
    exceptions::{PyKeyboardInterrupt, PySystemExit},
    intern,
    prelude::*,
    types::{PyDict, PyTuple},
};

use crate::{bridge::call_in, imports, sync::lock, trace};

/// The `call_soon` of one loop, which has it for as long as it is open.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Turns")]
pub(crate) struct Turns {
    event_loop: Py<PyAny>,
    /// The loop's own.
    call_soon: Py<PyAny>,
    /// Its queue.
    ready: Py<PyAny>,
    /// The batch that was begun last.
    last: Mutex<Option<Py<Batch>>>,
}

#[pymethods]
impl Turns {
    #[new]
    fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = event_loop.py();
        Ok(Self {
            event_loop: event_loop.clone().unbind(),
            call_soon: event_loop.getattr(intern!(py, "call_soon"))?.unbind(),
            ready: event_loop.getattr(intern!(py, "_ready"))?.unbind(),
            last: Mutex::new(None),
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
            let mut all =
                vec![if trace::is_on() { trace::wrap(callback)? } else { callback.clone() }];
            all.extend(args);
            return self.call_soon.bind(py).call(PyTuple::new(py, all)?, Some(&keywords));
        };
        let turn = Turn {
            event_loop: event_loop.clone().unbind(),
            context: context.clone().unbind(),
            call: Mutex::new(Some((callback.clone().unbind(), args.clone().unbind()))),
            cancelled: AtomicBool::new(false),
        };
        let turn = Bound::new(py, turn)?;
        self.enqueue(&turn)?;
        Ok(turn.into_any())
    }
}

impl Turns {
    fn enqueue(&self, turn: &Bound<'_, Turn>) -> PyResult<()> {
        let py = turn.py();
        let ready = self.ready.bind(py);
        let last = lock(&self.last).as_ref().map(|last| last.bind(py).clone());
        // One that has not been taken is in the queue: it is not empty.
        if let Some(last) = last
            && !last.get().taken.load(Ordering::Relaxed)
            && ready.get_item(-1).is_ok_and(|end| end.is(&last))
        {
            let mut turns = lock(&last.get().turns);
            // Looked at again: who calls this on another thread than the loop's may have been slow.
            // asyncio does not allow it, and loses nothing all the same.
            if !last.get().taken.load(Ordering::Relaxed) {
                turns.push_back(turn.clone().unbind());
                return Ok(());
            }
        }
        let batch = Batch {
            ready: ready.clone().unbind(),
            turns: Mutex::new(VecDeque::from([turn.clone().unbind()])),
            taken: AtomicBool::new(false),
        };
        let batch = Bound::new(py, batch)?;
        ready.call_method1(intern!(py, "append"), (&batch,))?;
        let old = lock(&self.last).replace(batch.unbind());
        drop(old);
        Ok(())
    }
}

/// Turns in a row, as one entry in the queue of their loop.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Batch")]
pub(crate) struct Batch {
    ready: Py<PyAny>,
    turns: Mutex<VecDeque<Py<Turn>>>,
    /// The loop has begun with it: what comes has its turn in the next round. Set while `turns` is locked.
    taken: AtomicBool,
}

#[pymethods]
impl Batch {
    /// Has each of them.
    fn _run(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let Self { ready, turns, taken } = slf.get();
        let mut now = {
            let mut turns = lock(turns);
            taken.store(true, Ordering::Relaxed);
            std::mem::take(&mut *turns)
        };
        let is_traced = trace::is_on();
        while let Some(turn) = now.pop_front() {
            let step = if is_traced { turn.get().begin_step(py) } else { None };
            let ran = turn.get()._run(py);
            if let Some(step) = step {
                step.over();
            }
            let Err(interrupt) = ran else { continue };
            if !now.is_empty() {
                // The others have theirs when the loop runs on.
                *lock(turns) = now;
                ready.call_method1(py, intern!(py, "appendleft"), (slf,))?;
            }
            return Err(interrupt);
        }
        Ok(())
    }

    // What the loop, and those who look into its queue, know of a handle.

    #[getter]
    fn _cancelled(&self) -> bool {
        false
    }

    #[getter]
    fn _callback(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        Ok(slf.getattr(intern!(slf.py(), "_run"))?.unbind())
    }

    #[getter]
    fn _args<'py>(&self, py: Python<'py>) -> Bound<'py, PyTuple> {
        PyTuple::empty(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.ready)?;
        let turns = match self.turns.try_lock() {
            Ok(turns) => turns,
            Err(TryLockError::Poisoned(turns)) => turns.into_inner(),
            // Somebody is at it, and has it.
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        turns.iter().try_for_each(|turn| visit.call(turn))
    }

    fn __clear__(&self) {
        let turns = std::mem::take(&mut *lock(&self.turns));
        drop(turns);
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

impl Turn {
    /// Begins the step of a task of a trace, if this is one.
    fn begin_step<'py>(&self, py: Python<'py>) -> Option<trace::Stepping<'py>> {
        self._callback(py).and_then(|callback| trace::Stepping::begin(&callback))
    }
}

#[pymethods]
impl Turn {
    /// Calls the callback, unless it was cancelled: what the loop does in its turn.
    fn _run(&self, py: Python<'_>) -> PyResult<()> {
        let Some((callback, args)) = lock(&self.call).take() else { return Ok(()) };
        let context = self.context.bind(py);
        let called = call_in(context, callback.bind(py), args.bind(py), None);
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

    // What those who look into it know of a handle.

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
