//! Jobs of one executor on the loops of other threads: its native half.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use pyo3::{
    exceptions::PyRuntimeError,
    prelude::*,
    types::{PyDict, PyTuple},
};
use thrasks_group::{GroupState, Ticket};

use crate::{
    handle::{HandlePlace, JobRef},
    home::{Delivery, Home},
    job::{Job, Place},
    mapping::{MapJobs, MapPlace, Via},
    pool::Workers,
    spec::{self, Source, Spec},
    submission::Submission,
    sync::lock,
    team::resolve,
};

/// Runs jobs on leased loops, at most so many at once, and knows which have not ended.
///
/// The jobs hold their owner, the Python object whose native half this is, as long as any of them has
/// not ended: `owner` does it for them. Otherwise nothing here holds anything of Python's, the loop
/// included: the collector does not look in here.
pub(crate) struct Pooled {
    submission: Submission,
    /// The loops are the executor's own, to be given back when it is closed and nothing is left.
    private: bool,
    /// No job comes any more. The group of them would admit some until the last one has left.
    closed: AtomicBool,
    members: GroupState<Arc<Job>, ()>,
    /// Taken and set on the caller's loop only.
    owner: Mutex<Option<Py<PyAny>>>,
    /// Futures of the caller's loop, to be resolved when nothing is left.
    waiters: Mutex<Vec<Py<PyAny>>>,
}

impl Pooled {
    /// Makes a job, which is one of these from now on, and is to be sent.
    ///
    /// # Errors
    ///
    /// The executor is closed. So is a coroutine then.
    fn admit(
        self: &Arc<Self>,
        owner: &Bound<'_, PyAny>,
        event_loop: &Bound<'_, PyAny>,
        source: Source,
        place: Place,
    ) -> PyResult<Arc<Job>> {
        let py = owner.py();
        let home = Home::of(event_loop)?;
        let spec = Spec::new(py, source, None, None, self.submission.last())?;
        let gate = self.submission.gate().cloned();
        let job = Job::new(spec, home, place, gate, None);
        let ticket = if self.closed.load(Ordering::Acquire) {
            None
        } else {
            self.members.admit(job.clone()).ok()
        };
        let Some(ticket) = ticket else {
            job.withdraw(py);
            let text = "cannot schedule new futures after shutdown";
            return Err(PyRuntimeError::new_err(text));
        };
        job.belongs_to(self.clone(), ticket);
        let mut known = lock(&self.owner);
        if known.is_none() {
            *known = Some(owner.clone().unbind());
        }
        Ok(job)
    }

    /// Runs something, for the caller's loop. Returns its handle.
    fn run<'py>(
        self: &Arc<Self>,
        owner: &Bound<'py, PyAny>,
        event_loop: &Bound<'py, PyAny>,
        source: Source,
        name: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let place = Place::Handle(HandlePlace::default());
        let job = self.admit(owner, event_loop, source, place)?;
        self.submission.send_off(owner.py(), &job, name)
    }

    /// Runs something, the outcome of which goes to its place in a map.
    pub(crate) fn run_for(
        self: &Arc<Self>,
        owner: &Bound<'_, PyAny>,
        event_loop: &Bound<'_, PyAny>,
        source: Source,
        place: MapPlace,
    ) -> PyResult<Arc<Job>> {
        let py = owner.py();
        let job = self.admit(owner, event_loop, source, Place::Map(place))?;
        self.submission.submit(py, &job).inspect_err(|_| job.withdraw(py))?;
        Ok(job)
    }

    /// A job has ended, and its outcome is delivered.
    pub(crate) fn left(self: &Arc<Self>, py: Python<'_>, home: &Arc<Home>, ticket: Ticket) {
        if self.members.leave(ticket, None).drained {
            if home.is_here(py) {
                self.drained(py);
            } else {
                home.send(py, Arc::new(Drained { pooled: self.clone(), _home: home.clone() }));
            }
        }
    }

    /// Nothing is left. On the caller's loop.
    fn drained(&self, py: Python<'_>) {
        self.release();
        if !self.members.is_empty() {
            // There is, by now: whoever waits goes on waiting.
            return;
        }
        let waiters = std::mem::take(&mut *lock(&self.waiters));
        let owner = lock(&self.owner).take();
        for waiter in waiters {
            if let Err(error) = resolve(waiter.bind(py)) {
                error.write_unraisable(py, None);
            }
        }
        drop(owner);
    }

    /// Gives the loops back, if they are the executor's own and no job comes any more.
    fn release(&self) {
        if self.private && self.members.is_finished() {
            self.submission.team().release(None);
        }
    }
}

