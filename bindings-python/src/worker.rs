//! A loop thread that runs an asyncio loop: the driver, and the worker that those who wake it know.

mod doorbell;
mod side;
mod stopwatch;
mod taking;

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Wake as _, Waker},
    time::Duration,
};

use pyo3::{
    exceptions::PyRuntimeError,
    intern,
    prelude::*,
    types::{PyDict, PyInt},
};
use thrasks_loop::{Driver, LoopHandle, Work};

use self::{
    doorbell::{Doorbell, Target},
    side::NapEnd,
};
pub(crate) use self::{side::LoopSide, stopwatch::Stopwatch};

use crate::{
    bell::Bell,
    home::Home,
    imports,
    job::Job,
    orders::Order,
    settings::Settings,
    share::Share,
    spec::{self, Source, Spec},
    sync::{Padded, lock},
    tidy::Holdings,
};

/// How long a worker takes up new jobs before its loop's I/O, timers and running tasks have a turn.
pub(crate) const SLICE: Duration = Duration::from_millis(1);

/// How many seconds a worker naps that has run out of tasks: see [`Worker::nap`].
const NAP: f64 = 0.001;

/// Runs an asyncio loop on a thread.
pub(crate) struct AsyncioDriver {
    pub(crate) worker: Arc<Worker>,
    pub(crate) loop_factory: Option<Py<PyAny>>,
}

thread_local! {
    /// The worker whose thread this is.
    static HERE: RefCell<Option<Arc<Worker>>> = const { RefCell::new(None) };
    /// What feeds it. Only its own thread ever looks.
    static WORK: RefCell<Option<Work<Order>>> = const { RefCell::new(None) };
    /// It is taking up work: it looks again before its loop sleeps, and need not be woken for what
    /// it sends to itself.
    static TAKING: Cell<bool> = const { Cell::new(false) };
    /// The keywords of the tasks of carriers, of which only the context is another each time.
    static KEYWORDS: RefCell<Option<Py<PyDict>>> = const { RefCell::new(None) };
    /// Where its loop keeps what it has, if that shows.
    static HOLDINGS: RefCell<Option<Holdings>> = const { RefCell::new(None) };
    /// What it has begun to take from and is to go on with, when it has seen to all else.
    static SHARES: RefCell<VecDeque<Share>> = const { RefCell::new(VecDeque::new()) };
    /// Who has sent the job whose first step runs here.
    static STARTING: RefCell<Option<Arc<Home>>> = const { RefCell::new(None) };
}

/// Does something with what feeds this thread, if it is a worker's.
pub(crate) fn with_work<R>(look: impl FnOnce(&Work<Order>) -> R) -> Option<R> {
    WORK.with_borrow(|work| work.as_ref().map(look))
}

/// Whether this thread is a worker's.
pub(crate) fn is_here() -> bool {
    HERE.with_borrow(Option::is_some)
}

/// Who has sent the job whose code asks, if that runs on a worker.
pub(crate) fn caller_here(py: Python<'_>) -> PyResult<Option<Arc<Home>>> {
    let Some(worker) = HERE.with_borrow(Option::clone) else { return Ok(None) };
    if let Some(home) = STARTING.with_borrow(Option::clone) {
        return Ok(Some(home));
    }
    let task = imports::current_task(py)?.call0()?;
    let suspended = worker.suspended_jobs();
    let current = suspended.iter().find(|job| job.task(py).is_some_and(|own| own.is(&task)));
    Ok(current.map(|job| job.home().clone()))
}

/// What a worker's thread, its jobs and those who wake it share.
pub(crate) struct Worker {
    doorbell: Arc<Doorbell>,
    /// Set before the thread starts.
    handle: OnceLock<LoopHandle<Order>>,
    /// The loop, while it is there. Emptied with the thread's end: a task that was left behind on
    /// it refers to this worker.
    side: Mutex<Option<Side>>,
    /// What its loop watches, if it does, until the thread ends.
    bell: Mutex<Option<Arc<Bell>>>,
    /// It sleeps, for a short while, though its work's signal is raised: see [`Worker::nap`]. Those who
    /// create tasks ask for each.
    napping: Padded<AtomicBool>,
    /// A timer will end a nap.
    timed: AtomicBool,
    /// The loop has been made.
    made: AtomicBool,
    /// Why the loop could not be made, until somebody is told: the exception's traceback refers to
    /// those who lease the loop.
    failure: Mutex<Option<Py<PyAny>>>,
    /// The jobs whose tasks have suspended here, by address. Only this thread changes it.
    suspended: Mutex<HashMap<usize, Arc<Job>>>,
    /// How many these are, for others to see.
    unfinished: AtomicUsize,
    /// It is to see for itself whether its loop is as it was made: see [`Worker::look`].
    looks: AtomicBool,
    /// How many jobs it had started when it saw that the loop was.
    tidy_at: AtomicU64,
    /// The loop has taken its last job, and runs on only to end what is left on it.
    leaving: AtomicBool,
    /// The loop would not be cleaned, or could not be made: it is not to be used again.
    spoilt: AtomicBool,
}

