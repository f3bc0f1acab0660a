//! The native half of a task group: the way of a coroutine into it.

use std::sync::Arc;

use pyo3::{
    exceptions::PyRuntimeError,
    prelude::*,
    types::{PyDict, PyTuple, PyWeakrefReference},
};
use thrasks_group::Refusal;

use crate::{
    handle::{HandlePlace, JobRef},
    home::Home,
    imports,
    job::{Job, Place},
    members::{Members, Open},
    pool::Workers,
    spec::{self, Source, Spec},
    submission::Submission,
    team::Waiter,
};

/// The base class of `ThreadedTaskGroup`: everything that happens once per task.
///
/// What happens once per group is in Python, on the parent's loop. The two meet in the methods
/// `_on_child_failed` and `_on_drained`, which are called there.
#[pyclass(frozen, subclass, weakref, module = "thrasks._thrasks")]
pub(crate) struct GroupBase {
    members: Arc<Members>,
}

impl GroupBase {
    fn refused(slf: &Bound<'_, Self>, refusal: Refusal) -> PyErr {
        let name = imports::repr(slf.as_any());
        let error = PyRuntimeError::new_err(match refusal {
            Refusal::NotEntered => {
                format!("{name} has not been entered: it must be used in async with statement")
            }
            Refusal::Finished => format!("{name} is finished"),
            Refusal::ShuttingDown => format!("{name} is shutting down"),
        });
        if refusal == Refusal::ShuttingDown {
            slf.get().members.mark_refusal(slf.py(), &error);
        }
        error
    }
}

#[pymethods]
impl GroupBase {
    #[new]
    #[pyo3(signature = (*_args, **_keywords))]
    fn new(_args: &Bound<'_, PyTuple>, _keywords: Option<&Bound<'_, PyDict>>) -> Self {
        Self { members: Arc::default() }
    }

    /// Run a coroutine on one of the group's workers.
    ///
    /// May be called from the body, from a task of the group, or from any other thread, until the
    /// group's last task has ended.
    ///
    /// Args:
    ///     coro: The coroutine.
    ///     name: The name of the task.
    ///     context: The context that the task runs in; a copy of the caller's by default. Tasks
    ///         that are given the same context run on the same worker.
    ///     **kwargs: Further arguments of `asyncio.Task`, such as `eager_start`.
    ///
    /// Returns:
    ///     A handle, which is a future of the loop that entered the group. It is done when the task
    ///     is; cancelling it asks the task to end.
    ///
    /// Raises:
    ///     RuntimeError: The group has not been entered, is finished, or is shutting down. The
    ///         coroutine is closed.
    ///     TypeError: `coro` is not a coroutine.
    #[pyo3(signature = (coro, *, name=None, context=None, **kwargs))]
    fn create_task<'py>(
        slf: &Bound<'py, Self>,
        coro: &Bound<'py, PyAny>,
        name: Option<Bound<'py, PyAny>>,
        context: Option<&Bound<'py, PyAny>>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let members = &slf.get().members;
        spec::check_coroutine(coro)?;
        let Some(open) = members.open().filter(|_| members.state.refusal().is_none()) else {
            let refusal = members.state.refusal().unwrap_or(Refusal::Finished);
            spec::close(coro);
            return Err(Self::refused(slf, refusal));
        };
        let Open { home, submission, .. } = &*open;
        let place = Place::Handle(HandlePlace::default());
        let gate = submission.gate().cloned();
        let (job, name) = spec::closing(coro, || {
            let name = spec::check_arguments(name, kwargs.as_ref())?;
            let source = Source::Coroutine(coro.clone().unbind());
            let spec = Spec::new(py, source, context, kwargs, submission.last())?;
            let pin = submission.pin(py, &spec)?;
            Ok((Job::new(spec, home.clone(), place, gate, pin), name))
        })?;
        let (handle, reference) = JobRef::make_handle(py, &job, name)?;
        if let Some(place) = job.handle_place() {
            place.fill(handle.clone().unbind(), reference);
        }
        let ticket = match members.state.admit(handle.clone().unbind()) {
            Ok(ticket) => ticket,
            Err(refused) => {
                // Between the look above and this, another thread has ended the group.
                job.withdraw(py);
                let _ = job.handle_place().and_then(HandlePlace::clear);
                return Err(Self::refused(slf, refused.refusal));
            }
        };
        if let Some(place) = job.handle_place() {
            place.join(py, members, ticket);
        }
        if let Some(parent) = open.parent.bind(py).upgrade() {
            imports::set_awaited_by(&handle, &parent, true)?;
        }
        if let Err(error) = submission.submit(py, &job) {
            job.withdraw(py);
            if let Some((_, ticket)) = job.handle_place().and_then(HandlePlace::clear) {
                members.leave(py, ticket);
            }
            return Err(error);
        }
        Ok(handle)
    }

    /// Opens the group on the running loop, for these workers, entered by this task. `private`:
    /// the workers are the group's own.
    fn _open(
        slf: &Bound<'_, Self>,
        event_loop: &Bound<'_, PyAny>,
        parent: &Bound<'_, PyAny>,
        workers: &Bound<'_, Workers>,
        max_concurrency: Option<usize>,
        private: bool,
    ) -> PyResult<()> {
        let open = Open {
            home: Home::of(event_loop)?,
            submission: Submission::new(workers.get().team().clone(), max_concurrency),
            private,
            parent: PyWeakrefReference::new(parent)?.unbind(),
        };
        if slf.get().members.enter(slf.as_any(), open)? {
            return Ok(());
        }
        Err(PyRuntimeError::new_err("the group has already been entered"))
    }

    /// Refuses new tasks and cancels those there are, once.
    fn _abort(&self, py: Python<'_>) -> PyResult<()> {
        self.members.abort(py)
    }

    /// The body has ended: the group is finished whenever it has no task. Returns whether it is.
    fn _begin_exit(&self) -> bool {
        self.members.state.begin_exit()
    }

    /// Gives the workers back, if the group has its own. Resolves the future when those that worked
    /// are clean; returns whether that is so already.
    fn _release(&self, future: Py<PyAny>) -> bool {
        let waiter = self.members.open().map(|open| Waiter::new(open.home.clone(), future));
        self.members.release(waiter)
    }

    /// Nobody holds the group any more: cancels its tasks; the last of them gives the workers back.
    /// Returns whether the group was open.
    fn _abandon(&self, py: Python<'_>) -> PyResult<bool> {
        self.members.abandon(py)
    }

    /// Whether the group refuses new tasks and has cancelled those there were.
    #[getter]
    fn _aborting(&self) -> bool {
        self.members.state.is_aborting()
    }

    /// How many tasks have not ended.
    #[getter]
    fn _unfinished(&self) -> usize {
        self.members.state.len()
    }
}