/// Nothing is left.
struct Drained {
    pooled: Arc<Pooled>,
    /// A home lives as long as anything is on its way to it.
    _home: Arc<Home>,
}

impl Delivery for Drained {
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        self.pooled.drained(py);
    }

    fn discard(self: Arc<Self>, _py: Python<'_>) {
        self.pooled.release();
        let owner = lock(&self.pooled.owner).take();
        let waiters = std::mem::take(&mut *lock(&self.pooled.waiters));
        drop((owner, waiters));
    }
}

/// The jobs of an executor. All methods but `close` are called on the caller's loop.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_PooledJobs")]
pub(crate) struct PooledJobs(Arc<Pooled>);

#[pymethods]
impl PooledJobs {
    /// On these loops, which are the executor's own if they are private; for at most so many jobs at
    /// once.
    #[new]
    fn new(workers: &Bound<'_, Workers>, max_workers: usize, private: bool) -> Self {
        let members = GroupState::new();
        let _ = members.enter();
        Self(Arc::new(Pooled {
            submission: Submission::new(workers.get().team().clone(), Some(max_workers)),
            private,
            closed: AtomicBool::new(false),
            members,
            owner: Mutex::new(None),
            waiters: Mutex::default(),
        }))
    }

    /// Calls a function on a worker, and runs the coroutine that it returns. Returns its handle.
    fn call<'py>(
        &self,
        owner: &Bound<'py, PyAny>,
        event_loop: &Bound<'py, PyAny>,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
        name: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.0.run(owner, event_loop, Source::call(function, args, kwargs), name)
    }

    /// Runs a coroutine. Returns its handle.
    fn run<'py>(
        &self,
        owner: &Bound<'py, PyAny>,
        event_loop: &Bound<'py, PyAny>,
        coroutine: &Bound<'py, PyAny>,
        name: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        spec::check_coroutine(coroutine)?;
        self.0.run(owner, event_loop, Source::Coroutine(coroutine.clone().unbind()), name)
    }

    /// A map. `tell` is called when there are more results.
    fn map(&self, bound: Option<usize>, ordered: bool, tell: Option<Py<PyAny>>) -> MapJobs {
        MapJobs::new(Via::Workers(self.0.clone()), bound, ordered, tell)
    }

    /// Takes no more jobs. Those there are go on, and the last of them gives the loops back. From any
    /// thread.
    fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        if self.0.members.begin_exit() {
            self.0.release();
        }
    }

    /// Cancels the jobs that have not started, the newest first.
    fn cancel_queued(&self, py: Python<'_>) {
        for job in self.0.members.members_with(Arc::clone).into_iter().rev() {
            if job.cancel_unstarted(py, None) {
                JobRef::deliver_here(py, job);
            }
        }
    }

    /// Asks all jobs to end, the newest first.
    fn cancel_all(&self, py: Python<'_>) {
        for job in self.0.members.members_with(Arc::clone).into_iter().rev() {
            job.cancel(py, None);
        }
    }

    /// How many jobs have not ended.
    fn __len__(&self) -> usize {
        self.0.members.len()
    }

    /// Resolves a future when no job is left.
    fn wait(&self, future: &Bound<'_, PyAny>) -> PyResult<()> {
        lock(&self.0.waiters).push(future.clone().unbind());
        // The last one may have left just before.
        if self.0.members.is_empty() { resolve(future) } else { Ok(()) }
    }
}
