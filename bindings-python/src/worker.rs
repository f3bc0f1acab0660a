//! A loop thread that runs an asyncio loop: the driver, and the callback that takes work.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
    thread::Thread,
    time::{Duration, Instant},
};

use pyo3::{
    exceptions::PyRuntimeError,
    intern,
    prelude::*,
    types::{PyDict, PyInt, PyString},
};
use thrasks_loop::{Driver, LoopHandle, Next, Work};

use crate::{
    bell::Bell,
    carrier::{self, Passenger},
    home::Home,
    imports,
    job::Job,
    orders::Order,
    ring,
    settings::Settings,
    share::Share,
    spec::{self, Source, Spec},
    sync::{Padded, lock},
    tidy::Holdings,
    trace,
};

/// How long a worker takes up new jobs before its loop's I/O, timers and running tasks have a turn.
pub(crate) const SLICE: Duration = Duration::from_millis(1);

/// How many more unfinished jobs than the worker with the fewest a worker may have and still take
/// the next one of a shared queue at once, when its last one has suspended. Further ahead it takes
/// one each `PACE`: never none, since a job may be waiting for one that waits in the queue.
const MAX_LEAD: usize = 4;

/// How many jobs that suspend such a worker takes at most before they go on: a turn of its loop costs
/// as much as some of them.
const MAX_AT_ONCE: usize = 32;

/// How many seconds a worker that is far ahead waits before it takes the next job.
const PACE: f64 = 0.001;

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

/// How a worker's thread is woken: by its loop when that runs, by unparking before.
#[derive(Default)]
struct Doorbell(Mutex<Target>);

#[derive(Default)]
enum Target {
    /// The thread has not begun to look for work. Its first look will find what there is.
    #[default]
    Nobody,
    Loop {
        call_soon: Py<PyAny>,
        call_soon_threadsafe: Py<PyAny>,
        take: Py<PyAny>,
        bell: Option<Arc<Bell>>,
    },
    Parked(Thread),
}

impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let here = HERE.with_borrow(|worker| {
            worker.as_ref().is_some_and(|worker| Arc::ptr_eq(&worker.doorbell, self))
        });
        if here && TAKING.get() {
            return;
        }
        let bell = match &*lock(&self.0) {
            Target::Loop { bell: Some(bell), .. } if !here => Some(bell.clone()),
            _ => None,
        };
        if bell.is_some_and(|bell| bell.ring()) {
            return;
        }
        Python::attach(|py| {
            let (bell, take) = match &*lock(&self.0) {
                Target::Nobody => return,
                Target::Parked(thread) => return thread.unpark(),
                // The loop is awake: it sees to it before it sleeps.
                Target::Loop { call_soon, take, .. } if here => {
                    (call_soon.clone_ref(py), take.clone_ref(py))
                }
                Target::Loop { call_soon_threadsafe, take, .. } => {
                    (call_soon_threadsafe.clone_ref(py), take.clone_ref(py))
                }
            };
            // A loop that is closed: the thread is past its last look, and what was sent to it is
            // dropped, and told, by the loop thread's own end.
            ring::ring(py, bell.bind(py), take.bind(py));
        });
    }
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
    pub(crate) fn ended(&self, py: Python<'_>, job: &Arc<Job>) {
        let mut suspended = lock(&self.suspended);
        let ended = suspended.remove(&(Arc::as_ptr(job) as usize));
        let left = suspended.len();
        self.unfinished.store(left, Ordering::Relaxed);
        drop(suspended);
        drop(ended);
        if left == 0 && self.looks() {
            // When what is ready on the loop has had its turn.
            self.come_back(py);
        }
    }

    /// Has the loop take up work again, soon. On the worker's thread.
    fn come_back(&self, py: Python<'_>) {
        let (call_soon, take) = match &*lock(&self.doorbell.0) {
            Target::Loop { call_soon, take, .. } => (call_soon.clone_ref(py), take.clone_ref(py)),
            Target::Nobody | Target::Parked(_) => return,
        };
        ring::ring(py, call_soon.bind(py), take.bind(py));
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

/// The callback of a timer: ends a worker's nap.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_NapEnd")]
struct NapEnd {
    worker: Arc<Worker>,
}

#[pymethods]
impl NapEnd {
    fn __call__(&self) {
        self.worker.timed.store(false, Ordering::Relaxed);
        self.worker.rouse();
    }
}

/// A callback of the loop of a worker that is far ahead: takes up work when it is so no more, after
/// some turns of the loop, or after a while.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Pause")]
struct Pause {
    side: Py<LoopSide>,
    turns: u8,
}

impl Pause {
    /// What is ready to go on and ends then has ended after so many turns: a step, and a callback.
    const TURNS: u8 = 2;
}

#[pymethods]
impl Pause {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let side = self.side.bind(py);
        let worker = &side.get().worker;
        let still = SHARES.with_borrow(|shares| standing(worker, shares.front()).0);
        if !still || worker.leaving.load(Ordering::Acquire) {
            return LoopSide::__call__(side);
        }
        let event_loop = worker.event_loop(py);
        if self.turns < Self::TURNS {
            let pause = Self { side: side.clone().unbind(), turns: self.turns + 1 };
            event_loop.call_method1(intern!(py, "call_soon"), (pause,))?;
        } else {
            event_loop.call_method1(intern!(py, "call_later"), (PACE, side))?;
        }
        Ok(())
    }
}

