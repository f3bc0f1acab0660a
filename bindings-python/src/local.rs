//! Jobs on the caller's own loop: the native half of an executor that has no threads.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use pyo3::{
    exceptions::{PyException, PyRuntimeError, PyValueError},
    intern,
    prelude::*,
    types::{PyDict, PyString, PyTuple, PyWeakrefReference},
};
use thrasks_pool::{Act, Roster, Ticket, WorkerId};

use crate::{
    imports,
    job::{Source, close},
    mapping::{MapJobs, MapPlace, Via},
    outcome::Outcome,
    pooled::resolve,
    sync::{in_drop, lock},
};

/// How long jobs that never suspend may hold the loop before others have a turn.
const SLICE: Duration = Duration::from_millis(1);

/// How many jobs are run between two looks at the clock.
const LOOK: u32 = 16;

/// Runs jobs as tasks of one loop, at most so many at once.
///
/// All its methods but `close` are called on the thread of the loop. The jobs hold their owner, the
/// Python object whose native half this is, as long as any of them has not ended. Otherwise nothing
/// here holds anything of Python's, the loop included, nor does a task that is left on a loop that is
/// closed: the collector does not look in here.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_LocalJobs")]
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
}

/// Where an outcome goes.
enum Target {
    Future(Py<PyAny>),
    Map(MapPlace),
}

/// What to find a job by.
#[derive(Clone, Copy)]
pub(crate) struct LocalKey {
    ticket: Ticket,
    number: u64,
}

struct Starting {
    number: u64,
    /// With which message it was asked to end meanwhile, if it was.
    cancelled_with: Option<Option<Py<PyAny>>>,
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(Source::Coroutine(coroutine)) = self.source.take() {
            in_drop(|py| close(coroutine.bind(py)));
        }
    }
}

#[pymethods]
impl LocalJobs {
    #[new]
    fn new(max_workers: usize, prefix: String) -> PyResult<Self> {
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

    /// Has a function called and the coroutine that it returns run. Returns the job's future, which
    /// is made with these keywords: `loop=` and the loop.
    fn call<'py>(
        &self,
        owner: &Bound<'py, PyAny>,
        keywords: &Bound<'py, PyDict>,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.submit(owner, keywords, Source::call(function, args, kwargs))
    }

    /// Has a coroutine run. Likewise.
    fn run<'py>(
        &self,
        owner: &Bound<'py, PyAny>,
        keywords: &Bound<'py, PyDict>,
        coroutine: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.submit(owner, keywords, Source::Coroutine(coroutine.clone().unbind()))
    }

    /// A map. `tell` is called when there are more results.
    fn map(&self, bound: Option<usize>, ordered: bool, tell: Option<Py<PyAny>>) -> MapJobs {
        MapJobs::new(Via::Loop(self.0.clone()), bound, ordered, tell)
    }

    /// Takes no more jobs. Those that are queued are cancelled, the newest first, or go on.
    fn close(&self, py: Python<'_>, cancel_queued: bool) -> PyResult<()> {
        let jobs = self.0.roster.close(cancel_queued).jobs;
        if jobs.is_empty() {
            return Ok(());
        }
        // Past the method of its own class, which would look for the job here.
        let cancel = imports::future(py)?.getattr(intern!(py, "cancel"))?;
        for mut job in jobs.into_iter().rev() {
            let target = job.target.take();
            drop(job);
            if let Some(Target::Future(future)) = target {
                cancel.call1((future,))?;
            }
        }
        self.0.tell_if_idle(py)
    }

    /// Asks the jobs that run to end, the newest first.
    fn cancel_running(&self, py: Python<'_>) -> PyResult<()> {
        let mut running: Vec<_> = lock(&self.0.running)
            .iter()
            .map(|(number, task)| (*number, task.clone_ref(py)))
            .collect();
        running.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        for (_, task) in running {
            if let Some(task) = task.bind(py).upgrade() {
                task.call_method0(intern!(py, "cancel"))?;
            }
        }
        Ok(())
    }

    /// Whether this task is a job that has suspended.
    fn is_job(&self, task: &Bound<'_, PyAny>) -> bool {
        let py = task.py();
        let tasks: Vec<_> = lock(&self.0.running).values().map(|task| task.clone_ref(py)).collect();
        tasks.iter().any(|known| known.bind(py).upgrade().is_some_and(|known| known.is(task)))
    }

    /// Resolves a future when no job is left.
    fn wait(&self, py: Python<'_>, future: Py<PyAny>) -> PyResult<()> {
        lock(&self.0.waiters).push(future);
        self.0.tell_if_idle(py)
    }

    /// How many jobs run, and how many are queued.
    fn counts(&self) -> (usize, usize) {
        let stats = self.0.roster.stats();
        (stats.running, stats.queued)
    }
}

