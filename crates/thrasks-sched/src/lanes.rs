use std::fmt;

use crate::{
    Reason, Rejected,
    loads::Count,
    padded::Padded,
    sync::{AtomicUsize, ConcurrentQueue, Ordering},
};

/// One queue per worker and how many of its jobs are alive: what every scheduler that decides at
/// the push is made of.
pub(crate) struct Lanes<J>(Box<[Padded<Lane<J>>]>);

struct Lane<J> {
    queue: ConcurrentQueue<J>,
    live: Live,
}

impl<J> Lanes<J> {
    /// Lanes for `workers` workers, which is not zero: see [`at_least_one`].
    pub(crate) fn new(workers: usize) -> Self {
        Self(
            (0..workers)
                .map(|_| Padded(Lane { queue: ConcurrentQueue::unbounded(), live: Live::new() }))
                .collect(),
        )
    }

    pub(crate) fn workers(&self) -> usize {
        self.0.len()
    }

    /// Queues `job` for `worker`, if it exists and the lanes are open.
    pub(crate) fn push(&self, worker: usize, job: J) -> Result<(), Rejected<J>> {
        let Some(lane) = self.0.get(worker) else {
            let reason = Reason::OutOfRange { worker, workers: self.workers() };
            return Err(Rejected::new(job, reason));
        };
        lane.queue.push(job).map_err(|refused| Rejected::new(refused.into_inner(), Reason::Closed))
    }

    pub(crate) fn pop(&self, worker: usize) -> Option<J> {
        let lane = self.lane(worker);
        let job = lane.queue.pop().ok()?;
        lane.live.started();
        Some(job)
    }

    pub(crate) fn finish(&self, worker: usize) {
        self.lane(worker).live.ended();
    }

    pub(crate) fn load(&self, worker: usize) -> Option<usize> {
        self.0.get(worker).map(|lane| lane.queue.len() + lane.live.count())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|lane| lane.queue.len()).sum()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0[0].queue.is_closed()
    }

    /// Refuses later pushes and gives back what no worker has taken, lane after lane.
    ///
    /// Each job comes out exactly once. A push either found its lane closed, and kept its job, or
    /// claimed a place in the lane before the close: the closing thread empties the lane after it
    /// closed it, so that place is emptied by it or by a worker's pop, and never twice since a
    /// queue hands out each place once. A push that claimed its place but has not yet written the
    /// job there is waited for by the queue's pop.
    pub(crate) fn close(&self) -> Vec<J> {
        for lane in &self.0 {
            lane.queue.close();
        }
        let mut jobs = Vec::new();
        for lane in &self.0 {
            drain_into(&lane.queue, &mut jobs);
        }
        jobs
    }

    pub(crate) fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("workers", &self.workers())
            .field("queued", &self.len())
            .finish_non_exhaustive()
    }

    #[inline]
    fn lane(&self, worker: usize) -> &Lane<J> {
        match self.0.get(worker) {
            Some(lane) => lane,
            None => no_such_worker(worker, self.workers()),
        }
    }
}

impl<J: Send> Count for Lanes<J> {
    fn workers(&self) -> usize {
        self.workers()
    }

    fn load(&self, worker: usize) -> Option<usize> {
        self.load(worker)
    }
}

/// How many jobs a worker has started that have not ended.
///
/// Only that worker writes it, on one thread at a time, so a load and a store do what would
/// otherwise need a locked instruction. Others only ever read it as a figure that is about right:
/// no ordering hangs on it.
pub(crate) struct Live(AtomicUsize);

impl Live {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn started(&self) {
        self.0.store(self.count() + 1, Ordering::Relaxed);
    }

    /// Counts one down and says whether that was the last one. Saturates: a `finish` too many must
    /// not make a worker look loaded beyond measure.
    pub(crate) fn ended(&self) -> bool {
        let count = self.count();
        self.0.store(count.saturating_sub(1), Ordering::Relaxed);
        count == 1
    }
}

/// Moves everything out of `queue`.
pub(crate) fn drain_into<J>(queue: &ConcurrentQueue<J>, jobs: &mut Vec<J>) {
    while let Ok(job) = queue.pop() {
        jobs.push(job);
    }
}

/// Panics unless there is a worker.
#[track_caller]
pub(crate) fn at_least_one(workers: usize, scheduler: &str) {
    assert!(
        workers > 0,
        "{scheduler}::new got 0 workers, and nobody would run the jobs: give it at least 1, for \
         example std::thread::available_parallelism()"
    );
}

#[cold]
#[inline(never)]
pub(crate) fn no_such_worker(worker: usize, workers: usize) -> ! {
    panic!("worker {worker} does not exist: there are {workers}, numbered from 0")
}
