use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};

/// What one loop has done so far, in numbers.
///
/// # Examples
///
/// ```
/// use thrasks_loop::LoopThread;
///
/// let thread = LoopThread::builder().name("solo").start()?;
/// futures_lite::future::block_on(thread.spawn(|| async {})?)?;
///
/// let stats = thread.stats();
/// assert_eq!(stats.name, "solo");
/// assert_eq!((stats.queued, stats.running, stats.done), (0, 0, 1));
/// assert!(stats.alive);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoopStats {
    /// The name of the loop's thread.
    pub name: String,
    /// Jobs that wait for this loop alone; jobs in a queue that loops share are counted by the pool.
    pub queued: usize,
    /// Jobs started and not ended.
    pub running: usize,
    /// Jobs ended, however they ended.
    pub done: u64,
    /// Time spent awake, up to now.
    pub busy: Duration,
    /// Whether the loop still runs.
    pub alive: bool,
}

/// The counters of one loop. Only that loop writes them, so a plain load and store will do; others
/// read a value that was true a moment ago.
#[derive(Debug)]
pub(crate) struct Counters {
    started: AtomicU64,
    done: AtomicU64,
    /// Jobs of the loop's present scheduler that were started and have not ended.
    seated: AtomicUsize,
    /// The loop looks for a job, or has one in hand that is not counted yet.
    looking: AtomicBool,
    busy: Busy,
    /// What was done, and what was still running, when the loop stopped.
    last: OnceLock<(u64, usize)>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            started: AtomicU64::new(0),
            done: AtomicU64::new(0),
            seated: AtomicUsize::new(0),
            looking: AtomicBool::new(false),
            busy: Busy::new(),
            last: OnceLock::new(),
        }
    }

    /// The loop is about to take a job from somewhere, if there is one.
    ///
    /// A job that is out of its queue and not counted here would be missed by whoever waits for
    /// the loop to be drained. The fence is between this and the take, and pairs with that in
    /// [`is_idle`](Self::is_idle): whoever sees the queue without the job sees this too. A queue may
    /// be somebody else's, and need not order anything by itself.
    pub(crate) fn look(&self) {
        self.looking.store(true, Ordering::Relaxed);
        fence(Ordering::Release);
    }

    /// What was found has been counted, or there was nothing.
    pub(crate) fn looked(&self) {
        self.looking.store(false, Ordering::Release);
    }

    pub(crate) fn start(&self) {
        add(&self.started, 1);
        self.looked();
    }

    pub(crate) fn finish(&self) {
        add(&self.done, 1);
    }

    pub(crate) fn seated(&self) -> usize {
        self.seated.load(Ordering::Relaxed)
    }

    pub(crate) fn set_seated(&self, jobs: usize) {
        self.seated.store(jobs, Ordering::Relaxed);
    }

    /// Notes how things stand when the loop stops: what it drops from now on was cut off.
    pub(crate) fn stop(&self) {
        self.last.get_or_init(|| (self.done(), self.running()));
    }

    /// How many jobs ended on their own, and how many were cut off or still run.
    pub(crate) fn tally(&self) -> (u64, usize) {
        self.last.get().copied().unwrap_or_else(|| (self.done(), self.running()))
    }

    pub(crate) fn started(&self) -> u64 {
        self.started.load(Ordering::Acquire)
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    pub(crate) fn running(&self) -> usize {
        // `done` first: between the two loads jobs may start, and a difference must not go below
        // 0. (It could all the same with a driver that reports more ends than there were jobs.)
        let done = self.done();
        let running = self.started().saturating_sub(done);
        usize::try_from(running).unwrap_or(usize::MAX)
    }

    /// Whether the loop has nothing to do: neither running nor in hand. To be asked after the queues.
    pub(crate) fn is_idle(&self) -> bool {
        fence(Ordering::Acquire);
        // In this order: what was in hand is counted before it is out of hand.
        !self.looking.load(Ordering::Acquire) && self.running() == 0
    }

    pub(crate) fn busy(&self) -> Duration {
        self.busy.total()
    }

    pub(crate) fn set_asleep(&self, asleep: bool) {
        self.busy.set_asleep(asleep);
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Release);
}

/// How long a loop has been awake, in one number, so that whoever reads it never sees half a
/// change: while the loop sleeps, the time it was awake; while it is awake, the time at which it
/// would have woken up had it been awake ever since. The lowest bit tells which.
#[derive(Debug)]
struct Busy {
    epoch: Instant,
    nanos: AtomicU64,
}

const AWAKE: u64 = 1;

impl Busy {
    fn new() -> Self {
        Self { epoch: Instant::now(), nanos: AtomicU64::new(0) }
    }

    /// 63 bits of nanoseconds last 292 years.
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX) & (u64::MAX >> 1)
    }

    fn set_asleep(&self, asleep: bool) {
        let state = self.nanos.load(Ordering::Relaxed);
        if asleep == (state & AWAKE == 0) {
            return;
        }
        // Both ways: awake since `s` is `now - s` of time awake, and `t` of time awake is awake
        // since `now - t`.
        let turned = self.now().saturating_sub(state >> 1) << 1;
        self.nanos.store(if asleep { turned } else { turned | AWAKE }, Ordering::Relaxed);
    }

    fn total(&self) -> Duration {
        let state = self.nanos.load(Ordering::Relaxed);
        let nanos = state >> 1;
        Duration::from_nanos(if state & AWAKE == 0 {
            nanos
        } else {
            self.now().saturating_sub(nanos)
        })
    }
}

#[cfg(all(test, not(thrasks_loom)))]
mod tests {
    use super::*;

    #[test]
    fn busy_time_grows_while_awake_and_stands_still_while_asleep() {
        let busy = Busy::new();
        assert_eq!(busy.total(), Duration::ZERO);
        busy.set_asleep(false);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(2) {}
        let awake = busy.total();
        assert!(awake >= Duration::from_millis(2));
        busy.set_asleep(true);
        let asleep = busy.total();
        assert!(asleep >= awake);
        while start.elapsed() < Duration::from_millis(4) {}
        assert_eq!(busy.total(), asleep);
        // Telling twice changes nothing.
        busy.set_asleep(true);
        busy.set_asleep(false);
        busy.set_asleep(false);
        assert!(busy.total() >= asleep);
        assert!(busy.total() < Duration::from_secs(1));
    }
}