impl LocalJobs {
    fn submit<'py>(
        &self,
        owner: &Bound<'py, PyAny>,
        keywords: &Bound<'py, PyDict>,
        source: Source,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = owner.py();
        let shared = &self.0;
        let future = imports::pooled_task(py)?.call((), Some(keywords))?;
        let target = Target::Future(future.clone().unbind());
        let key = shared.push(owner, || keywords.as_any().get_item("loop"), source, target)?;
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
        event_loop: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
        source: Source,
        target: Target,
    ) -> PyResult<LocalKey> {
        let py = owner.py();
        let number = self.jobs.fetch_add(1, Ordering::Relaxed);
        let context = imports::copy_context(py)?.call0()?.unbind();
        let job = Job { number, target: Some(target), source: Some(source), context };
        let submitted = self.roster.submit(job).map_err(|mut refused| {
            if let Some(Target::Map(place)) = refused.job.target.take() {
                place.vacate(py);
            }
            PyRuntimeError::new_err("cannot schedule new futures after shutdown")
        })?;
        // None of the workers waits: who finds no job leaves.
        if let Act::Start(id) = submitted.act {
            let name = format!("{}_{}", self.prefix, id.index());
            let worker = Worker {
                shared: self.clone(),
                id,
                name: PyString::new(py, &name).unbind(),
                current: Mutex::default(),
                event_loop: event_loop()?.unbind(),
                _owner: owner.clone().unbind(),
            };
            Worker::call_soon(&Bound::new(py, worker)?)?;
        }
        Ok(LocalKey { ticket: submitted.ticket, number })
    }

    /// Runs something, the outcome of which goes to its place in a map.
    pub(crate) fn run_for(
        self: &Arc<Self>,
        owner: &Bound<'_, PyAny>,
        event_loop: &Bound<'_, PyAny>,
        source: Source,
        place: MapPlace,
    ) -> PyResult<LocalKey> {
        self.push(owner, || Ok(event_loop.clone()), source, Target::Map(place))
    }

    /// Asks a job to end. Returns whether it could be asked; `None` if it will not run, or is not
    /// there any more.
    pub(crate) fn cancel(
        &self,
        py: Python<'_>,
        key: LocalKey,
        message: Option<Py<PyAny>>,
    ) -> PyResult<Option<bool>> {
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

    fn tell_if_idle(&self, py: Python<'_>) -> PyResult<()> {
        let stats = self.roster.stats();
        if stats.running + stats.queued > 0 {
            return Ok(());
        }
        let waiters = std::mem::take(&mut *lock(&self.waiters));
        waiters.iter().try_for_each(|waiter| resolve(waiter.bind(py)))
    }
}

/// One of the workers, while it has jobs: the callback with which it takes up work, and that of the
/// task that it runs.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_PoolWorker")]
struct Worker {
    shared: Arc<Shared>,
    id: WorkerId,
    /// What its tasks are called.
    name: Py<PyString>,
    /// The number of the job whose task has suspended, and where its outcome goes.
    current: Mutex<Option<(u64, Target)>>,
    event_loop: Py<PyAny>,
    _owner: Py<PyAny>,
}

