//! The way of a job to its team.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::{gate::Gate, job::Job, team::Team};

/// A team, and the gate in front of it.
pub(crate) struct Submission {
    team: Arc<Team>,
    gate: Option<Arc<Gate>>,
}

impl Submission {
    pub(crate) fn new(team: Arc<Team>, max_concurrency: Option<usize>) -> Self {
        let gate = max_concurrency.map(|limit| Gate::new(limit, team.clone()));
        Self { team, gate }
    }

    pub(crate) fn team(&self) -> &Arc<Team> {
        &self.team
    }

    pub(crate) fn gate(&self) -> Option<&Arc<Gate>> {
        self.gate.as_ref()
    }

    /// The worker for jobs that were given this context: always the same one for the same context,
    /// since two threads cannot enter one at once.
    pub(crate) fn pin(&self, context: Option<&Bound<'_, PyAny>>) -> Option<usize> {
        // Fibonacci hashing of the address: the objects lie at multiples of a power of two.
        let address = context?.as_ptr() as u64;
        let hash = address.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        usize::try_from(hash).ok().map(|hash| hash % self.team.workers())
    }

    /// Sends a job off.
    ///
    /// # Errors
    ///
    /// The job has not been told: the caller fails or withdraws it.
    pub(crate) fn submit(&self, py: Python<'_>, job: Arc<Job>) -> PyResult<()> {
        match &self.gate {
            Some(gate) => gate.enter(py, job),
            None => self.team.submit(job),
        }
    }

    /// Sends many jobs off, in order.
    ///
    /// # Errors
    ///
    /// The jobs from the first that was rejected on have not been told.
    pub(crate) fn submit_batch(&self, py: Python<'_>, jobs: &[Arc<Job>]) -> PyResult<()> {
        match &self.gate {
            Some(gate) => jobs.iter().try_for_each(|job| gate.enter(py, job.clone())),
            None => self.team.submit_batch(jobs.iter().cloned()),
        }
    }
}
