//! The way of a job to its team.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::{
    gate::Gate,
    job::{Job, Spec},
    pins::Pin,
    team::Team,
};

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

    /// Pins a job to the worker for its context, if it shares that with others.
    pub(crate) fn pin(&self, py: Python<'_>, spec: &Spec) -> PyResult<Option<Pin>> {
        spec.shares_context.then(|| Pin::new(&self.team, spec.context.bind(py))).transpose()
    }

    /// Sends a job off.
    ///
    /// # Errors
    ///
    /// The job has not been told: the caller fails or withdraws it.
    pub(crate) fn submit(&self, py: Python<'_>, job: &Arc<Job>) -> PyResult<()> {
        let sent = match &self.gate {
            Some(gate) => gate.enter(py, job.clone()),
            None => self.team.submit(job.clone()),
        };
        // Another thread may have cancelled it on its way, and its workers are gone for that reason:
        // it has an outcome, and nobody needs to run it.
        if job.has_ended() { Ok(()) } else { sent }
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
