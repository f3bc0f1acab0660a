//! The bound on how many jobs of one group or gather run at once.

use std::sync::Arc;

use pyo3::prelude::*;
use thrasks_sched::Limit;

use crate::{job::Job, team::Team};

/// Stands between a group and its workers when `max_concurrency` was given.
pub(crate) struct Gate {
    limit: Limit<Arc<Job>>,
    team: Arc<Team>,
}

impl Gate {
    pub(crate) fn new(max_concurrency: usize, team: Arc<Team>) -> Arc<Self> {
        Arc::new(Self { limit: Limit::new(max_concurrency), team })
    }

    /// Lets the job through to the workers, now or when it is its turn.
    ///
    /// # Errors
    ///
    /// The workers would not have it. It does not count here any more.
    pub(crate) fn enter(&self, py: Python<'_>, job: Arc<Job>) -> PyResult<()> {
        let Some(job) = self.limit.enter(job) else { return Ok(()) };
        if job.pass_gate() {
            let Err(error) = self.team.submit(job.clone()) else { return Ok(()) };
            if job.give_up_gate() {
                self.leave(py);
            }
            return Err(error);
        }
        self.leave(py);
        Ok(())
    }

    /// A job that had come through has ended: lets the next one through.
    pub(crate) fn leave(&self, py: Python<'_>) {
        while let Some(job) = self.limit.leave() {
            if job.pass_gate() {
                match self.team.submit(job.clone()) {
                    Ok(()) => return,
                    // Its place is free at once, for the next one. Not by way of the job, which would
                    // come back here: as deep as there are jobs in the line.
                    Err(error) => {
                        let free = job.give_up_gate();
                        job.fail(py, error);
                        if !free {
                            return;
                        }
                    }
                }
            }
        }
    }
}
