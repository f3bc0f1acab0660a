use std::fmt;

use crate::{
    Batch, Loads, Placement, Reason, Rejected, Scheduler, Wake,
    lanes::{Lanes, at_least_one},
    named::Named,
};

/// A queue for each worker, and a [`Placement`] that chooses one for each job: the way to make a
/// [`Scheduler`] of your own policy.
///
/// A placed job stays where it was placed, even while other workers have nothing to do. A job that
/// the placement refuses or sends to a worker that does not exist is given back.
///
/// # Examples
///
/// ```
/// use thrasks_sched::{PerWorker, Reason, Scheduler, Wake, place_fn};
///
/// let scheduler = PerWorker::new(3, place_fn(|job: &usize, _| Ok(job / 10)));
/// assert_eq!(scheduler.push(21).unwrap(), Wake::One(2));
/// assert_eq!(scheduler.pop(2), Some(21));
///
/// let rejected = scheduler.push(35).unwrap_err();
/// assert!(matches!(rejected.reason(), Reason::OutOfRange { worker: 3, workers: 3 }));
/// assert_eq!(rejected.into_job(), 35);
/// ```
pub struct PerWorker<J, P> {
    lanes: Lanes<J>,
    placement: P,
}

impl<J, P> PerWorker<J, P> {
    /// A scheduler for `workers` workers that places by `placement`.
    ///
    /// # Panics
    ///
    /// When `workers` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{PerWorker, Scheduler, place_fn};
    ///
    /// let scheduler = PerWorker::new(2, place_fn(|job: &usize, loads| Ok(job % loads.len())));
    /// assert_eq!(scheduler.workers(), 2);
    /// ```
    #[must_use = "a scheduler runs nothing by itself"]
    #[track_caller]
    pub fn new(workers: usize, placement: P) -> Self {
        at_least_one(workers, "PerWorker");
        Self { lanes: Lanes::new(workers), placement }
    }

    pub(crate) fn fmt_as(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lanes.fmt(name, f)
    }
}

impl<J: Send, P: Placement<J>> PerWorker<J, P> {
    fn place(&self, job: J) -> Result<usize, Rejected<J>> {
        // A policy is not asked about a job that cannot be accepted; and `Closed` is what the
        // submitter needs to hear, whatever the policy would have said.
        if self.lanes.is_closed() {
            return Err(Rejected::new(job, Reason::Closed));
        }
        match self.placement.place(&job, &Loads::counted(&self.lanes)) {
            Ok(worker) => self.lanes.push(worker, job).map(|()| worker),
            Err(error) => Err(Rejected::new(job, Reason::Policy(error))),
        }
    }
}

impl<J: Send, P: Placement<J>> Scheduler<J> for PerWorker<J, P> {
    fn workers(&self) -> usize {
        self.lanes.workers()
    }

    fn push(&self, job: J) -> Result<Wake, Rejected<J>> {
        self.place(job).map(Wake::One)
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

    // Each job is queued before the next one is placed, so the loads that a placement sees count
    // the jobs of the batch.
    fn push_batch(&self, jobs: &mut dyn Iterator<Item = J>) -> Batch<J> {
        let mut batch = Batch::default();
        let mut named = Named::default();
        for job in jobs {
            match self.place(job) {
                Ok(worker) => {
                    batch.accepted += 1;
                    named.add(worker, self.workers());
                }
                Err(rejected) => {
                    batch.rejected = Some(rejected);
                    break;
                }
            }
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

impl<J, P> fmt::Debug for PerWorker<J, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as("PerWorker", f)
    }
}
