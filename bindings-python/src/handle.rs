//! The native half of a handle: what `create_task` and `run` return.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use pyo3::{intern, prelude::*, types::PyType};
use thrasks_group::Ticket;

use crate::{
    home::Delivery as _,
    imports,
    job::{Cancel, Job},
    members::Members,
    mould::Mould,
    outcome::Outcome,
    sync::lock,
};

/// Where the outcome of a job with a handle goes.
#[derive(Default)]
pub(crate) struct HandlePlace(Mutex<Option<Settling>>);

struct Settling {
    handle: Py<PyAny>,
    job: Py<JobRef>,
    /// The group that waits for it.
    group: Option<(Arc<Members>, Ticket)>,
    /// Tasks of other loops that await the handle.
    awaiters: Vec<Py<PyAny>>,
}

impl HandlePlace {
    /// Tells whom the outcome is for. Until it is delivered, the job keeps the handle alive.
    pub(crate) fn fill(&self, handle: Py<PyAny>, job: Py<JobRef>) {
        *lock(&self.0) = Some(Settling { handle, job, group: None, awaiters: Vec::new() });
    }

    /// Tells which group waits for the handle. Where that has aborted meanwhile, the outcome may
    /// have been delivered already: then the job leaves the group here.
    pub(crate) fn join(&self, py: Python<'_>, group: &Arc<Members>, ticket: Ticket) {
        let mut place = lock(&self.0);
        if let Some(settling) = &mut *place {
            settling.group = Some((group.clone(), ticket));
        } else {
            drop(place);
            group.leave(py, ticket);
        }
    }

    /// Takes that back: the job has no handle any more.
    pub(crate) fn clear(&self) -> Option<(Arc<Members>, Ticket)> {
        let settling = lock(&self.0).take();
        settling.and_then(|settling| {
            settling.job.get().let_go();
            settling.group
        })
    }

