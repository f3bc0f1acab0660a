//! Jobs on the caller's own loop: the native half of an executor that has no threads.

mod carrier;
mod worker;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use pyo3::{
    exceptions::{PyRuntimeError, PyValueError},
    intern,
    prelude::*,
    types::{PyDict, PyTuple, PyType, PyWeakrefReference},
};
use thrasks_pool::{Act, Roster, Ticket};

pub(crate) use self::carrier::LocalCarrier;
use self::worker::Worker;
use crate::{
    imports,
    mapping::{MapJobs, MapPlace, Via},
    mould::Mould,
    outcome::Outcome,
    spec::{Source, close},
    sync::{in_drop, lock},
    team::resolve,
    trace::{self, End, TaskId},
};

/// Runs jobs as tasks of one loop, at most so many at once: the base of the Python class that owns it.
///
/// All its methods but `close` are called on the thread of the loop. The jobs hold their owner, the
/// Python object whose native half this is, as long as any of them has not ended. Otherwise nothing
/// here holds anything of Python's, the loop included, nor does a task that is left on a loop that is
/// closed: the collector does not look in here.
#[pyclass(frozen, subclass, module = "thrasks._thrasks", name = "LocalJobsBase")]
pub(crate) struct LocalJobs(Arc<Shared>);

/// What the jobs of one executor on one loop share.
pub(crate) struct Shared {
    prefix: String,
    roster: Roster<Job>,
    /// The tasks that have suspended, by the numbers of their jobs.
    running: Mutex<HashMap<u64, Py<PyWeakrefReference>>>,
    /// The jobs whose first steps are under way, one within the other.
    starting: Mutex<Vec<Starting>>,
    /// How many jobs there have been.
    jobs: AtomicU64,
    /// Futures of the loop, to be resolved when nothing is left.
    waiters: Mutex<Vec<Py<PyAny>>>,
}

/// A job in the queue. Dropped there, its coroutine is closed.
struct Job {
    /// Later ones have greater numbers.
    number: u64,
    /// These two until the job starts.
    target: Option<Target>,
    source: Option<Source>,
    context: Py<PyAny>,
    /// The job, as a trace knows it: until it starts, too.
    traced: TaskId,
}

/// Where an outcome goes, and the job as a trace knows it.
struct Target {
    to: To,
    traced: TaskId,
}

enum To {
    Future(Py<PyAny>),
    Map(MapPlace),
}

/// What to find a job by.
#[derive(Clone, Copy)]
pub(crate) struct LocalKey {
    ticket: Ticket,
    number: u64,
    traced: TaskId,
}

struct Starting {
    number: u64,
    cancelled_with: CancelledWith,
}

/// With which message a job was asked to end during its first step, if it was.
type CancelledWith = Option<Option<Py<PyAny>>>;

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(Source::Coroutine(coroutine)) = self.source.take() {
            in_drop(|py| close(coroutine.bind(py)));
        }
        self.traced.end(End::Cancelled);
    }
}

#[pymethods]
impl LocalJobs {
    #[new]
    fn new(_event_loop: &Bound<'_, PyAny>, max_workers: usize, prefix: String) -> PyResult<Self> {
        if max_workers == 0 {
            return Err(PyValueError::new_err("max_workers must be greater than 0"));
        }
        Ok(Self(Arc::new(Shared {
            prefix,
            roster: Roster::new(max_workers),
            running: Mutex::default(),
            starting: Mutex::default(),
            jobs: AtomicU64::new(0),
            waiters: Mutex::default(),
        })))
    }

