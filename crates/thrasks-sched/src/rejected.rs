use std::{error::Error, fmt};

use crate::Wake;

/// A job that a scheduler did not accept, and why.
pub struct Rejected<J> {
    job: J,
    reason: Reason,
}

/// Why a scheduler did not accept a job.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The scheduler is closed.
    Closed,
    /// The scheduler holds as many jobs as it may.
    Full,
    /// A placement named a worker that does not exist.
    OutOfRange {
        /// What the placement named.
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
    pub fn new(job: J, reason: Reason) -> Self {
        Self { job, reason }
    }

    /// The reason.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The job, given back.
    pub fn into_job(self) -> J {
        self.job
    }

    /// The job and the reason.
    pub fn into_parts(self) -> (J, Reason) {
        (self.job, self.reason)
    }
}

/// What became of a [`push_batch`](crate::Scheduler::push_batch).
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
                write!(
                    f,
                    "the placement chose worker {worker}, and there are {workers}, numbered from 0"
                )
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
