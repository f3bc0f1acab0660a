//! What a task is made of: where its coroutine comes from, its context, its keywords.

use std::sync::{Arc, Mutex, Weak};

use pyo3::{
    exceptions::PyTypeError,
    intern,
    prelude::*,
    types::{PyDict, PyString, PyTuple},
};

use crate::{carrier, imports, sync::lock};

/// Where the coroutine of a task comes from.
pub(crate) enum Source {
    /// Its caller has made it.
    Coroutine(Py<PyAny>),
    /// The worker makes it: of what this function returns.
    Call { function: Py<PyAny>, args: Py<PyTuple>, kwargs: Option<Py<PyDict>> },
}

impl Source {
    /// A call of this function.
    pub(crate) fn call(
        function: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> Self {
        Self::Call {
            function: function.clone().unbind(),
            args: args.clone().unbind(),
            kwargs: kwargs.map(|kwargs| kwargs.clone().unbind()),
        }
    }

    /// The coroutine, which is made here if it has to be.
    pub(crate) fn coroutine<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Coroutine(coroutine) => Ok(coroutine.bind(py).clone()),
            Self::Call { function, args, kwargs } => {
                let function = function.bind(py);
                if is_coroutine_function(function)? {
                    // Its own coroutine, the frames of which are the first ones.
                    let kwargs = kwargs.as_ref().map(|kwargs| kwargs.bind(py));
                    return function.call(args.bind(py), kwargs);
                }
                imports::make_coroutine(py)?.call1((function, args, kwargs))
            }
        }
    }

    /// The coroutine, if it has been made.
    pub(crate) fn made(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        match self {
            Self::Coroutine(coroutine) => Some(coroutine.clone_ref(py)),
            Self::Call { .. } => None,
        }
    }
}

/// What a task is made of, on the worker.
pub(crate) struct Spec {
    pub(crate) source: Source,
    pub(crate) context: Surroundings,
    /// Further keywords for `asyncio.Task`.
    pub(crate) keywords: Option<Py<PyDict>>,
    /// The context may be that of other tasks, too.
    pub(crate) shares_context: bool,
}

/// The context that is entered by every step of a task.
pub(crate) enum Surroundings {
    Own(Py<PyAny>),
    /// A copy of this one, once somebody needs it.
    CopyOf(Arc<Snapshot>),
}

/// A context as it was when several jobs were sent off in a row: each runs in a copy of it.
pub(crate) struct Snapshot(Py<PyAny>);

impl Snapshot {
    pub(crate) fn new(context: Bound<'_, PyAny>) -> Arc<Self> {
        Arc::new(Self(context.unbind()))
    }

    /// The context of the caller: as it was for the last job, if it is so still and that job waits.
    fn take(py: Python<'_>, last: &Mutex<Weak<Self>>) -> PyResult<Arc<Self>> {
        let now = imports::copy_context(py)?.call0()?;
        let known = lock(last).upgrade();
        if let Some(known) = known
            && carrier::are_alike(known.0.bind(py), &now)
        {
            return Ok(known);
        }
        let new = Self::new(now);
        *lock(last) = Arc::downgrade(&new);
        Ok(new)
    }

    pub(crate) fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.bind(py).call_method0(intern!(py, "copy"))
    }
}

impl Surroundings {
    /// The context, which there is from now on.
    pub(crate) fn context<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let own = match std::mem::replace(self, Self::Own(py.None())) {
            Self::Own(context) => context,
            // The only job that it was taken for needs no copy.
            Self::CopyOf(snapshot) => match Arc::try_unwrap(snapshot) {
                Ok(Snapshot(context)) => context,
                Err(shared) => {
                    let copy = shared.copy(py);
                    *self = Self::CopyOf(shared);
                    copy?.unbind()
                }
            },
        };
        let context = own.bind(py).clone();
        let old = std::mem::replace(self, Self::Own(own));
        drop(old);
        Ok(context)
    }
}

