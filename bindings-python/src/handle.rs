//! The native half of a handle: what `create_task` and `run` return.

use std::sync::{Arc, Mutex, atomic::Ordering};

use pyo3::{intern, prelude::*};
use thrasks_group::Ticket;

use crate::{
    group::GroupBase,
    home::Delivery as _,
    imports,
    job::{Cancel, Job, Outcome},
    sync::lock,
};

/// Where the outcome of a job with a handle goes.
#[derive(Default)]
pub(crate) struct HandlePlace(Mutex<Option<Settling>>);

struct Settling {
    handle: Py<PyAny>,
    /// The group that waits for it.
    group: Option<(Py<GroupBase>, Ticket)>,
}

impl HandlePlace {
    /// Tells whom the outcome is for. Until it is delivered, the job keeps both alive.
    pub(crate) fn fill(&self, handle: Py<PyAny>, group: Option<(Py<GroupBase>, Ticket)>) {
        *lock(&self.0) = Some(Settling { handle, group });
    }

    /// Takes that back.
    pub(crate) fn clear(&self) -> Option<Ticket> {
        let settling = lock(&self.0).take();
        settling.and_then(|settling| settling.group).map(|(_, ticket)| ticket)
    }

    /// Delivers an outcome, on the loop of the handle.
    pub(crate) fn settle(&self, py: Python<'_>, outcome: Outcome) {
        let Some(Settling { handle, group }) = lock(&self.0).take() else { return };
        let error = match &outcome {
            Outcome::Error(error) => Some(error.clone_ref(py)),
            _ => None,
        };
        let settled = settle(handle.bind(py), outcome, group.is_some());
        drop_handle_first(py, handle, group, settled, error);
    }

    /// The loop of the handle is closed: lets go of it.
    pub(crate) fn abandon(&self, py: Python<'_>) {
        let settling = lock(&self.0).take();
        if let Some((group, ticket)) = settling.and_then(|settling| settling.group) {
            group.get().forget(ticket);
            drop(group);
        }
        let _ = py;
    }
}

/// The group is told last, when nothing here holds the handle any more: it may raise the exception
/// that the handle holds, and a reference from here would make a cycle of the two.
fn drop_handle_first(
    py: Python<'_>,
    handle: Py<PyAny>,
    group: Option<(Py<GroupBase>, Ticket)>,
    settled: PyResult<()>,
    error: Option<Py<PyAny>>,
) {
    // One that was given up while its loop shut down is done already.
    let is_done = || {
        handle
            .call_method0(py, intern!(py, "done"))
            .is_ok_and(|done| done.is_truthy(py).unwrap_or(false))
    };
    if let Err(error) = settled
        && !is_done()
    {
        error.write_unraisable(py, Some(handle.bind(py)));
    }
    if let Some((group, ticket)) = group
        && let Err(error) = GroupBase::child_ended(group.bind(py), ticket, handle, error)
    {
        error.write_unraisable(py, Some(group.bind(py)));
    }
}

/// Makes a handle done. Its own methods for this refuse, as a task's do; the base class's do it.
fn settle(handle: &Bound<'_, PyAny>, outcome: Outcome, in_group: bool) -> PyResult<()> {
    let py = handle.py();
    let future = imports::future(py)?;
    match outcome {
        Outcome::Value(value) => {
            future.call_method1(intern!(py, "set_result"), (handle, value))?;
        }
        Outcome::Error(error) => {
            future.call_method1(intern!(py, "set_exception"), (handle, error))?;
            if in_group {
                // The group raises it. Reading it here keeps the handle from complaining that
                // nobody did.
                future.call_method1(intern!(py, "exception"), (handle,))?;
            }
        }
        Outcome::Cancelled(message) => {
            future.call_method1(intern!(py, "cancel"), (handle, message))?;
        }
    }
    Ok(())
}

/// A job as its handle sees it.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Job")]
pub(crate) struct JobRef {
    job: Arc<Job>,
}

impl JobRef {
    pub(crate) fn new(job: Arc<Job>) -> Self {
        Self { job }
    }
}

#[pymethods]
impl JobRef {
    /// Asks the job to end. Returns whether it can be asked: it cannot once it has ended.
    #[pyo3(signature = (msg=None))]
    fn cancel(&self, py: Python<'_>, msg: Option<Py<PyAny>>) -> bool {
        match self.job.cancel(py, msg) {
            Cancel::Unstarted => {
                if self.job.home().is_here(py) {
                    // At once; what is on its way to the loop for it then finds nothing.
                    self.job.clone().deliver(py);
                }
                true
            }
            Cancel::Requested => true,
            Cancel::TooLate => false,
        }
    }

    /// How often it was asked to end.
    fn cancelling(&self) -> usize {
        self.job.cancel_requests().load(Ordering::Relaxed)
    }

    /// Takes one such request back, in the count. Returns the new count.
    fn uncancel(&self) -> usize {
        let lower = |count: usize| count.checked_sub(1);
        let requests = self.job.cancel_requests();
        requests
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, lower)
            .map_or(0, |count| count - 1)
    }

    /// The task on the worker, while that runs and has suspended.
    fn task<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.job.task(py)
    }

    /// The coroutine, until the job has ended.
    fn coroutine(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        if let Some(coroutine) = self.job.spec(|spec| spec.coroutine.clone_ref(py)) {
            return Ok(Some(coroutine));
        }
        let task = self.job.task(py);
        task.map(|task| Ok(task.call_method0(intern!(py, "get_coro"))?.unbind())).transpose()
    }

    /// The context that it runs in, until it has ended.
    fn context(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        if let Some(context) = self.job.spec(|spec| spec.context.clone_ref(py)) {
            return Ok(Some(context));
        }
        // Before 3.12 a task does not tell its context.
        let task = self.job.task(py).filter(|_| py.version_info() >= (3, 12));
        task.map(|task| Ok(task.call_method0(intern!(py, "get_context"))?.unbind())).transpose()
    }

    /// The name of the task: that of the task on the worker while that has suspended, otherwise the
    /// one that it was given, if it was.
    fn name(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self.job.task(py) {
            Some(task) => Ok(Some(task.call_method0(intern!(py, "get_name"))?.unbind())),
            None => Ok(self.job.name(py)),
        }
    }

    /// Gives the task another name.
    fn rename(&self, py: Python<'_>, name: Py<PyAny>) -> PyResult<()> {
        if let Some(task) = self.job.task(py) {
            task.call_method1(intern!(py, "set_name"), (&name,))?;
        }
        self.job.rename(name);
        Ok(())
    }

    /// The name of the worker that runs it, while one does.
    fn worker(&self) -> Option<String> {
        self.job.worker().map(|worker| worker.handle().name().to_owned())
    }
}