struct Side {
    event_loop: Py<PyAny>,
    /// Which version of a caller's settings it has taken over.
    settings: Option<u64>,
}

impl Driver for AsyncioDriver {
    type Job = Order;

    fn waker(&self) -> Waker {
        self.worker.doorbell.clone().into()
    }

    fn run(self, work: Work<Order>) {
        let Self { worker, loop_factory } = self;
        WORK.set(Some(work));
        HERE.set(Some(worker.clone()));
        Python::attach(|py| {
            let ran = Py::new(py, LoopSide { worker: worker.clone() })
                .and_then(|side| imports::run_worker(py)?.call1((side, loop_factory)));
            if let Err(error) = &ran {
                worker.spoil();
                error.clone_ref(py).write_unraisable(py, None);
            }
            worker.fail_suspended(py, ran.as_ref().err());
            let bell = std::mem::take(&mut *lock(&worker.doorbell.0));
            let side = lock(&worker.side).take();
            let watched = lock(&worker.bell).take();
            drop((bell, side, watched, KEYWORDS.take(), HOLDINGS.take()));
        });
        let shares = SHARES.take();
        HERE.set(None);
        // For the others.
        drop(shares);
        // Dropped here, on the thread; the worker itself lives on in whoever still knows it.
        drop(WORK.take());
    }
}

