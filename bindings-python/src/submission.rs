//! The way of a job to its team.

use std::sync::{Arc, Mutex, Weak};

use pyo3::prelude::*;

use crate::{
    gate::Gate,
    handle::{HandlePlace, JobRef},
    home::Home,
    job::{Job, Place},
    pins::Pin,
    spec::{self, Snapshot, Source, Spec, Surroundings},
    team::{Refused, Team},
};

/// A team, and the gate in front of it.
pub(crate) struct Submission {
    /// What the context of the last job is a copy of.
    last: Mutex<Weak<Snapshot>>,
    team: Arc<Team>,
    gate: Option<Arc<Gate>>,
}

impl Submission {
    pub(crate) fn new(team: Arc<Team>, max_concurrency: Option<usize>) -> Self {
        let gate = max_concurrency.map(|limit| Gate::new(limit, team.clone()));
        Self { last: Mutex::default(), team, gate }
    }

    pub(crate) fn team(&self) -> &Arc<Team> {
        &self.team
    }

    pub(crate) fn last(&self) -> &Mutex<Weak<Snapshot>> {
        &self.last
    }

    pub(crate) fn gate(&self) -> Option<&Arc<Gate>> {
        self.gate.as_ref()
    }

    /// Pins a job to the worker for its context, if it shares that with others.
    pub(crate) fn pin(&self, py: Python<'_>, spec: &Spec) -> PyResult<Option<Pin>> {
        match &spec.context {
            Surroundings::Own(context) if spec.shares_context => {
                Pin::new(&self.team, context.bind(py)).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Runs something for the loop that runs here. Returns its handle. Where that fails, the
    /// coroutine is closed.
    pub(crate) fn run<'py>(
        &self,
        py: Python<'py>,
        source: Source,
        name: Option<Bound<'py, PyAny>>,
        context: Option<&Bound<'py, PyAny>>,
        event_loop: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let coroutine = source.made(py);
        let (job, name) = (|| {
            let name = spec::check_arguments(name, None)?;
            let spec = Spec::new(py, source, context, None, &self.last)?;
            let pin = self.pin(py, &spec)?;
            let place = Place::Handle(HandlePlace::default());
            let gate = self.gate.clone();
            Ok((Job::new(spec, Home::of(event_loop)?, place, gate, pin), name))
        })()
        .inspect_err(|_: &PyErr| {
            if let Some(coroutine) = &coroutine {
                spec::close(coroutine.bind(py));
            }
        })?;
        // From here on it is the job's.
        drop(coroutine);
        self.send_off(py, &job, name)
    }

    /// Sends off a job that is to have a handle. Returns that.
    pub(crate) fn send_off<'py>(
        &self,
        py: Python<'py>,
        job: &Arc<Job>,
        name: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (handle, reference) = JobRef::make_handle(py, job, name)?;
        if let Some(place) = job.handle_place() {
            place.fill(handle.clone().unbind(), reference);
        }
        if let Err(error) = self.submit(py, job) {
            job.withdraw(py);
            if let Some(place) = job.handle_place() {
                place.clear();
            }
            return Err(error);
        }
        Ok(handle)
    }

    /// Sends a job off.
    ///
    /// # Errors
    ///
    /// The job has not been told: the caller fails or withdraws it.
    pub(crate) fn submit(&self, py: Python<'_>, job: &Arc<Job>) -> PyResult<()> {
        let sent = match &self.gate {
            Some(gate) => gate.enter(py, job.clone()),
            None => self
                .team
                .submit_one_of_many(job.clone())
                .map(|()| self.team.rouse_soon(py, job.home())),
        };
        // Another thread may have cancelled it on its way, and its workers are gone for that reason:
        // it has an outcome, and nobody needs to run it.
        if job.has_ended() { Ok(()) } else { sent }
    }

    /// Sends many jobs off, in order.
    ///
    /// # Errors
    ///
    /// Which is the first that was rejected: the jobs from that one on have not been told.
    pub(crate) fn submit_batch(&self, py: Python<'_>, jobs: &[Arc<Job>]) -> Result<(), Refused> {
        let Some(gate) = &self.gate else { return self.team.submit_batch(jobs) };
        jobs.iter().enumerate().try_for_each(|(first, job)| {
            gate.enter(py, job.clone()).map_err(|error| Refused { first, error })
        })
    }
}
