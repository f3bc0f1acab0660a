use std::{error::Error, fmt};

use crate::Wake;

/// A job that a scheduler did not accept, and why.
///
/// # Examples
///
/// ```
/// use thrasks_sched::{RoundRobin, Scheduler};
///
/// let scheduler = RoundRobin::new(2);
/// let _jobs = scheduler.close();
/// let rejected = scheduler.push("a").unwrap_err();
/// assert_eq!(rejected.to_string(), "the scheduler is closed");
/// assert_eq!(rejected.into_job(), "a");
/// ```
pub struct Rejected<J> {
    job: J,
    reason: Reason,
}

/// Why a scheduler did not accept a job.
///
/// # Examples
///
/// ```
/// use thrasks_sched::{PerWorker, Reason, Scheduler, place_fn};
///
/// let scheduler = PerWorker::new(2, place_fn(|_: &u8, _| Err("no idea".into())));
/// let (job, reason) = scheduler.push(1).unwrap_err().into_parts();
/// assert_eq!(job, 1);
/// assert!(matches!(&reason, Reason::Policy(error) if error.to_string() == "no idea"));
/// assert_eq!(reason.to_string(), "the placement failed: no idea");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The scheduler is closed.
    Closed,
    /// The scheduler holds as many jobs as it may.
    Full,
    /// The caller, or a placement, named a worker that does not exist.
    OutOfRange {
        /// What was named.
        worker: usize,
        /// How many workers there are.
        workers: usize,
    },
    /// A placement failed with this error.
    Policy(Box<dyn Error + Send + Sync>),
    /// The scheduler cannot do what was asked.
    Unsupported,
}

impl<J> Rejected<J> {
    /// A rejection of `job`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{Reason, Rejected};
    ///
    /// let rejected = Rejected::new("a", Reason::Full);
    /// assert_eq!(rejected.to_string(), "the scheduler is full");
    /// ```
    pub fn new(job: J, reason: Reason) -> Self {
        Self { job, reason }
    }

    /// The reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{Reason, Rejected};
    ///
    /// let rejected = Rejected::new("a", Reason::Full);
    /// assert!(matches!(rejected.reason(), Reason::Full));
    /// ```
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The job, given back.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{Reason, Rejected};
    ///
    /// assert_eq!(Rejected::new("a", Reason::Full).into_job(), "a");
    /// ```
    pub fn into_job(self) -> J {
        self.job
    }

    /// The job and the reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{Reason, Rejected};
    ///
    /// let (job, reason) = Rejected::new("a", Reason::Closed).into_parts();
    /// assert_eq!(job, "a");
    /// assert!(matches!(reason, Reason::Closed));
    /// ```
    pub fn into_parts(self) -> (J, Reason) {
        (self.job, self.reason)
    }
}

/// What became of a [`push_batch`](crate::Scheduler::push_batch).
///
/// # Examples
///
/// ```
/// use thrasks_sched::{PerWorker, Scheduler, Wake, place_fn};
///
/// let scheduler = PerWorker::new(2, place_fn(|job: &usize, _| Ok(*job)));
/// let mut jobs = [1, 1, 9, 0].into_iter();
/// let batch = scheduler.push_batch(&mut jobs);
/// assert_eq!(batch.accepted, 2);
/// assert_eq!(batch.wake, Wake::One(1));
/// assert_eq!(batch.rejected.unwrap().into_job(), 9);
/// assert_eq!(jobs.next(), Some(0));
/// ```
#[must_use = "the accepted jobs may lie unseen until the named workers are woken"]
pub struct Batch<J> {
    /// How many jobs were accepted.
    pub accepted: usize,
    /// Whom to wake for them.
    pub wake: Wake,
    /// The job at which the batch stopped, if it did.
    pub rejected: Option<Rejected<J>>,
}

impl<J> Default for Batch<J> {
    fn default() -> Self {
        Self { accepted: 0, wake: Wake::Nobody, rejected: None }
    }
}

impl<J> fmt::Debug for Batch<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("accepted", &self.accepted)
            .field("wake", &self.wake)
            .field("rejected", &self.rejected)
            .finish()
    }
}

impl<J> fmt::Debug for Rejected<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<J> fmt::Display for Rejected<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the scheduler is closed"),
            Self::Full => f.write_str("the scheduler is full"),
            Self::OutOfRange { worker, workers } => {
                write!(f, "there is no worker {worker}: there are {workers}, numbered from 0")
            }
            Self::Policy(error) => write!(f, "the placement failed: {error}"),
            Self::Unsupported => f.write_str("the scheduler does not support this"),
        }
    }
}

impl<J> Error for Rejected<J> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.reason {
            Reason::Policy(error) => Some(&**error),
            _ => None,
        }
    }
}
