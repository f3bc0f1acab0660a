use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What one loop has done so far, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoopStats {
    /// The name of the loop's thread.
    pub name: String,
    /// Jobs that wait for this loop alone; jobs in a queue that loops share are counted by the pool.
    pub queued: usize,
    /// Jobs started and not ended.
    pub running: usize,
    /// Jobs ended.
    pub done: u64,
    /// Time spent awake, up to the last time the loop went to sleep.
    pub busy: Duration,
    /// Whether the thread still runs.
    pub alive: bool,
}

/// The counters of one loop. Only that loop writes them, so a plain load and store will do; others
/// read a value that was true a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    started: AtomicU64,
    done: AtomicU64,
    busy_nanos: AtomicU64,
}

impl Counters {
    pub(crate) fn start(&self) {
        add(&self.started, 1);
    }

    pub(crate) fn finish(&self) {
        add(&self.done, 1);
    }

    pub(crate) fn add_busy(&self, time: Duration) {
        add(&self.busy_nanos, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn started(&self) -> u64 {
        self.started.load(Ordering::Acquire)
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    pub(crate) fn running(&self) -> usize {
        // `done` first: between the two loads jobs may start, and a difference must not go below 0.
        let done = self.done();
        usize::try_from(self.started.load(Ordering::Acquire) - done).unwrap_or(usize::MAX)
    }

    pub(crate) fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy_nanos.load(Ordering::Relaxed))
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Release);
}
