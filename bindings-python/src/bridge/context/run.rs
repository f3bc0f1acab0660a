//! Contexts by their own method `run`: the limited API enters them in no other way.

use std::{
    mem,
    sync::Mutex,
    thread::{self, ThreadId},
};

use pyo3::{
    exceptions::PyRuntimeError,
    intern,
    prelude::*,
    types::{PyDict, PyTuple},
};

use crate::sync::lock;

/// Runs something in a context.
///
/// # Errors
///
/// It is no context, or it has been entered already.
pub(crate) fn run_in<T>(context: &Bound<'_, PyAny>, work: impl FnOnce() -> T) -> PyResult<T> {
    let py = context.py();
    let mut work = Some(work);
    let mut result = None;
    let mut step = || {
        if let Some(work) = work.take() {
            result = Some(work());
        }
    };
    let inside = Bound::new(py, Inside(Mutex::new(Some(Lent::new(&mut step)))))?;
    let takes_back = TakesBack(inside.get());
    let ran = context.call_method1(intern!(py, "run"), (&inside,));
    drop(takes_back);
    ran?;
    result.ok_or_else(|| PyRuntimeError::new_err("a context has not run what it was given"))
}

/// Calls something in a context.
///
/// # Errors
///
/// What is raised there; it is no context, or it has been entered already.
pub(crate) fn call_in<'py>(
    context: &Bound<'py, PyAny>,
    callable: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = context.py();
    let all =
        PyTuple::new(py, std::iter::once(callable.clone()).chain(args.iter()).collect::<Vec<_>>())?;
    context.getattr(intern!(py, "run"))?.call(all, kwargs)
}

/// What a context is given to run: Rust code, once.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Inside")]
struct Inside(Mutex<Option<Lent>>);

#[pymethods]
impl Inside {
    fn __call__(&self) -> PyResult<()> {
        let lent = lock(&self.0).take_if(|lent| lent.thread == thread::current().id());
        let lent = lent.ok_or_else(|| PyRuntimeError::new_err("it is run by its context, once"))?;
        // SAFETY: it was there, so `run_in` has not taken it back: it has not returned, and what it
        // has lent is alive. This is its thread, so it is waiting for `Context.run`, and uses it no
        // more than anybody else does: who takes it is the only one to have it.
        unsafe { (*lent.step)() };
        Ok(())
    }
}

/// A closure of `run_in`, which is on that function's stack.
struct Lent {
    thread: ThreadId,
    step: *mut (dyn FnMut() + 'static),
}

// SAFETY: it is used on the one thread only that it comes from, which `__call__` looks at.
unsafe impl Send for Lent {}

impl Lent {
    fn new<'a>(step: &'a mut (dyn FnMut() + 'a)) -> Self {
        // SAFETY: only the lifetime is changed. That it is not used after its end is what `TakesBack`
        // and `__call__` see to.
        let step: *mut (dyn FnMut() + 'static) =
            unsafe { mem::transmute::<*mut (dyn FnMut() + 'a), _>(step) };
        Self { thread: thread::current().id(), step }
    }
}

/// Takes back what was lent, however `run_in` is left: a profiler may have kept the object.
struct TakesBack<'a>(&'a Inside);

impl Drop for TakesBack<'_> {
    fn drop(&mut self) {
        lock(&self.0.0).take();
    }
}
