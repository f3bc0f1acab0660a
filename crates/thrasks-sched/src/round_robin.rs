use std::fmt;

use crate::{
    Batch, Rejected, Scheduler, Wake,
    lanes::{Lanes, at_least_one},
    named::Named,
    tickets::Tickets,
};

/// Job i goes to worker i mod n, exactly, whichever thread pushes it.
///
/// Jobs are numbered in the order in which they are accepted, by one counter for all threads; so
/// of any k jobs in a row each worker gets k / n, rounded up or down, and it gets them in order.
/// For jobs that are alike, and where it must be known beforehand which worker runs what.
/// [`push_to`](Scheduler::push_to) uses up no number.
///
/// [`push_batch`](Scheduler::push_batch) claims numbers for many jobs at once, as many as the
/// iterator's `size_hint` promises: a batch has consecutive numbers even while other threads push.
/// If the iterator yields fewer, the numbers left over go to the jobs that come next.
///
/// # Examples
///
/// ```
/// use thrasks_sched::{RoundRobin, Scheduler, Wake};
///
/// let scheduler = RoundRobin::new(2);
/// for job in 0..4 {
///     assert_eq!(scheduler.push(job).unwrap(), Wake::One(job % 2));
/// }
/// assert_eq!(scheduler.pop(1), Some(1));
/// assert_eq!(scheduler.pop(1), Some(3));
/// assert_eq!(scheduler.pop(1), None);
/// ```
pub struct RoundRobin<J> {
    lanes: Lanes<J>,
    tickets: Tickets,
}

/// How many numbers a batch claims at most at a time: endless iterators promise without end.
const CLAIM: usize = 64;

impl<J> RoundRobin<J> {
    /// A scheduler for `workers` workers.
    ///
    /// # Panics
    ///
    /// When `workers` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{RoundRobin, Scheduler};
    ///
    /// assert_eq!(RoundRobin::<u32>::new(3).workers(), 3);
    /// ```
    #[must_use = "a scheduler runs nothing by itself"]
    #[track_caller]
    pub fn new(workers: usize) -> Self {
        at_least_one(workers, "RoundRobin");
        Self { lanes: Lanes::new(workers), tickets: Tickets::new(workers) }
    }
}

impl<J: Send> Scheduler<J> for RoundRobin<J> {
    fn workers(&self) -> usize {
        self.lanes.workers()
    }

    // A push that finds its lane closed has used up a number. Nobody can tell: no later push is
    // accepted either.
    fn push(&self, job: J) -> Result<Wake, Rejected<J>> {
        let worker = self.tickets.take();
        self.lanes.push(worker, job).map(|()| Wake::One(worker))
    }

    fn pop(&self, worker: usize) -> Option<J> {
        self.lanes.pop(worker)
    }

    fn len(&self) -> usize {
        self.lanes.len()
    }

    fn close(&self) -> Vec<J> {
        self.lanes.close()
    }

    fn push_batch(&self, jobs: &mut dyn Iterator<Item = J>) -> Batch<J> {
        let mut batch = Batch::default();
        let mut named = Named::default();
        let mut turns = self.tickets.take_many(0);
        loop {
            if turns.is_empty() {
                turns = self.tickets.take_many(jobs.size_hint().0.min(CLAIM));
            }
            let Some(job) = jobs.next() else { break };
            // An iterator that promises nothing has its jobs numbered one by one.
            let worker = turns.take().unwrap_or_else(|| self.tickets.take());
            if let Err(rejected) = self.lanes.push(worker, job) {
                batch.rejected = Some(rejected);
                break;
            }
            batch.accepted += 1;
            named.add(worker, self.workers());
        }
        batch.wake = named.wake();
        batch
    }

    fn push_to(&self, worker: usize, job: J) -> Result<Wake, Rejected<J>> {
        self.lanes.push(worker, job).map(|()| Wake::One(worker))
    }

    fn finish(&self, worker: usize) {
        self.lanes.finish(worker);
    }

    fn load(&self, worker: usize) -> Option<usize> {
        self.lanes.load(worker)
    }
}

impl<J> fmt::Debug for RoundRobin<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lanes.fmt("RoundRobin", f)
    }
}
