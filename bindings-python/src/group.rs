//! The native half of a task group: its members, and the way of a coroutine into it.

use std::sync::{Arc, Mutex, OnceLock};

use pyo3::{
    exceptions::PyRuntimeError,
    intern,
    prelude::*,
    types::{PyDict, PyTuple},
};
use thrasks_group::{GroupState, Refusal, Ticket};

use crate::{
    handle::{HandlePlace, JobRef},
    home::Home,
    imports,
    job::{self, Job, Place, Spec},
    pool::Workers,
    submission::Submission,
    sync::lock,
    team::{Team, Waiter},
};

/// The base class of `ThreadedTaskGroup`: everything that happens once per task.
///
/// What happens once per group is in Python, on the parent's loop. The two meet in the methods
/// `_on_child_failed` and `_on_drained`, which this class calls there.
#[pyclass(frozen, subclass, weakref, module = "thrasks._thrasks")]
pub(crate) struct GroupBase {
    /// A member is the handle of a task.
    state: GroupState<Py<PyAny>, ()>,
    open: OnceLock<Open>,
    /// Taken when the threads are given back.
    leased: Mutex<Option<Arc<Team>>>,
}

struct Open {
    home: Arc<Home>,
    submission: Submission,
}

impl GroupBase {
    /// A member has ended. On the parent's loop.
    pub(crate) fn child_ended(
        slf: &Bound<'_, Self>,
        ticket: Ticket,
        handle: Py<PyAny>,
        error: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let left = slf.get().state.leave(ticket, None);
        if left.drained {
            slf.call_method0(intern!(py, "_on_drained"))?;
        }
        if let Some(error) = error {
            slf.call_method1(intern!(py, "_on_child_failed"), (handle, error))?;
        }
        Ok(())
    }

    /// A member has ended whose loop is closed, and so is the group's.
    pub(crate) fn forget(&self, ticket: Ticket) {
        let left = self.state.leave(ticket, None);
        drop(left);
    }

    fn refused(slf: &Bound<'_, Self>, refusal: Refusal) -> PyErr {
        let name = imports::repr(slf.as_any());
        PyRuntimeError::new_err(match refusal {
            Refusal::NotEntered => {
                format!("{name} has not been entered: it must be used in async with statement")
            }
            Refusal::Finished => format!("{name} is finished"),
            Refusal::ShuttingDown => format!("{name} is shutting down"),
        })
    }
}

#[pymethods]
impl GroupBase {
    #[new]
    #[pyo3(signature = (*_args, **_keywords))]
    fn new(_args: &Bound<'_, PyTuple>, _keywords: Option<&Bound<'_, PyDict>>) -> Self {
        Self { state: GroupState::new(), open: OnceLock::new(), leased: Mutex::new(None) }
    }

    /// Runs a coroutine on one of the group's workers.
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
        let group = slf.get();
        job::check_coroutine(coro)?;
        let Some(Open { home, submission }) =
            group.open.get().filter(|_| group.state.refusal().is_none())
        else {
            let refusal = group.state.refusal().unwrap_or(Refusal::NotEntered);
            coro.call_method0(intern!(py, "close"))?;
            return Err(Self::refused(slf, refusal));
        };
        let spec = Spec::new(py, coro, context, kwargs)?;
        let name = name.map(Bound::unbind);
        let place = Place::Handle(HandlePlace::default());
        let gate = submission.gate().cloned();
        let job = Job::new(spec, name, home.clone(), place, gate, submission.pin(context));
        let handle =
            imports::handle_type(py)?.call1((JobRef::new(job.clone()), home.event_loop(py)))?;
        let ticket = match group.state.admit(handle.clone().unbind()) {
            Ok(ticket) => ticket,
            Err(refused) => {
                // Between the look above and this, another thread has ended the group.
                job.withdraw(py);
                return Err(Self::refused(slf, refused.refusal));
            }
        };
        if let Some(place) = job.handle_place() {
            place.fill(handle.clone().unbind(), Some((slf.clone().unbind(), ticket)));
        }
        if let Err(error) = submission.submit(py, job.clone()) {
            job.withdraw(py);
            if let Some(ticket) = job.handle_place().and_then(HandlePlace::clear) {
                group.forget(ticket);
            }
            return Err(error);
        }
        Ok(handle)
    }

    /// Opens the group on the running loop, for these workers. `private`: they are the group's own.
    fn _open(
        &self,
        event_loop: &Bound<'_, PyAny>,
        workers: &Bound<'_, Workers>,
        max_concurrency: Option<usize>,
        private: bool,
    ) -> PyResult<()> {
        let home = Home::of(event_loop)?;
        let team = workers.get().team().clone();
        let submission = Submission::new(team.clone(), max_concurrency);
        if self.state.enter().is_err() || self.open.set(Open { home, submission }).is_err() {
            return Err(PyRuntimeError::new_err("the group has already been entered"));
        }
        if private {
            *lock(&self.leased) = Some(team);
        }
        Ok(())
    }

    /// Refuses new tasks and cancels those there are, once.
    fn _abort(&self, py: Python<'_>) -> PyResult<()> {
        for handle in self.state.abort_with(|handle| handle.clone_ref(py)).into_iter().flatten() {
            handle.call_method0(py, intern!(py, "cancel"))?;
        }
        Ok(())
    }

    /// The body has ended: the group is finished whenever it has no task. Returns whether it is.
    fn _begin_exit(&self) -> bool {
        self.state.begin_exit()
    }

    /// Gives the workers back, if the group has its own. Resolves the future when those that worked
    /// are clean; returns whether that is so already.
    fn _release(&self, future: Py<PyAny>) -> bool {
        let leased = lock(&self.leased).take();
        let (Some(team), Some(open)) = (leased, self.open.get()) else { return true };
        team.release(Some(Waiter::new(open.home.clone(), future)))
    }

    /// Whether the group refuses new tasks and has cancelled those there were.
    #[getter]
    fn _aborting(&self) -> bool {
        self.state.is_aborting()
    }

    /// How many tasks have not ended.
    #[getter]
    fn _unfinished(&self) -> usize {
        self.state.len()
    }
}
