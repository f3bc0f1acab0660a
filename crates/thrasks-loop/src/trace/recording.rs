//! The trace that is being recorded, of which there is one at most.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Instant, SystemTime},
};

use super::{lane::Lane, names::Names};

/// Whether a trace is being recorded. All that is asked where none is.
static ON: AtomicBool = AtomicBool::new(false);

/// The number of the trace that is recorded, or was last: what an older one left behind is told by it.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The trace that is being recorded. A forked child goes on with another of these: the locks of the
/// first may be held for ever, by threads that are not there.
#[derive(Default)]
struct Current {
    busy: AtomicBool,
    recording: Mutex<Option<Arc<Recording>>>,
    forked: OnceLock<Box<Current>>,
}

static FIRST: Current =
    Current { busy: AtomicBool::new(false), recording: Mutex::new(None), forked: OnceLock::new() };
static FORKS: AtomicUsize = AtomicUsize::new(0);

fn current() -> &'static Current {
    let mut current = &FIRST;
    for _ in 0..FORKS.load(Ordering::Acquire) {
        current = current.forked.get_or_init(Box::default);
    }
    current
}

/// Whether a trace is being recorded: a relaxed load.
///
/// # Examples
///
/// ```standalone_crate
/// // Nobody has started one.
/// assert!(!thrasks_loop::trace::is_on());
/// ```
#[inline]
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Ends the trace in a forked child, where the threads that are recorded are not: without a file,
/// which is the parent's. To be called in the child, before anything else.
///
/// # Examples
///
/// ```standalone_crate
/// // In the child:
/// thrasks_loop::trace::after_fork();
/// assert!(!thrasks_loop::trace::is_on());
/// ```
pub fn after_fork() {
    ON.store(false, Ordering::SeqCst);
    GENERATION.fetch_add(1, Ordering::SeqCst);
    FORKS.fetch_add(1, Ordering::Release);
}

/// What threads share while a trace is recorded.
pub(super) struct Recording {
    pub(super) generation: u64,
    pub(super) start: Instant,
    pub(super) wall: SystemTime,
    lanes: Mutex<Vec<Arc<Lane>>>,
    pub(super) names: Mutex<Names>,
    /// The number of the next task.
    next: AtomicU64,
    /// How many events there may yet be.
    left: AtomicUsize,
    /// How many tasks were not taken in for that reason.
    pub(super) left_out: AtomicUsize,
    /// Steps of tasks were not taken in.
    pub(super) is_cut: AtomicBool,
}

/// Locks, poisoned or not: every critical section leaves its data whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reserves the recorder. Returns whether nobody else has it.
pub(super) fn reserve() -> bool {
    !current().busy.swap(true, Ordering::SeqCst)
}

/// Gives it back, unused.
pub(super) fn cancel_reservation() {
    current().busy.store(false, Ordering::SeqCst);
}

impl Recording {
    /// Begins to record. The recorder is reserved.
    pub(super) fn begin(max_events: usize) -> Arc<Self> {
        let recording = Arc::new(Self {
            generation: GENERATION.fetch_add(1, Ordering::SeqCst) + 1,
            start: Instant::now(),
            wall: SystemTime::now(),
            lanes: Mutex::default(),
            names: Mutex::default(),
            next: AtomicU64::new(1),
            left: AtomicUsize::new(max_events),
            left_out: AtomicUsize::new(0),
            is_cut: AtomicBool::new(false),
        });
        *lock(&current().recording) = Some(recording.clone());
        ON.store(true, Ordering::SeqCst);
        recording
    }

    /// Ends it. Returns whether it was going on: in a forked child it is not.
    pub(super) fn end(&self) -> bool {
        if !self.is_current() {
            return false;
        }
        ON.store(false, Ordering::SeqCst);
        let current = current();
        let ended = lock(&current.recording).take();
        current.busy.store(false, Ordering::SeqCst);
        ended.is_some()
    }

    /// The one that is going on.
    pub(super) fn current() -> Option<Arc<Self>> {
        lock(&current().recording).clone()
    }

    pub(super) fn is_current(&self) -> bool {
        self.generation == generation()
    }

    /// The time now, in nanoseconds from the start.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Numbers for so many tasks: the first of them.
    pub(super) fn number(&self, count: usize) -> u64 {
        self.next.fetch_add(count as u64, Ordering::Relaxed)
    }

    /// What a task is called outside: with the trace's number, so that a later one knows it is not its.
    pub(super) fn id_of(&self, task: u64) -> u64 {
        self.generation << 48 | task
    }

    /// The task that is called so, if it is one of this trace.
    pub(super) fn task_of(&self, id: u64) -> Option<u64> {
        (id >> 48 == self.generation & 0xffff).then_some(id & ((1 << 48) - 1))
    }

    /// Room for so many events, or for as many as there is.
    pub(super) fn room(&self, events: usize) -> usize {
        let take = |left: usize| Some(left.saturating_sub(events));
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        left.unwrap_or_default().min(events)
    }

    pub(super) fn add_lane(&self, lane: Arc<Lane>) {
        lock(&self.lanes).push(lane);
    }

    pub(super) fn take_lanes(&self) -> Vec<Arc<Lane>> {
        std::mem::take(&mut *lock(&self.lanes))
    }
}

pub(super) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}