/// When a worker's loop is to take up work again.
enum Again {
    WhenWoken,
    /// After what waits on the loop now.
    Soon,
    AfterPace,
    /// It is to stop.
    Never,
}

/// Takes up work, until there is none or the loop's own callbacks are to have a turn. Returns when to
/// do so again, and whether any of it was a task that was sent by itself, as more may be.
fn take_up(py: Python<'_>, worker: &Arc<Worker>) -> (Again, bool) {
    let mut tired = false;
    with_work(Work::acknowledge);
    let mut watch = Stopwatch::default();
    let mut found = None;
    let mut in_a_row = 0;
    loop {
        let next = found.take().or_else(|| with_work(Work::next)).unwrap_or(Next::Stop);
        let suspended = match next {
            Next::Job(Order::Start(sent)) | Next::Posted(Order::Start(sent)) => {
                tired = true;
                start(py, worker, Passenger::Job(sent), &mut watch, &mut found)
            }
            Next::Job(Order::Item(item)) | Next::Posted(Order::Item(item)) => {
                start(py, worker, Passenger::Item(item), &mut watch, &mut found)
            }
            Next::Posted(Order::Share(share)) | Next::Job(Order::Share(share)) => {
                start(py, worker, Passenger::Share(share), &mut watch, &mut found)
            }
            Next::Posted(Order::CancelAll(gather, message))
            | Next::Job(Order::CancelAll(gather, message)) => {
                gather.cancel_suspended(py, worker, message.as_ref());
                false
            }
            Next::Posted(Order::Cancel(job, message)) | Next::Job(Order::Cancel(job, message)) => {
                job.cancel_task(py, message);
                false
            }
            Next::Posted(Order::Clean(order)) | Next::Job(Order::Clean(order)) => {
                // What else has been sent is not to wait for what went wrong here.
                if let Err(error) = order.carry_out(py, &worker.event_loop(py)) {
                    error.write_unraisable(py, None);
                }
                false
            }
            Next::Idle if with_work(Work::is_notified).unwrap_or(false) => {
                with_work(Work::acknowledge);
                false
            }
            Next::Idle => match SHARES.with_borrow_mut(VecDeque::pop_front) {
                Some(share) => start(py, worker, Passenger::Share(share), &mut watch, &mut found),
                None => return (Again::WhenWoken, tired),
            },
            Next::Stop => return (Again::Never, tired),
        };
        let is_over = watch.has_passed(SLICE);
        // A worker that shares a queue takes the next job only when it can run it at once: a task
        // that has just suspended may be ready to go on, and goes first.
        if suspended && with_work(Work::is_shared).unwrap_or(false) {
            let share = match &found {
                Some(Next::Posted(Order::Share(share))) => Some(share),
                _ => None,
            };
            let (far_ahead, backlog) = standing(worker, share);
            // A task that has not so much as begun does not count as suspended.
            let at_once =
                if imports::has_eager_tasks(py) { MAX_AT_ONCE.min(backlog / 8) } else { 0 };
            if !far_ahead && !is_over && in_a_row < at_once {
                in_a_row += 1;
                continue;
            }
            set_aside(&mut found);
            let again = if far_ahead { Again::AfterPace } else { Again::Soon };
            return (again, tired);
        }
        // What has been found already is seen to, whatever the time: but for a share, which waits.
        if is_over {
            set_aside(&mut found);
        }
        if found.is_none() && is_over {
            return (Again::Soon, tired);
        }
    }
}

