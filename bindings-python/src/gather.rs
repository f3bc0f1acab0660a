//! The native half of `threaded_gather`: a slot for each outcome, and the countdown to the last.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU8, Ordering},
};

use pyo3::{
    intern,
    prelude::*,
    types::{PyList, PyWeakrefMethods, PyWeakrefReference},
};
use thrasks_gather::Slots;

use crate::{
    home::{Delivery, Home},
    imports,
    job::{self, Job, Place, Source, Spec},
    outcome::Outcome,
    pool::Workers,
    submission::Submission,
    sync::lock,
    team::Team,
};

/// Where the outcome of one job of a gather goes.
pub(crate) struct GatherPlace {
    gather: Arc<Gather>,
    index: usize,
}

impl GatherPlace {
    /// The task that called `threaded_gather`.
    pub(crate) fn caller<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.gather.task.as_ref()?.bind(py).upgrade()
    }

    /// Puts the outcome into its slot, on whichever thread it came about, and tells the caller's
    /// loop if it is the last one, or the first failure.
    pub(crate) fn put(&self, py: Python<'_>, outcome: Outcome) {
        let gather = &self.gather;
        let grade = match outcome {
            _ if gather.return_exceptions => 0,
            Outcome::Value(_) => 0,
            Outcome::Cancelled(_) => 1,
            Outcome::Error(_) => 2,
        };
        let worst_so_far = gather.worst.fetch_max(grade, Ordering::AcqRel) < grade;
        if worst_so_far {
            lock(&gather.failures).push(outcome.clone_ref(py));
        }
        let last = gather.slots.fill(self.index, outcome);
        if last {
            // From here: the caller's loop may be over before it has a look.
            gather.release();
        }
        if last || worst_so_far {
            gather.home.send(py, gather.clone());
        }
    }
}

/// One call of `threaded_gather`.
struct Gather {
    slots: Slots<Outcome>,
    return_exceptions: bool,
    /// 0: nothing went wrong; 1: one was cancelled; 2: one raised an exception.
    worst: AtomicU8,
    /// The first of each grade, until the caller is told. A cancellation may be the gather's own, and
    /// then an exception comes before it.
    failures: Mutex<Vec<Outcome>>,
    home: Arc<Home>,
    /// A weak reference to the task that called, if a task did.
    task: Option<Py<PyWeakrefReference>>,
    /// Whom to tell: an object with the methods `_failed(error)` and `_ended(outcomes)`.
    caller: Mutex<Option<Py<PyAny>>>,
    /// The lease, until the last job has ended; `None` on a pool of the caller's.
    leased: Mutex<Option<Arc<Team>>>,
}

impl Delivery for Gather {
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        // Looked at before the failures: each is there before its outcome counts, so those of the
        // last are seen with it.
        let over = self.slots.left() == 0;
        let failures = std::mem::take(&mut *lock(&self.failures));
        for failure in failures {
            let caller = lock(&self.caller).as_ref().map(|caller| caller.clone_ref(py));
            self.tell(py, caller, intern!(py, "_failed"), |py| failure.into_exception(py));
        }
        if over {
            // Both the last outcome and a failure may have sent this here: the first that comes
            // takes the caller.
            let caller = lock(&self.caller).take();
            self.tell(py, caller, intern!(py, "_ended"), |py| {
                let outcomes = PyList::empty(py);
                for outcome in self.slots.take_all().into_iter().flatten() {
                    outcomes.append(match outcome {
                        Outcome::Value(value) => value.into_bound(py),
                        other => other.into_exception(py)?,
                    })?;
                }
                Ok(outcomes.into_any())
            });
        }
    }

    fn discard(self: Arc<Self>, _py: Python<'_>) {
        let caller = lock(&self.caller).take();
        drop(caller);
    }
}

impl Gather {
    /// Gives the workers back, which nothing runs on any more.
    fn release(&self) {
        let leased = lock(&self.leased).take();
        if let Some(team) = leased {
            team.release(None);
        }
    }

    fn tell<'py>(
        &self,
        py: Python<'py>,
        caller: Option<Py<PyAny>>,
        method: &Bound<'py, pyo3::types::PyString>,
        argument: impl FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>>,
    ) {
        let Some(caller) = caller else { return };
        let told = argument(py).and_then(|argument| caller.call_method1(py, method, (argument,)));
        if let Err(error) = told {
            error.write_unraisable(py, Some(caller.bind(py)));
        }
    }
}

/// The jobs of one call of `threaded_gather`, as the caller's loop sees them.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Gather")]
pub(crate) struct GatherJobs {
    jobs: Vec<Arc<Job>>,
}

#[pymethods]
impl GatherJobs {
    /// Sends coroutines off to the workers. `caller._failed(error)` is called for the first that is
    /// cancelled and for the first that raises an exception (never with `return_exceptions`), and
    /// `caller._ended(outcomes)`, once, when the last has ended, with the results and exceptions in
    /// the order of the coroutines.
    ///
    /// Where this fails, those that have not started are closed, and those that have are cancelled.
    #[new]
    fn new(
        coroutines: &Bound<'_, PyList>,
        event_loop: &Bound<'_, PyAny>,
        workers: &Bound<'_, Workers>,
        caller: Py<PyAny>,
        return_exceptions: bool,
        max_concurrency: Option<usize>,
        private: bool,
    ) -> PyResult<Self> {
        let py = coroutines.py();
        let home = Home::of(event_loop)?;
        let team = workers.get().team().clone();
        let submission = Submission::new(team.clone(), max_concurrency);
        let task = imports::current_task(py)?.call1((event_loop,))?;
        let task = (!task.is_none()).then(|| PyWeakrefReference::new(&task)).transpose()?;
        let gather = Arc::new(Gather {
            slots: Slots::new(coroutines.len()),
            return_exceptions,
            worst: AtomicU8::new(0),
            failures: Mutex::new(Vec::new()),
            home: home.clone(),
            task: task.map(Bound::unbind),
            caller: Mutex::new(Some(caller)),
            leased: Mutex::new(private.then_some(team)),
        });
        let jobs = coroutines
            .iter()
            .enumerate()
            .map(|(index, coroutine)| {
                let spec = Spec::new(py, Source::Coroutine(coroutine.unbind()), None, None)?;
                let place = Place::Gather(GatherPlace { gather: gather.clone(), index });
                Ok(Job::new(spec, home.clone(), place, submission.gate().cloned(), None))
            })
            .collect::<PyResult<Vec<_>>>()
            .inspect_err(|_| coroutines.iter().for_each(|coroutine| job::close(&coroutine)))?;
        let sent = submission.submit_batch(py, &jobs);
        let this = Self { jobs };
        if let Err(error) = sent {
            // Some may run already. Nobody waits for them: the caller gets the error at once.
            let caller = lock(&gather.caller).take();
            drop(caller);
            for job in this.jobs.iter().rev() {
                job.fail_or_cancel(py, &error);
            }
            return Err(error);
        }
        Ok(this)
    }

    /// Asks every job to end. Returns whether any could be asked.
    #[pyo3(signature = (msg=None))]
    fn cancel(&self, py: Python<'_>, msg: Option<&Bound<'_, PyAny>>) -> bool {
        let mut asked = false;
        // The newest first, as in a group.
        for job in self.jobs.iter().rev() {
            let message = msg.map(|message| message.clone().unbind());
            asked |= !matches!(job.cancel(py, message), crate::job::Cancel::TooLate);
        }
        asked
    }
}