    /// Call a function where the job runs, and await what it returns. Returns the job's future.
    fn call<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let kwargs = Some(kwargs).filter(|kwargs| !kwargs.is_empty());
        Self::submit(slf, Source::call(function, args, kwargs))
    }

    /// Has a coroutine run. Likewise.
    fn _run<'py>(
        slf: &Bound<'py, Self>,
        coroutine: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::submit(slf, Source::Coroutine(coroutine.clone().unbind()))
    }

    /// A map. `tell` is called when there are more results.
    fn _map(&self, bound: Option<usize>, ordered: bool, tell: Option<Py<PyAny>>) -> MapJobs {
        MapJobs::new(Via::Loop(self.0.clone()), bound, ordered, tell)
    }

    /// Takes no more jobs. Those that are queued are cancelled, the newest first, or go on.
    fn _close(&self, py: Python<'_>, cancel_queued: bool) -> PyResult<()> {
        let jobs = self.0.roster.close(cancel_queued).jobs;
        if jobs.is_empty() {
            return Ok(());
        }
        // Past the method of its own class, which would look for the job here.
        let cancel = imports::future(py)?.getattr(intern!(py, "cancel"))?;
        for mut job in jobs.into_iter().rev() {
            let target = job.target.take();
            drop(job);
            if let Some(Target { to: To::Future(future), .. }) = target {
                cancel.call1((future,))?;
            }
        }
        self.0.tell_if_idle(py)
    }

    /// Asks the jobs that run to end, the newest first.
    fn _cancel_running(&self, py: Python<'_>) -> PyResult<()> {
        let mut running: Vec<_> = lock(&self.0.running)
            .iter()
            .map(|(number, task)| (*number, task.clone_ref(py)))
            .collect();
        running.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        for (_, task) in running {
            if let Some(task) = task.bind(py).upgrade() {
                if trace::is_on() {
                    trace::of_task(&task).request_cancel();
                }
                task.call_method0(intern!(py, "cancel"))?;
            }
        }
        Ok(())
    }

    /// Whether this task is a job that has suspended.
    fn _is_job(&self, task: &Bound<'_, PyAny>) -> bool {
        let py = task.py();
        let tasks: Vec<_> = lock(&self.0.running).values().map(|task| task.clone_ref(py)).collect();
        tasks.iter().any(|known| known.bind(py).upgrade().is_some_and(|known| known.is(task)))
    }

    /// Resolves a future when no job is left.
    fn _wait(&self, py: Python<'_>, future: Py<PyAny>) -> PyResult<()> {
        lock(&self.0.waiters).push(future);
        self.0.tell_if_idle(py)
    }

    /// How many jobs run, and how many are queued.
    fn _counts(&self) -> (usize, usize) {
        let stats = self.0.roster.stats();
        (stats.running, stats.queued)
    }
}

impl LocalJobs {
    /// Submits a job. Returns its future, which is made for the loop of the owner.
    fn submit<'py>(slf: &Bound<'py, Self>, source: Source) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let shared = &slf.get().0;
        static MOULD: Mould<0> = Mould::new();
        let event_loop = slf.getattr(intern!(py, "loop"))?;
        let class = imports::pooled_task(py)?.cast::<PyType>()?;
        let future = MOULD.cast(class, &event_loop, [], || {
            let keywords = PyDict::new(py);
            keywords.set_item(intern!(py, "loop"), &event_loop)?;
            class.call((), Some(&keywords))
        })?;
        let target = To::Future(future.clone().unbind());
        let key = shared.push(slf.as_any(), || Ok(event_loop.clone()), source, target)?;
        let reference = LocalRef { shared: Arc::downgrade(shared), key };
        future.setattr(intern!(py, "_job"), Bound::new(py, reference)?)?;
        Ok(future)
    }
}

