use std::{error::Error, fmt};

use crate::{
    Batch, Loads, PerWorker, Placement, Rejected, Scheduler, Wake,
    lanes::at_least_one,
    padded::Padded,
    sync::{AtomicUsize, Ordering},
};

/// Each job goes to the worker with the least to do, counting the jobs that wait for it and those
/// it has started.
///
/// For jobs that are alike in cost and wait a lot: it spreads what is alive evenly. It relies on
/// [`finish`](Scheduler::finish). Among equals the search begins one worker further on each time,
/// so that ties do not all go to worker 0. Threads that push at the same moment may see the same
/// loads and choose the same worker. Queueing theory calls it *join the shortest queue*.
///
/// # Examples
///
/// ```
/// use thrasks_sched::{LeastLoaded, Scheduler, Wake};
///
/// let scheduler = LeastLoaded::new(2);
/// assert_eq!(scheduler.push("a").unwrap(), Wake::One(0));
/// assert_eq!(scheduler.push("b").unwrap(), Wake::One(1));
///
/// // Worker 1 ends its job; worker 0 has not even started.
/// assert_eq!(scheduler.pop(1), Some("b"));
/// scheduler.finish(1);
/// assert_eq!(scheduler.push("c").unwrap(), Wake::One(1));
/// ```
pub struct LeastLoaded<J>(PerWorker<J, Least>);

impl<J> LeastLoaded<J> {
    /// A scheduler for `workers` workers.
    ///
    /// # Panics
    ///
    /// When `workers` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{LeastLoaded, Scheduler};
    ///
    /// let scheduler = LeastLoaded::<u32>::new(4);
    /// assert_eq!(scheduler.load(3), Some(0));
    /// ```
    #[must_use = "a scheduler runs nothing by itself"]
    #[track_caller]
    pub fn new(workers: usize) -> Self {
        at_least_one(workers, "LeastLoaded");
        Self(PerWorker::new(workers, Least { turn: Padded(AtomicUsize::new(0)) }))
    }
}

/// The worker with the smallest load, the first one found from a start that moves on.
struct Least {
    turn: Padded<AtomicUsize>,
}

impl<J> Placement<J> for Least {
    fn place(&self, _: &J, loads: &Loads<'_>) -> Result<usize, Box<dyn Error + Send + Sync>> {
        let workers = loads.len();
        // Where the counter wraps the rotation may skip; it only breaks ties.
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % workers;
        let mut least = (first, loads.get(first));
        for worker in (first + 1..workers).chain(0..first) {
            if least.1 == 0 {
                break;
            }
            let load = loads.get(worker);
            if load < least.1 {
                least = (worker, load);
            }
        }
        Ok(least.0)
    }
}

impl<J: Send> Scheduler<J> for LeastLoaded<J> {
    fn workers(&self) -> usize {
        self.0.workers()
    }

    fn push(&self, job: J) -> Result<Wake, Rejected<J>> {
        self.0.push(job)
    }

    fn pop(&self, worker: usize) -> Option<J> {
        self.0.pop(worker)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn close(&self) -> Vec<J> {
        self.0.close()
    }

    fn push_batch(&self, jobs: &mut dyn Iterator<Item = J>) -> Batch<J> {
        self.0.push_batch(jobs)
    }

    fn push_to(&self, worker: usize, job: J) -> Result<Wake, Rejected<J>> {
        self.0.push_to(worker, job)
    }

    fn finish(&self, worker: usize) {
        self.0.finish(worker);
    }

    fn load(&self, worker: usize) -> Option<usize> {
        self.0.load(worker)
    }
}

impl<J> fmt::Debug for LeastLoaded<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as("LeastLoaded", f)
    }
}