#[pymethods]
impl Worker {
    /// Runs jobs until one suspends. `task`: the one that has done so, and has ended.
    #[pyo3(signature = (task=None))]
    fn __call__(slf: &Bound<'_, Self>, task: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let this = slf.get();
        if let Some(task) = task
            && let Some(outcome) = Outcome::of(task)?
        {
            this.ended(task, outcome)?;
        }
        this.work(slf)
    }
}

impl Worker {
    /// Has the worker take up work in the next turn of the loop.
    fn call_soon(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        slf.get().event_loop.call_method1(py, intern!(py, "call_soon"), (slf,))?;
        Ok(())
    }

    fn work(&self, slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let start = Instant::now();
        let mut jobs = 0;
        while let Some(job) = self.shared.roster.next_or_retire(self.id) {
            match self.start(slf, job) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => {
                    // As of any task of asyncio, it stops the loop; which may go on.
                    Self::call_soon(slf)?;
                    return Err(error);
                }
            }
            jobs += 1;
            if jobs % LOOK == 0 && start.elapsed() >= SLICE {
                return Self::call_soon(slf);
            }
        }
        self.shared.tell_if_idle(py)
    }

    /// Starts a job. Returns whether it has ended.
    ///
    /// # Errors
    ///
    /// It has raised `KeyboardInterrupt` or `SystemExit`, which is its outcome, too.
    fn start(&self, slf: &Bound<'_, Self>, mut job: Job) -> PyResult<bool> {
        let py = slf.py();
        let (Some(source), Some(target)) = (job.source.take(), job.target.take()) else {
            return Ok(true);
        };
        let number = job.number;
        lock(&self.shared.starting).push(Starting { number, cancelled_with: None });
        let made = source.coroutine(py).and_then(|coroutine| {
            drop(source);
            let args = (&self.event_loop, coroutine, &self.name, &job.context);
            imports::make_local_task(py)?.call1(args)
        });
        let starting = lock(&self.shared.starting).pop();
        let cancelled_with = starting.and_then(|starting| starting.cancelled_with);
        let task = match made {
            Ok(task) => task,
            Err(error) => {
                let outcome = Outcome::Error(error.value(py).clone().into_any().unbind());
                target.settle(py, outcome)?;
                let goes_on = error.is_instance_of::<PyException>(py);
                return if goes_on { Ok(true) } else { Err(error) };
            }
        };
        match (Outcome::of(&task)?, cancelled_with) {
            // As a task that cancels itself and then returns.
            (Some(Outcome::Value(_)), Some(message)) => {
                target.settle(py, Outcome::Cancelled(message))?;
                Ok(true)
            }
            (Some(outcome), _) => {
                target.settle(py, outcome)?;
                Ok(true)
            }
            (None, cancelled_with) => {
                let reference = PyWeakrefReference::new(&task)?.unbind();
                lock(&self.shared.running).insert(number, reference);
                target.awaits(&task, true)?;
                *lock(&self.current) = Some((number, target));
                task.call_method1(intern!(py, "add_done_callback"), (slf,))?;
                if let Some(message) = cancelled_with {
                    task.call_method1(intern!(py, "cancel"), (message,))?;
                }
                Ok(false)
            }
        }
    }

    /// The task has ended.
    fn ended(&self, task: &Bound<'_, PyAny>, outcome: Outcome) -> PyResult<()> {
        let Some((number, target)) = lock(&self.current).take() else { return Ok(()) };
        let running = lock(&self.shared.running).remove(&number);
        drop(running);
        target.awaits(task, false)?;
        target.settle(task.py(), outcome)
    }
}

impl Target {
    /// Delivers an outcome. A future may have been made done by somebody else.
    fn settle(self, py: Python<'_>, outcome: Outcome) -> PyResult<()> {
        let future = match &self {
            Self::Future(future) => future.bind(py),
            Self::Map(place) => {
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
        match self {
            Self::Future(future) => imports::set_awaited_by(task, future.bind(task.py()), awaits),
            // Whoever takes the results awaits none of them.
            Self::Map(_) => Ok(()),
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