impl Shared {
    /// Queues a job, and has a worker come for it.
    fn push<'py>(
        self: &Arc<Self>,
        owner: &Bound<'py, PyAny>,
        event_loop: impl Fn() -> PyResult<Bound<'py, PyAny>>,
        source: Source,
        to: To,
    ) -> PyResult<LocalKey> {
        let py = owner.py();
        let traced = trace::accept();
        if traced.is_traced() {
            trace::enter_loop(py);
            trace::watch_loop(&event_loop()?);
            traced.rename(trace::name_of(py, &source));
        }
        let number = self.jobs.fetch_add(1, Ordering::Relaxed);
        let context = imports::copy_context(py)?.call0()?.unbind();
        let target = Some(Target { to, traced });
        let job = Job { number, target, source: Some(source), context, traced };
        let submitted = self.roster.submit(job).map_err(|mut refused| {
            if let Some(Target { to: To::Map(place), .. }) = refused.job.target.take() {
                place.vacate(py);
            }
            PyRuntimeError::new_err("cannot schedule new futures after shutdown")
        })?;
        // None of the workers waits: who finds no job leaves.
        if let Act::Start(id) = submitted.act {
            let name = format!("{}_{}", self.prefix, id.index());
            Worker::begin(self, id, &name, event_loop()?, owner)?;
        }
        Ok(LocalKey { ticket: submitted.ticket, number, traced })
    }

    /// Runs something, the outcome of which goes to its place in a map.
    pub(crate) fn run_for(
        self: &Arc<Self>,
        owner: &Bound<'_, PyAny>,
        event_loop: &Bound<'_, PyAny>,
        source: Source,
        place: MapPlace,
    ) -> PyResult<LocalKey> {
        self.push(owner, || Ok(event_loop.clone()), source, To::Map(place))
    }

    /// Asks a job to end. Returns whether it could be asked; `None` if it will not run, or is not
    /// there any more.
    pub(crate) fn cancel(
        &self,
        py: Python<'_>,
        key: LocalKey,
        message: Option<Py<PyAny>>,
    ) -> PyResult<Option<bool>> {
        key.traced.request_cancel();
        if let Some(job) = self.roster.remove(key.ticket) {
            drop(job);
            self.tell_if_idle(py)?;
            return Ok(None);
        }
        let task = lock(&self.running).get(&key.number).map(|task| task.clone_ref(py));
        if let Some(task) = task.and_then(|task| task.bind(py).upgrade()) {
            return task.call_method1(intern!(py, "cancel"), (message,))?.is_truthy().map(Some);
        }
        let mut starting = lock(&self.starting);
        let Some(own) = starting.iter_mut().find(|own| own.number == key.number) else {
            return Ok(None);
        };
        let old = own.cancelled_with.replace(message);
        drop(starting);
        drop(old);
        Ok(Some(true))
    }

    /// Takes note that the first step of a job begins.
    fn first_step_begins(&self, number: u64) {
        lock(&self.starting).push(Starting { number, cancelled_with: None });
    }

    /// That it has ended.
    fn first_step_ends(&self) -> CancelledWith {
        lock(&self.starting).pop().and_then(|starting| starting.cancelled_with)
    }

    fn tell_if_idle(&self, py: Python<'_>) -> PyResult<()> {
        let stats = self.roster.stats();
        if stats.running + stats.queued > 0 {
            return Ok(());
        }
        let waiters = std::mem::take(&mut *lock(&self.waiters));
        waiters.iter().try_for_each(|waiter| resolve(waiter.bind(py)))
    }
}

impl Job {
    /// What is to be run, and where its outcome goes: once.
    fn take(&mut self) -> Option<(Source, Target)> {
        self.traced = TaskId::NONE;
        self.source.take().zip(self.target.take())
    }
}

impl Target {
    /// Delivers an outcome. A future may have been made done by somebody else.
    fn settle(self, py: Python<'_>, outcome: Outcome) -> PyResult<()> {
        if self.traced.is_traced() {
            trace::ended(self.traced, None, &outcome);
        }
        let future = match &self.to {
            To::Future(future) => future.bind(py),
            To::Map(place) => {
                place.put(py, outcome);
                return Ok(());
            }
        };
        let settled = match outcome {
            Outcome::Value(value) => future.call_method1(intern!(py, "set_result"), (value,)),
            Outcome::Error(error) => future.call_method1(intern!(py, "set_exception"), (error,)),
            // Past the method of its own class, which would look for the job here.
            Outcome::Cancelled(message) => {
                imports::future(py)?.call_method1(intern!(py, "cancel"), (future, message))
            }
        };
        match settled {
            Ok(_) => Ok(()),
            Err(_) if future.call_method0(intern!(py, "done"))?.is_truthy()? => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Draws the edge of the call graph from the task, or takes it away.
    fn awaits(&self, task: &Bound<'_, PyAny>, awaits: bool) -> PyResult<()> {
        match &self.to {
            To::Future(future) => imports::set_awaited_by(task, future.bind(task.py()), awaits),
            // Whoever takes the results awaits none of them.
            To::Map(_) => Ok(()),
        }
    }
}

/// A job as its future sees it.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_LocalJob")]
pub(crate) struct LocalRef {
    shared: Weak<Shared>,
    key: LocalKey,
}

#[pymethods]
impl LocalRef {
    /// Asks the job to end. Returns whether it could be asked; `None` if it will not run, or is not
    /// there any more.
    fn cancel(&self, py: Python<'_>, message: Option<Py<PyAny>>) -> PyResult<Option<bool>> {
        self.shared.upgrade().map_or(Ok(None), |shared| shared.cancel(py, self.key, message))
    }
}
