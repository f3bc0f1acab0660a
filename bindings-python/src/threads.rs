//! The process's loop threads: made as Python threads, kept warm between leases, ended with the
//! interpreter.

use std::{
    io,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use pyo3::prelude::*;
use thrasks_loop::{Builder, LoopCache, LoopHandle, LoopThread};

use crate::{
    bridge::Blocking,
    imports,
    orders::Order,
    sync::lock,
    worker::{AsyncioDriver, Worker},
};

/// What tells one kind of loop from another: the address of its loop factory, which the threads
/// that it made keep alive, or 0 for the default loop.
pub(crate) type Kind = usize;

/// What a process knows of its threads. A forked child starts with a new one: the threads of the old
/// one are not there, and its locks may be held for ever by threads that are not there either.
#[derive(Default)]
struct Process {
    cache: LoopCache<Kind, Order>,
    workers: Mutex<Vec<Weak<Worker>>>,
    blocking: Blocking,
    forked: OnceLock<Box<Process>>,
}

static FIRST: OnceLock<Process> = OnceLock::new();
static FORKS: AtomicUsize = AtomicUsize::new(0);
static NAMES: AtomicUsize = AtomicUsize::new(0);

fn process() -> &'static Process {
    let mut process = FIRST.get_or_init(Process::default);
    for _ in 0..FORKS.load(Ordering::Acquire) {
        process = process.forked.get_or_init(Box::default);
    }
    process
}

/// The loops that wait for their next lease.
pub(crate) fn cache() -> &'static LoopCache<Kind, Order> {
    &process().cache
}

/// The threads for blocking code.
pub(crate) fn blocking() -> &'static Blocking {
    &process().blocking
}

/// So many loop threads, warm ones first.
pub(crate) fn lease(
    py: Python<'_>,
    count: usize,
    loop_factory: Option<&Bound<'_, PyAny>>,
) -> PyResult<(Kind, Vec<LoopThread<Order>>)> {
    let kind = loop_factory.map_or(0, |factory| factory.as_ptr() as Kind);
    let mut threads = cache().take(&kind, count);
    while threads.len() < count {
        threads.push(start(py, loop_factory)?);
    }
    Ok((kind, threads))
}

fn start(py: Python<'_>, loop_factory: Option<&Bound<'_, PyAny>>) -> PyResult<LoopThread<Order>> {
    let worker = Worker::new();
    let driver = AsyncioDriver {
        worker: worker.clone(),
        loop_factory: loop_factory.map(|factory| factory.clone().unbind()),
    };
    let name = format!("thrasks-loop-{}", NAMES.fetch_add(1, Ordering::Relaxed));
    let start = imports::start_thread(py)?.clone().unbind();
    let thread = Builder::new()
        .name(name)
        .spawn_hook(move |spec| {
            Python::attach(|py| {
                let main = ThreadMain::new(spec.main);
                let thread = start.call1(py, (main, &spec.name)).map_err(io::Error::other)?;
                Ok(Box::new(move || {
                    Python::attach(|py| {
                        // Its `main` has returned: a join only waits for Python's own last words.
                        let _ = thread.call_method0(py, "join");
                    });
                }) as _)
            })
        })
        .start_with(driver)
        .map_err(|error| match error.downcast::<PyErr>() {
            Ok(error) => error,
            Err(error) => error.into(),
        })?;
    worker.set_handle(thread.handle());
    let mut workers = lock(&process().workers);
    workers.retain(|worker| worker.strong_count() > 0);
    workers.push(Arc::downgrade(&worker));
    Ok(thread)
}

/// The workers on these loops.
pub(crate) fn workers_of(threads: &[LoopThread<Order>]) -> Vec<Arc<Worker>> {
    let all: Vec<_> = lock(&process().workers).iter().filter_map(Weak::upgrade).collect();
    let of = |handle: LoopHandle<Order>| all.iter().find(|one| one.handle().is_same(&handle));
    threads.iter().filter_map(|thread| of(thread.handle()).cloned()).collect()
}

/// What a Python thread runs: its `main`, once.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_ThreadMain")]
pub(crate) struct ThreadMain {
    main: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl ThreadMain {
    pub(crate) fn new(main: Box<dyn FnOnce() + Send>) -> Self {
        Self { main: Mutex::new(Some(main)) }
    }
}

#[pymethods]
impl ThreadMain {
    fn __call__(&self, py: Python<'_>) {
        let main = lock(&self.main).take();
        if let Some(main) = main {
            // It attaches where it needs Python, and mostly it waits.
            py.detach(main);
        }
    }
}

/// Stops every loop thread and waits, at most `patience` seconds, until they have ended. What runs
/// on them is cancelled. Returns the names of those that did not stop.
///
/// Called once, as the interpreter begins to shut down. The threads are daemons: one that is stuck
/// in synchronous code keeps nobody from exiting.
#[pyfunction]
pub(crate) fn stop_all_loops(py: Python<'_>, patience: f64) -> Vec<String> {
    let deadline = Instant::now() + Duration::try_from_secs_f64(patience).unwrap_or_default();
    let idle = cache().close();
    let workers: Vec<_> = lock(&process().workers).iter().filter_map(Weak::upgrade).collect();
    for worker in &workers {
        worker.handle().stop();
    }
    py.detach(move || {
        let unstopped = workers
            .iter()
            .map(|worker| worker.handle())
            .filter(|handle| !handle.is_this_thread() && !handle.wait_exit(Some(deadline)))
            .map(|handle| handle.name().to_owned())
            .collect();
        drop(idle);
        unstopped
    })
}

/// In a forked child: forgets the threads, which stayed with the parent.
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    FORKS.fetch_add(1, Ordering::Release);
    crate::trace::after_fork();
}

/// How many loop threads wait for their next lease.
#[pyfunction]
pub(crate) fn idle_loops() -> usize {
    cache().len()
}

/// The workers that have a loop: the names of their threads, and the loops.
#[pyfunction]
pub(crate) fn worker_loops(py: Python<'_>) -> Vec<(String, Py<PyAny>)> {
    let workers: Vec<_> = lock(&process().workers).iter().filter_map(Weak::upgrade).collect();
    workers
        .iter()
        .filter_map(|worker| {
            let event_loop = worker.running_loop(py)?;
            Some((worker.handle().name().to_owned(), event_loop.unbind()))
        })
        .collect()
}