    /// The name that the task was given, if it was given one.
    pub(crate) fn name(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.0).as_ref().and_then(|settling| settling.job.get().given_name(py))
    }

    /// Cancellation was asked for once more.
    pub(crate) fn count_request(&self) {
        if let Some(settling) = &*lock(&self.0) {
            settling.job.get().cancel_requests.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whoever awaits the task: in a group its parent, which does so by way of the group, otherwise
    /// the handle; and tasks of other loops.
    pub(crate) fn awaiters<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyAny>> {
        let (mut awaiters, group) = {
            let place = lock(&self.0);
            let Some(settling) = &*place else { return Vec::new() };
            let mut awaiters: Vec<_> =
                settling.awaiters.iter().map(|task| task.bind(py).clone()).collect();
            if settling.group.is_none() {
                awaiters.push(settling.handle.bind(py).clone());
            }
            (awaiters, settling.group.as_ref().map(|(group, _)| group.clone()))
        };
        awaiters.extend(group.and_then(|group| group.parent(py)));
        awaiters
    }

    /// Delivers an outcome, on the loop of the handle.
    pub(crate) fn settle(&self, py: Python<'_>, outcome: Outcome) {
        let Some(Settling { handle, job, group, awaiters }) = lock(&self.0).take() else { return };
        job.get().let_go();
        drop((job, awaiters));
        let error = match &outcome {
            Outcome::Error(error) => Some(error.clone_ref(py)),
            _ => None,
        };
        let parent = group.as_ref().and_then(|(group, _)| group.parent(py));
        let in_group = group.as_ref().is_some_and(|(group, _)| group.is_there(py));
        let settled = settle(handle.bind(py), outcome, parent.as_ref(), in_group);
        drop(parent);
        drop_handle_first(py, handle, group, settled, error);
    }

    /// The loop of the handle is closed: lets go of it.
    pub(crate) fn abandon(&self, py: Python<'_>) {
        if let Some((group, ticket)) = self.clear() {
            group.leave(py, ticket);
        }
    }
}

/// The group is told last, when nothing here holds the handle any more: it may raise the exception
/// that the handle holds, and a reference from here would make a cycle of the two.
fn drop_handle_first(
    py: Python<'_>,
    handle: Py<PyAny>,
    group: Option<(Arc<Members>, Ticket)>,
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
    if let Some((group, ticket)) = group {
        group.child_ended(py, ticket, handle, error);
    }
}

/// Makes a handle done. Its own methods for this refuse, as a task's do; the base class's do it.
/// `parent`: the task that entered its group, if that is there; `in_group`: whether the group is.
fn settle(
    handle: &Bound<'_, PyAny>,
    outcome: Outcome,
    parent: Option<&Bound<'_, PyAny>>,
    in_group: bool,
) -> PyResult<()> {
    let py = handle.py();
    let future = imports::future(py)?;
    if let Some(parent) = parent {
        imports::set_awaited_by(handle, parent, false)?;
    }
    match outcome {
        Outcome::Value(value) => {
            imports::set_result(py)?.call1((handle, value))?;
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
///
/// A handle outlives its job, which knows the caller's loop and the workers: it is let go of with
/// the outcome, so that what is left here refers to nothing.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Job")]
pub(crate) struct JobRef {
    job: Mutex<Option<Arc<Job>>>,
    /// The name that it was given, if it was given one.
    name: Mutex<Option<Py<PyAny>>>,
    /// How often cancellation was asked for: what `cancelling()` says.
    cancel_requests: AtomicUsize,
}

impl JobRef {
    fn new(job: Arc<Job>, name: Option<Py<PyAny>>) -> Self {
        Self {
            job: Mutex::new(Some(job)),
            name: Mutex::new(name),
            cancel_requests: AtomicUsize::new(0),
        }
    }

    /// Makes the handle of a job: a future of its caller's loop.
    pub(crate) fn make_handle<'py>(
        py: Python<'py>,
        job: &Arc<Job>,
        name: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyAny>, Py<Self>)> {
        static MOULD: Mould<1> = Mould::new();
        let reference = Bound::new(py, Self::new(job.clone(), name.map(Bound::unbind)))?;
        let home = job.home();
        let event_loop = home.event_loop(py);
        let class = imports::handle_type(py)?.cast::<PyType>()?;
        let handle = MOULD.cast(class, event_loop, [reference.as_any()], || {
            // As its class would do it, in a third of the time.
            let handle = imports::new_handle(py)?.call1((class,))?;
            imports::init_future(py)?.call((&handle,), Some(home.of_future(py)?))?;
            handle.setattr(intern!(py, "_job"), &reference)?;
            Ok(handle)
        })?;
        Ok((handle, reference.unbind()))
    }

    /// Delivers the outcome of a job that was cancelled before it started at once, if its loop runs
    /// here: what is on its way to the loop for it then finds nothing.
    pub(crate) fn deliver_here(py: Python<'_>, job: Arc<Job>) {
        if job.home().is_here(py) {
            job.deliver(py);
        }
    }

    fn job(&self) -> Option<Arc<Job>> {
        lock(&self.job).clone()
    }

    fn let_go(&self) {
        let job = lock(&self.job).take();
        drop(job);
    }

    fn given_name(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.name).as_ref().map(|name| name.clone_ref(py))
    }

    fn task<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.job().and_then(|job| job.task(py))
    }
}

#[pymethods]
impl JobRef {
    /// Asks the job to end. Returns whether it can be asked: it cannot once it has ended.
    #[pyo3(signature = (msg=None))]
    fn cancel(&self, py: Python<'_>, msg: Option<Py<PyAny>>) -> bool {
        let Some(job) = self.job() else { return false };
        match job.cancel(py, msg) {
            Cancel::Unstarted => {
                Self::deliver_here(py, job);
                true
            }
            Cancel::Requested => true,
            Cancel::TooLate => false,
        }
    }

    /// How often it was asked to end.
    fn cancelling(&self) -> usize {
        self.cancel_requests.load(Ordering::Relaxed)
    }

    /// Takes one such request back, in the count. Returns the new count.
    fn uncancel(&self) -> usize {
        let lower = |count: usize| count.checked_sub(1);
        self.cancel_requests
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, lower)
            .map_or(0, |count| count - 1)
    }

    /// The task on the worker, while that runs and has suspended.
    #[pyo3(name = "task")]
    fn suspended_task<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.task(py)
    }

    /// The coroutine, once there is one and until the job has ended.
    fn coroutine(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let Some(job) = self.job() else { return Ok(None) };
        if let Some(coroutine) = job.spec(|spec| spec.source.made(py)) {
            return Ok(coroutine);
        }
        let task = job.task(py);
        task.map(|task| Ok(task.call_method0(intern!(py, "get_coro"))?.unbind())).transpose()
    }

    /// The context that it runs in, until it has ended.
    fn context(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let Some(job) = self.job() else { return Ok(None) };
        if let Some(context) = job.waiting_context(py)? {
            return Ok(Some(context));
        }
        // Before 3.12 a task does not tell its context.
        let task = job.task(py).filter(|_| crate::imports::version(py) >= (3, 12));
        task.map(|task| Ok(task.call_method0(intern!(py, "get_context"))?.unbind())).transpose()
    }

    /// The name of the task: that of the task on the worker while that has suspended, otherwise the
    /// one that it was given, if it was.
    fn name(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let Some(task) = self.task(py) else { return Ok(self.given_name(py)) };
        let name = task.call_method0(intern!(py, "get_name"))?.unbind();
        // Once told, it is the name for good.
        let old = lock(&self.name).replace(name.clone_ref(py));
        drop(old);
        Ok(Some(name))
    }

    /// Gives the task another name.
    fn rename(&self, py: Python<'_>, name: Py<PyAny>) -> PyResult<()> {
        if let Some(task) = self.task(py) {
            task.call_method1(intern!(py, "set_name"), (&name,))?;
        }
        let old = lock(&self.name).replace(name);
        drop(old);
        Ok(())
    }

    /// Whether the code that asks is that of the task.
    fn is_current(&self, py: Python<'_>) -> PyResult<bool> {
        self.job().map_or(Ok(false), |job| job.is_current(py))
    }

    /// The name of the worker that runs it, while one does.
    fn worker(&self) -> Option<String> {
        let worker = self.job().and_then(|job| job.worker());
        worker.map(|worker| worker.handle().name().to_owned())
    }

    /// A task of another loop awaits the handle: it shows in call graphs.
    fn add_awaiter(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(job) = self.job() else { return Ok(()) };
        if let Some(HandlePlace(place)) = job.handle_place()
            && let Some(settling) = &mut *lock(place)
        {
            settling.awaiters.push(task.clone().unbind());
        }
        // A job that starts right now draws the edges of all that it finds; twice is once.
        job.awaited_by(task, true)
    }

    /// It awaits it no more.
    fn remove_awaiter(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(job) = self.job() else { return Ok(()) };
        if let Some(HandlePlace(place)) = job.handle_place() {
            let mut place = lock(place);
            let found = place.as_mut().and_then(|settling| {
                let index = settling.awaiters.iter().position(|known| known.is(task))?;
                Some(settling.awaiters.swap_remove(index))
            });
            drop(place);
            drop(found);
        }
        job.awaited_by(task, false)
    }
}