/// Keeps a share that was found for when all else has been seen to.
fn set_aside(found: &mut Option<Next<Order>>) {
    match found.take() {
        Some(Next::Posted(Order::Share(share))) => {
            SHARES.with_borrow_mut(|shares| shares.push_back(share));
        }
        other => *found = other,
    }
}

/// Whether a worker that shares a queue, or this share, is too far ahead of the others to take the
/// next job at once; and how many wait for each of them.
///
/// While everybody has enough to do, one may get ahead by a part of what is left, as in guided
/// self-scheduling (Polychronopoulos and Kuck, 1987): the rest evens it out.
fn standing(worker: &Worker, share: Option<&Share>) -> (bool, usize) {
    let (lead, backlog) = match share {
        Some(share) => (share.lead(worker), share.backlog()),
        None => with_work(|work| (work.lead(), work.backlog())).unwrap_or_default(),
    };
    (lead > MAX_LEAD.max(backlog / 4), backlog)
}

/// Starts a job, by itself or with others that come next. Returns whether the last one has suspended.
fn start(
    py: Python<'_>,
    worker: &Arc<Worker>,
    job: Passenger,
    watch: &mut Stopwatch,
    found: &mut Option<Next<Order>>,
) -> bool {
    STARTING.set(Some(job.home().clone()));
    let suspended = if carrier::may_be(py) {
        carrier::carry(py, worker, job, watch, found)
    } else {
        job.start_by_itself(py, worker, found)
    };
    drop(STARTING.take());
    suspended
}

/// Tells when a time has passed, without a look at the clock each time it is asked: while what is
/// done between is short, it looks now and then.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stopwatch {
    start: Option<Instant>,
    last: Duration,
    /// How often it may be asked before it looks, and how often it has been.
    stride: u32,
    asked: u32,
    passed: bool,
}

impl Stopwatch {
    /// Between two looks it is asked so often at most.
    const MAX_STRIDE: u32 = 16;
    /// What is short.
    const SHORT: Duration = Duration::from_micros(10);

    /// Whether so much time has passed. Once it has, that stays so.
    pub(crate) fn has_passed(&mut self, time: Duration) -> bool {
        self.asked += 1;
        if self.passed || self.asked <= self.stride {
            return self.passed;
        }
        let spent = self.start.get_or_insert_with(Instant::now).elapsed();
        let short = (spent - self.last) / self.asked < Self::SHORT;
        self.stride = if short { (self.stride * 2 + 1).min(Self::MAX_STRIDE - 1) } else { 0 };
        self.last = spent;
        self.asked = 0;
        self.passed = spent >= time;
        self.passed
    }
}

/// A worker as its own loop and the Python half of its thread see it.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_LoopSide")]
pub(crate) struct LoopSide {
    worker: Arc<Worker>,
}

#[pymethods]
impl LoopSide {
    /// Takes up work: the callback with which the loop is woken.
    fn __call__(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let worker = &slf.get().worker;
        if worker.leaving.load(Ordering::Acquire) {
            // A wake-up that was on its way. To stop the loop now would cut its end short.
            return Ok(());
        }
        worker.napping.store(false, Ordering::SeqCst);
        TAKING.set(true);
        let (again, tired) = take_up(py, worker);
        TAKING.set(false);
        // For what this worker has sent to itself meanwhile, nobody has rung.
        let again = match again {
            Again::AfterPace if !with_work(Work::is_notified).unwrap_or(false) => {
                let pause = Pause { side: slf.clone().unbind(), turns: 0 };
                worker.event_loop(py).call_method1(intern!(py, "call_soon"), (pause,))?;
                return Ok(());
            }
            Again::AfterPace | Again::Soon => true,
            Again::WhenWoken => {
                worker.look(py)?;
                if tired {
                    return worker.nap(py);
                }
                false
            }
            Again::Never => {
                worker.event_loop(py).call_method0(intern!(py, "stop"))?;
                false
            }
        };
        if again {
            worker.event_loop(py).call_method1(intern!(py, "call_soon"), (slf,))?;
        }
        Ok(())
    }