impl Worker {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            doorbell: Arc::default(),
            handle: OnceLock::new(),
            side: Mutex::new(None),
            bell: Mutex::new(None),
            napping: Padded(AtomicBool::new(false)),
            timed: AtomicBool::new(false),
            made: AtomicBool::new(false),
            failure: Mutex::new(None),
            suspended: Mutex::default(),
            unfinished: AtomicUsize::new(0),
            looks: AtomicBool::new(false),
            tidy_at: AtomicU64::new(0),
            leaving: AtomicBool::new(false),
            spoilt: AtomicBool::new(false),
        })
    }

    pub(crate) fn set_handle(&self, handle: LoopHandle<Order>) {
        let _ = self.handle.set(handle);
    }

    pub(crate) fn handle(&self) -> &LoopHandle<Order> {
        self.handle.get().expect("set before the worker is given to anybody")
    }

    pub(crate) fn is_spoilt(&self) -> bool {
        self.spoilt.load(Ordering::Acquire)
    }

    /// Whether the loop has been made, or could not be.
    pub(crate) fn is_settled(&self) -> bool {
        self.made.load(Ordering::Acquire) || self.is_spoilt()
    }

    /// Why the loop could not be made, if it could not; once.
    pub(crate) fn take_failure(&self) -> Option<Py<PyAny>> {
        lock(&self.failure).take()
    }

    /// The task of a job has suspended here.
    pub(crate) fn suspend(&self, job: &Arc<Job>) {
        let mut suspended = lock(&self.suspended);
        suspended.insert(Arc::as_ptr(job) as usize, job.clone());
        self.unfinished.store(suspended.len(), Ordering::Relaxed);
    }

    /// It has ended. On the worker's thread.
    pub(crate) fn ended(&self, job: &Arc<Job>) {
        let mut suspended = lock(&self.suspended);
        let ended = suspended.remove(&(Arc::as_ptr(job) as usize));
        let left = suspended.len();
        self.unfinished.store(left, Ordering::Relaxed);
        drop(suspended);
        drop(ended);
        if left == 0 && self.looks() {
            // When what is ready on the loop has had its turn.
            self.doorbell.wake_by_ref();
        }
    }

    /// How many jobs have suspended here, or had a moment ago.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished.load(Ordering::Relaxed)
    }

    /// The jobs whose tasks have suspended here.
    pub(crate) fn suspended_jobs(&self) -> Vec<Arc<Job>> {
        lock(&self.suspended).values().cloned().collect()
    }

    /// The loop is over: what is still on it will never end.
    fn fail_suspended(&self, py: Python<'_>, why: Option<&PyErr>) {
        let left = std::mem::take(&mut *lock(&self.suspended));
        for job in left.into_values() {
            let died = format!("the event loop of {} has died", self.handle().name());
            let error = PyRuntimeError::new_err(died);
            error.set_cause(py, why.map(|why| why.clone_ref(py)));
            job.fail(py, error);
            job.finish_on(self);
        }
    }

    /// The lease begins: whether it is somebody's own, who gives the loop back when all has ended.
    pub(crate) fn lease(&self, private: bool) {
        self.looks.store(private, Ordering::Release);
    }

    fn looks(&self) -> bool {
        self.looks.load(Ordering::Acquire)
    }

    /// Sees whether the loop is as it was made, so that it need not be woken for that. On its thread,
    /// when it has run out of work.
    ///
    /// Only this thread starts jobs. Whoever finds this many started, knowing that all have ended,
    /// knows that none has touched the loop since.
    fn look(&self, py: Python<'_>) -> PyResult<()> {
        if !self.looks() || self.unfinished() > 0 {
            return Ok(());
        }
        let started = self.handle().started();
        if started == self.tidy_at.load(Ordering::Relaxed) {
            return Ok(());
        }
        let event_loop = self.event_loop(py);
        // That of the caller is let go of when the loop is given back.
        if Self::is_tidy(&event_loop)
            && event_loop.getattr(intern!(py, "_exception_handler"))?.is_none()
        {
            self.tidy_at.store(started, Ordering::Release);
        }
        Ok(())
    }

    /// Whether this loop, the one of this thread, shows that it is as it was made, but for settings.
    pub(crate) fn is_tidy(event_loop: &Bound<'_, PyAny>) -> bool {
        let holdings = HOLDINGS.take();
        // Where the look fails, so does cleaning, which tells.
        let looks = |holdings: &Holdings| holdings.are_its_own(event_loop).unwrap_or(false);
        let tidy = holdings.as_ref().is_some_and(looks);
        HOLDINGS.set(holdings);
        tidy
    }

    /// Whether the loop is as it was made, as far as is known, all its jobs having ended; the next
    /// lease has settings of its own.
    pub(crate) fn was_left_tidy(&self) -> bool {
        let tidy = self.tidy_at.load(Ordering::Acquire) == self.handle().started();
        if tidy && let Some(side) = &mut *lock(&self.side) {
            side.settings = None;
        }
        tidy
    }

    pub(crate) fn spoil(&self) {
        self.spoilt.store(true, Ordering::Release);
    }

    /// A scheduled job has ended here. On the worker's thread.
    pub(crate) fn finish(&self) {
        with_work(Work::finish);
    }

    /// The same, of one that did not come by way of the scheduler.
    pub(crate) fn finish_taken(&self) {
        with_work(Work::finish_posted);
    }

    /// Gives the worker something to do that is not from its scheduler.
    ///
    /// # Errors
    ///
    /// Its loop has ended.
    pub(crate) fn post(self: &Arc<Self>, order: Order) -> Result<(), Order> {
        self.handle().post(order)?;
        self.rouse();
        Ok(())
    }

    /// Sleeps for a short while, and looks for work again then. On the worker's thread, between two
    /// rounds of work.
    ///
    /// Whoever creates tasks one by one is slower than the workers, which would be woken for each of
    /// them. So one that has run out of tasks takes a nap first: its signal is raised, so that nobody
    /// wakes it for what comes, and a timer ends the nap. Who does not want to wait for that
    /// [rouses](Self::rouse) it: those who create tasks do as soon as their loop has a turn, all
    /// others at once.
    ///
    /// In this order: whoever finds the signal raised by this finds the flag set as well.
    fn nap(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        if !self.timed.swap(true, Ordering::Relaxed) {
            let end = NapEnd { worker: self.clone() };
            self.event_loop(py).call_method1(intern!(py, "call_later"), (NAP, end))?;
        }
        self.napping.store(true, Ordering::SeqCst);
        TAKING.set(true);
        self.handle().notify();
        TAKING.set(false);
        Ok(())
    }

    pub(crate) fn is_napping(&self) -> bool {
        self.napping.load(Ordering::SeqCst)
    }

    /// Ends the nap that the worker takes, if it does: something was sent to it.
    pub(crate) fn rouse(&self) {
        if self.is_napping() && self.napping.swap(false, Ordering::SeqCst) {
            self.doorbell.wake_by_ref();
        }
    }

    /// The loop, from when it is made until its thread ends.
    pub(crate) fn running_loop<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        lock(&self.side).as_ref().map(|side| side.event_loop.bind(py).clone())
    }

    fn event_loop<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.running_loop(py).expect("the loop is made before it takes jobs")
    }

    /// Makes the task of a job, which runs its first step at once where asyncio can do that.
    pub(crate) fn make_task<'py>(
        &self,
        py: Python<'py>,
        spec: &mut Spec,
        name: Option<Py<PyAny>>,
        settings: &Settings,
    ) -> PyResult<Bound<'py, PyAny>> {
        let event_loop = self.configured_loop(py, settings)?;
        let coroutine = spec.source.coroutine(py)?;
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "loop"), &event_loop)?;
        let context = spec.context.context(py)?;
        keywords.set_item(intern!(py, "context"), &context)?;
        if let Some(name) = name {
            keywords.set_item(intern!(py, "name"), name)?;
        }
        if imports::has_eager_tasks(py) {
            keywords.set_item(intern!(py, "eager_start"), true)?;
        } else if spec.shares_context {
            // Found out here whether it can be entered: in a turn of the loop asyncio would only
            // report that it cannot, and never run the task.
            context.call_method1(intern!(py, "run"), (py.get_type::<PyInt>(),))?;
        }
        if let Some(more) = &spec.keywords {
            keywords.update(more.bind(py).as_mapping())?;
        }
        // Made in two steps: where the first step of the coroutine raises KeyboardInterrupt, the
        // constructor does too, after the task has taken note of it; and asyncio would complain
        // that nobody looked.
        let class = imports::task(py)?;
        let task = imports::new_task(py)?.call1((class,))?;
        match imports::init_task(py)?.call((&task, &coroutine), Some(&keywords)) {
            Ok(_) => Ok(task),
            Err(error) => {
                imports::disown(py)?.call1((&event_loop, task))?;
                if let Source::Call { .. } = spec.source {
                    // Nobody else knows of it.
                    spec::close(&coroutine);
                }
                Err(error)
            }
        }
    }

    /// Makes an eager task of this loop, which runs its first step. The task is made, though not
    /// initialised.
    pub(crate) fn begin_task<'py>(
        event_loop: &Bound<'py, PyAny>,
        task: &Bound<'py, PyAny>,
        coroutine: &Bound<'py, PyAny>,
        context: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let py = event_loop.py();
        let keywords = match KEYWORDS.take() {
            Some(keywords) => keywords.into_bound(py),
            None => {
                let keywords = PyDict::new(py);
                keywords.set_item(intern!(py, "loop"), event_loop)?;
                keywords.set_item(intern!(py, "eager_start"), true)?;
                keywords
            }
        };
        keywords.set_item(intern!(py, "context"), context)?;
        let begun = imports::init_task(py)?.call((task, coroutine), Some(&keywords));
        keywords.set_item(intern!(py, "context"), py.None())?;
        KEYWORDS.set(Some(keywords.unbind()));
        begun.map(drop)
    }

    /// The loop, which behaves as the caller's from now on.
    pub(crate) fn configured_loop<'py>(
        &self,
        py: Python<'py>,
        settings: &Settings,
    ) -> PyResult<Bound<'py, PyAny>> {
        let event_loop = {
            let side = lock(&self.side);
            let Side { event_loop, settings: now } =
                side.as_ref().expect("the loop is made before it takes jobs");
            let event_loop = event_loop.bind(py).clone();
            if *now == Some(settings.version()) {
                return Ok(event_loop);
            }
            event_loop
        };
        let version = settings.apply(&event_loop)?;
        if let Some(side) = &mut *lock(&self.side) {
            side.settings = Some(version);
        }
        Ok(event_loop)
    }

    /// The lease is over: the exception handler of its caller is let go of.
    pub(crate) fn forget_settings(&self, py: Python<'_>) -> PyResult<()> {
        let old = lock(&self.side).as_mut().and_then(|side| side.settings.take());
        if old.is_some() {
            self.event_loop(py).call_method1(intern!(py, "set_exception_handler"), (py.None(),))?;
        }
        Ok(())
    }
}
