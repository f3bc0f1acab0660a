//! Where blocking code runs.

use std::sync::Mutex;

use pyo3::{PyTraverseError, PyVisit, exceptions::PyRuntimeError, intern, prelude::*};
use thrasks_bridge::{Execute, Job, Refused};

use crate::{sync::lock, threads::blocking};

/// A thread of its own for each call.
#[pyclass(frozen, module = "thrasks._thrasks")]
pub(crate) struct Separate {
    detach: bool,
}

#[pymethods]
impl Separate {
    /// `detach`: whether the interpreter may exit while the thread is still at it.
    #[new]
    fn new(detach: bool) -> Self {
        Self { detach }
    }

    fn __repr__(&self) -> String {
        format!("<Separate detach={}>", if self.detach { "True" } else { "False" })
    }
}

/// Where blocking code runs.
pub(crate) enum Place {
    Pool,
    Own { detach: bool },
    Executor(Py<PyAny>),
}

impl Place {
    /// The place that Python names so: None, a `Separate`, or an executor.
    pub(crate) fn of(place: Option<&Bound<'_, PyAny>>) -> Self {
        match place {
            None => Self::Pool,
            Some(place) => match place.cast::<Separate>() {
                Ok(separate) => Self::Own { detach: separate.get().detach },
                Err(_) => Self::Executor(place.clone().unbind()),
            },
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Executor(executor) => visit.call(executor),
            Self::Pool | Self::Own { .. } => Ok(()),
        }
    }

    /// The place for a caller on this loop: where that has been given an executor, it is meant, and
    /// not the pool.
    pub(crate) fn on(self, event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        if !matches!(self, Self::Pool) {
            return Ok(self);
        }
        let py = event_loop.py();
        // A loop of another make (uvloop's) does not tell.
        let Ok(executor) = event_loop.getattr(intern!(py, "_default_executor")) else {
            return Ok(self);
        };
        if executor.is_none() || is_made_by_asyncio(&executor)? {
            return Ok(self);
        }
        Ok(Self::Executor(executor.unbind()))
    }
}

/// Whether this is the executor that a loop makes itself when it first needs one.
fn is_made_by_asyncio(executor: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = executor.py();
    match executor.getattr(intern!(py, "_thread_name_prefix")) {
        Ok(prefix) => prefix.eq(intern!(py, "asyncio")),
        Err(_) => Ok(false),
    }
}

impl Execute for Place {
    fn execute(&self, job: Job) -> Result<(), Refused> {
        match self {
            Self::Pool => blocking().pool().execute(job).map_err(|refused| {
                // Or no thread could be started, which says so itself.
                if !blocking().pool().is_closed() {
                    return refused;
                }
                let (job, _) = refused.into_parts();
                Refused::new(job, PyRuntimeError::new_err("the interpreter is shutting down: nothing more can begin on a thread of the pool"))
            }),
            Self::Own { detach } => blocking().own(*detach).execute(job),
            Self::Executor(executor) => Python::attach(|py| submit(executor.bind(py), job)),
        }
    }
}

fn submit(executor: &Bound<'_, PyAny>, job: Job) -> Result<(), Refused> {
    let py = executor.py();
    let job = match Bound::new(py, ExecutorJob(Mutex::new(Some(job)))) {
        Ok(job) => job,
        Err(error) => return Err(Refused::new(Box::new(|| ()), error)),
    };
    match executor.call_method1(intern!(py, "submit"), (&job,)) {
        Ok(_future) => Ok(()),
        // One that fails, and runs the job all the same, has not failed.
        Err(error) => match job.get().take() {
            Some(job) => Err(Refused::new(job, error)),
            None => Ok(()),
        },
    }
}

/// What an executor is given to call. Dropped uncalled, it cancels the work.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_ExecutorJob")]
struct ExecutorJob(Mutex<Option<Job>>);

impl ExecutorJob {
    fn take(&self) -> Option<Job> {
        lock(&self.0).take()
    }
}

#[pymethods]
impl ExecutorJob {
    fn __call__(&self, py: Python<'_>) {
        if let Some(job) = self.take() {
            py.detach(job);
        }
    }
}