    /// The name of the thread.
    #[getter]
    fn name<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, self.worker.handle().name())
    }

    /// Whether the thread is to end.
    #[getter]
    fn stopping(&self) -> bool {
        with_work(Work::is_stopping).unwrap_or(true)
    }

    /// Answers the bell: what the loop calls when that can be read.
    fn answer(slf: &Bound<'_, Self>) -> PyResult<()> {
        let bell = lock(&slf.get().worker.bell).clone();
        if let Some(bell) = bell {
            bell.hush();
        }
        Self::__call__(slf)
    }

    /// The bell is the worker's from now on, which closes it: its loop is to call `answer` when it can
    /// be read.
    fn own_bell(&self, descriptor: i32) {
        *lock(&self.worker.bell) = Some(Arc::new(Bell::new(descriptor)));
    }

    /// This is where the loop keeps what it has, the loop's own as yet.
    #[expect(clippy::unused_self, reason = "it is this thread's")]
    fn show(
        &self,
        event_loop: &Bound<'_, PyAny>,
        descriptors: Bound<'_, PyDict>,
        generators: Bound<'_, PyAny>,
    ) -> PyResult<()> {
        HOLDINGS.set(Some(Holdings::of(event_loop, descriptors, generators)?));
        Ok(())
    }

    /// Takes work from now on, on this loop.
    fn attach(slf: &Bound<'_, Self>, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let worker = &slf.get().worker;
        let call_soon = event_loop.getattr(intern!(py, "call_soon"))?.unbind();
        let call_soon_threadsafe =
            event_loop.getattr(intern!(py, "call_soon_threadsafe"))?.unbind();
        *lock(&worker.side) =
            Some(Side { event_loop: event_loop.clone().unbind(), settings: None });
        worker.made.store(true, Ordering::Release);
        if trace::is_on() {
            trace::watch_loop(event_loop);
        }
        let take = slf.clone().into_any().unbind();
        let bell = lock(&worker.bell).clone();
        let target = Target::Loop { call_soon, call_soon_threadsafe, take, bell };
        *lock(&worker.doorbell.0) = target;
        // What came before there was anybody to wake.
        event_loop.call_method1(intern!(py, "call_soon"), (slf,))?;
        Ok(())
    }

    /// Takes no more work: what is still sent to this worker is dropped when its thread ends.
    fn leave(&self) {
        self.worker.leaving.store(true, Ordering::Release);
    }

    /// The loop could not be made: answers every job with the reason, until the thread is to end.
    fn refuse(&self, py: Python<'_>, error: &Bound<'_, PyAny>) {
        let worker = &self.worker;
        *lock(&worker.failure) = Some(error.clone().unbind());
        worker.spoil();
        *lock(&worker.doorbell.0) = Target::Parked(std::thread::current());
        'looking: loop {
            with_work(Work::acknowledge);
            loop {
                match with_work(Work::next).unwrap_or(Next::Stop) {
                    Next::Job(Order::Start(sent)) => {
                        sent.into_job().fail(py, PyErr::from_value(error.clone()));
                        worker.finish();
                    }
                    Next::Posted(Order::Start(sent)) => {
                        sent.into_job().fail(py, PyErr::from_value(error.clone()));
                    }
                    Next::Job(Order::Item(item)) => {
                        item.fail(py, worker, PyErr::from_value(error.clone()));
                    }
                    Next::Posted(Order::Share(share)) => {
                        share.fail(py, &PyErr::from_value(error.clone()));
                    }
                    // There is nothing to cancel and nothing to clean: dropped, it is done.
                    Next::Posted(_) | Next::Job(_) => {}
                    Next::Idle => break,
                    Next::Stop => break 'looking,
                }
            }
            py.detach(std::thread::park);
        }
        // Nobody asks for it any more.
        drop(worker.take_failure());
    }

    /// Ends the thread, if it has been idle in the cache for this many seconds.
    fn retire(&self, py: Python<'_>, idle_for: f64) -> bool {
        // Whoever started the thread may not yet have said which it is: then it is not idle.
        let Some(handle) = self.worker.handle.get() else { return false };
        let idle_for = Duration::try_from_secs_f64(idle_for).unwrap_or_default();
        let retired = crate::threads::cache().retire(handle, idle_for);
        let found = retired.is_some();
        // Dropping it stops it, which needs no thread to be waited for.
        py.detach(|| drop(retired));
        found
    }
}
