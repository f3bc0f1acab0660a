//! The process's threads for blocking code: Python threads, as the loops' are.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use pyo3::prelude::*;
use thrasks_bridge::{BlockingPool, OwnThread};
use thrasks_loop::{Join, ThreadSpec};

use crate::{
    imports,
    sync::lock,
    threads::{ThreadMain, blocking},
};

/// How long a thread of the pool waits for the next job before it ends.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How often an idle thread looks whether it is to let go of objects.
const PULSE: Duration = Duration::from_millis(500);

/// The threads of one process. A forked child starts anew.
#[derive(Default)]
pub(crate) struct Blocking {
    pool: OnceLock<BlockingPool>,
    numbers: AtomicUsize,
    /// The threads of their own that run.
    own: Arc<Names>,
    pub(crate) runs: Runs,
}

/// Of each its name, and whether it is to be left behind when the interpreter exits.
#[derive(Default)]
struct Names(Mutex<Vec<(String, bool)>>);

impl Names {
    /// Those that nobody waits for.
    fn detached(&self) -> Vec<String> {
        let names = lock(&self.0);
        names.iter().filter(|(_, detach)| *detach).map(|(name, _)| name.clone()).collect()
    }
}

impl Blocking {
    /// The pool.
    pub(crate) fn pool(&self) -> &BlockingPool {
        self.pool.get_or_init(|| {
            BlockingPool::builder()
                .name("thrasks-blocking")
                .keep_alive(KEEP_ALIVE)
                .spawn_hook(|spec| start(spec, true))
                .idle_hook(PULSE, breathe)
                .build()
                .expect("the options are constants")
        })
    }

    /// A thread for one job.
    pub(crate) fn own(&self, detach: bool) -> OwnThread {
        let name = format!("thrasks-separate-{}", self.numbers.fetch_add(1, Ordering::Relaxed));
        let names = self.own.clone();
        OwnThread::new().name(name).spawn_hook(move |spec| {
            let ThreadSpec { name, stack_size, main } = spec;
            let entry = Entry::new(&names, &name, detach);
            let main = Box::new(move || {
                let _entry = entry;
                main();
            });
            start(ThreadSpec { name, stack_size, main }, detach)
        })
    }
}

/// The name of a thread, from its start to its end.
struct Entry {
    names: Arc<Names>,
    name: String,
}

impl Entry {
    fn new(names: &Arc<Names>, name: &str, detach: bool) -> Self {
        lock(&names.0).push((name.to_owned(), detach));
        Self { names: names.clone(), name: name.to_owned() }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.names.0).retain(|(name, _)| *name != self.name);
    }
}

/// Makes a Python thread.
fn start(spec: ThreadSpec, daemon: bool) -> io::Result<Join> {
    Python::attach(|py| {
        let main = ThreadMain::new(spec.main);
        imports::start_thread(py)
            .and_then(|start| start.call1((main, &spec.name, daemon)))
            .map(Bound::unbind)
            .map(|thread| {
                Box::new(move || {
                    Python::attach(|py| {
                        // Its `main` has returned: a join only waits for Python's own last words.
                        let _ = thread.call_method0(py, "join");
                    });
                }) as Join
            })
            .map_err(io::Error::other)
    })
}

/// Runs a little Python code: an idle thread lets go of objects whose last reference was dropped on
/// other threads.
fn breathe() {
    Python::attach(|py| {
        let _ = imports::breathe(py).and_then(|breathe| breathe.call0());
    });
}

/// Something that goes on on a thread until it is told to stop.
pub(crate) trait Run: Send + Sync {
    /// Asks it to.
    fn stop(&self);
}

/// The iterators and generators that are under way, to be stopped when the interpreter exits.
#[derive(Default)]
pub(crate) struct Runs {
    under_way: Mutex<Vec<Weak<dyn Run>>>,
    ended: Condvar,
}

impl Runs {
    /// One has begun.
    pub(crate) fn begin(&self, run: Weak<dyn Run>) {
        lock(&self.under_way).push(run);
    }

    /// One has ended.
    pub(crate) fn end(&self, run: &Weak<dyn Run>) {
        lock(&self.under_way).retain(|other| !other.ptr_eq(run));
        self.ended.notify_all();
    }

    /// Stops all, and waits until they have ended.
    fn stop(&self, deadline: Instant) {
        let under_way: Vec<_> = lock(&self.under_way).iter().filter_map(Weak::upgrade).collect();
        for run in under_way {
            run.stop();
        }
        let mut under_way = lock(&self.under_way);
        while !under_way.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            under_way = self
                .ended
                .wait_timeout(under_way, left)
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .0;
        }
    }
}

/// One of them, from its beginning to its end.
pub(crate) struct UnderWay {
    blocking: &'static Blocking,
    run: Weak<dyn Run>,
}

impl UnderWay {
    pub(crate) fn new(run: Weak<dyn Run>) -> Self {
        let blocking = blocking();
        blocking.runs.begin(run.clone());
        Self { blocking, run }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.blocking.runs.end(&self.run);
    }
}

/// What the threads for blocking code are at: how many jobs the pool does at once at most, how many
/// threads it has, how many jobs wait for one of them, how many it is at (those that wait for
/// something included), how many threads of their own there are, and how many iterators and
/// generators are under way.
#[pyfunction]
pub(crate) fn blocking_counts() -> (usize, usize, usize, usize, usize, usize) {
    let blocking = blocking();
    let pool = blocking.pool().stats();
    let own = lock(&blocking.own.0).len();
    let under_way = lock(&blocking.runs.under_way).len();
    (pool.cap, pool.threads, pool.queued, pool.running + pool.waiting, own, under_way)
}

/// Stops what runs on threads for blocking code, as far as it can be stopped, and waits, at most
/// `patience` seconds, until the rest has ended. Returns the names of the threads that are left.
///
/// Called as the interpreter begins to shut down. Calls that wait for a thread are cancelled.
#[pyfunction]
pub(crate) fn stop_blocking(py: Python<'_>, patience: f64) -> Vec<String> {
    let deadline = Instant::now() + Duration::try_from_secs_f64(patience).unwrap_or_default();
    let blocking = blocking();
    // What is dropped by this belongs to Python: attached, until there is something to wait for.
    let pool = blocking.pool.get();
    if let Some(pool) = pool {
        pool.close_now();
    }
    py.detach(|| {
        blocking.runs.stop(deadline);
        // The interpreter waits for the others, however long it takes.
        let mut left = blocking.own.detached();
        if let Some(pool) = pool
            && !pool.wait_closed(Some(deadline))
        {
            left.extend(pool.running_threads());
        }
        left
    })
}