impl Spec {
    /// What a task is made of when its caller gave these arguments.
    pub(crate) fn new(
        py: Python<'_>,
        source: Source,
        context: Option<&Bound<'_, PyAny>>,
        keywords: Option<Bound<'_, PyDict>>,
        last: &Mutex<Weak<Snapshot>>,
    ) -> PyResult<Self> {
        let (context, shares_context) = match context {
            Some(context) if !context.is_instance(imports::context(py)?)? => {
                return Err(PyTypeError::new_err(format!(
                    "context must be a contextvars.Context, got {}",
                    imports::repr(context)
                )));
            }
            // The calling task is in its own context right now, and on another thread than the new
            // one will be.
            Some(context) if imports::is_own_context(context)? => {
                (Surroundings::Own(context.call_method0(intern!(py, "copy"))?.unbind()), false)
            }
            Some(context) => (Surroundings::Own(context.clone().unbind()), true),
            None => (Surroundings::CopyOf(Snapshot::take(py, last)?), false),
        };
        Ok(Self { source, context, keywords: keywords.map(Bound::unbind), shares_context })
    }

    /// The same for a context that is the task's alone.
    pub(crate) fn in_context(source: Source, context: Surroundings) -> Self {
        Self { source, context, keywords: None, shares_context: false }
    }

    /// There will be no task: closes the coroutine, if there is one, and lets go of it.
    pub(crate) fn close(self, py: Python<'_>) {
        if let Source::Coroutine(coroutine) = self.source {
            close(coroutine.bind(py));
        }
    }
}

/// Whether this is a function defined with `async def`.
fn is_coroutine_function(function: &Bound<'_, PyAny>) -> PyResult<bool> {
    /// `inspect.CO_COROUTINE`.
    const COROUTINE: u32 = 0x80;
    let py = function.py();
    if !function.get_type().is(imports::function_type(py)?) {
        return Ok(false);
    }
    let code = function.getattr(intern!(py, "__code__"))?;
    let flags: u32 = code.getattr(intern!(py, "co_flags"))?.extract()?;
    Ok(flags & COROUTINE != 0)
}

/// Closes a coroutine that will not run, so that it does not complain that it never did.
pub(crate) fn close(coroutine: &Bound<'_, PyAny>) {
    let py = coroutine.py();
    if let Err(error) = coroutine.call_method0(intern!(py, "close")) {
        error.write_unraisable(py, Some(coroutine));
    }
}

/// Refuses what is not a coroutine, with asyncio's words.
pub(crate) fn check_coroutine(coroutine: &Bound<'_, PyAny>) -> PyResult<()> {
    // A future may pass for a coroutine, but belongs to the loop it is on.
    let py = coroutine.py();
    if coroutine.get_type().is(imports::coroutine_type(py)?)
        || imports::is_coroutine(coroutine)? && !coroutine.is_instance(imports::future(py)?)?
    {
        return Ok(());
    }
    Err(PyTypeError::new_err(format!("a coroutine was expected, got {}", imports::repr(coroutine))))
}

/// Does something with a coroutine that is closed where it fails.
pub(crate) fn closing<T>(
    coroutine: &Bound<'_, PyAny>,
    make: impl FnOnce() -> PyResult<T>,
) -> PyResult<T> {
    make().inspect_err(|_| close(coroutine))
}

/// Refuses keywords that `asyncio.Task` does not take, and makes a name of what was given for one:
/// here, at the call, and not on the worker.
pub(crate) fn check_arguments<'py>(
    name: Option<Bound<'py, PyAny>>,
    keywords: Option<&Bound<'py, PyDict>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if let Some(keywords) = keywords {
        imports::check_keywords(keywords.py())?.call1((keywords,))?;
    }
    let Some(name) = name else { return Ok(None) };
    if name.is_exact_instance_of::<PyString>() {
        return Ok(Some(name));
    }
    Ok(Some(name.str()?.into_any()))
}
