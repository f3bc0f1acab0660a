//! The native half of `threaded_gather`: a slot for each outcome, and the countdown to the last.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU8, Ordering},
};

use pyo3::{
    exceptions::{PyException, PyRuntimeError},
    intern,
    prelude::*,
    types::{PyList, PyTuple, PyWeakrefMethods, PyWeakrefReference},
};
use thrasks_gather::Slots;

use crate::{
    carrier::Stock,
    home::{Delivery, Home},
    imports,
    job::{Job, Place},
    orders::Order,
    outcome::Outcome,
    pool::Workers,
    share::Taken,
    spec::{self, Snapshot, Source, Spec, Surroundings},
    submission::Submission,
    sync::{in_drop, lock},
    team::{Refused, Team},
    trace::{self, End, TaskId, TaskIds},
    worker::Worker,
};

/// Where the outcome of one job of a gather goes.
pub(crate) struct GatherPlace {
    gather: Arc<Gather>,
    index: usize,
}

impl GatherPlace {
    pub(crate) fn new(gather: Arc<Gather>, index: usize) -> Self {
        Self { gather, index }
    }

    /// Its job has ended on this worker, whose thread this is.
    pub(crate) fn finish_on(&self, worker: &Worker) {
        self.gather.finish_on(worker);
    }

    /// The job's number, if it is one of this gather.
    pub(crate) fn index_in(&self, gather: &Arc<Gather>) -> Option<usize> {
        Arc::ptr_eq(&self.gather, gather).then_some(self.index)
    }

    /// The job, as a trace knows it.
    pub(crate) fn traced(&self) -> TaskId {
        self.gather.traced(self.index)
    }

    /// The task that called `threaded_gather`.
    pub(crate) fn caller<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.gather.task.as_ref()?.bind(py).upgrade()
    }

    /// Puts the outcome into its slot, on whichever thread it came about.
    pub(crate) fn put(&self, py: Python<'_>, outcome: Outcome) {
        self.gather.put(py, self.index, outcome);
    }
}

/// A job of a gather on its way to a worker, which takes its coroutine when it arrives. Dropped on
/// the way, the job fails rather than hang its caller.
pub(crate) struct Item {
    /// Until it has arrived.
    gather: Option<Arc<Gather>>,
    index: usize,
}

impl Item {
    pub(crate) fn new(gather: Arc<Gather>, index: usize) -> Self {
        Self { gather: Some(gather), index }
    }

    pub(crate) fn gather(&self) -> &Arc<Gather> {
        self.gather.as_ref().expect("taken once, as this goes")
    }

    /// The job has arrived, or is taken back.
    pub(crate) fn into_parts(mut self) -> (Arc<Gather>, usize) {
        (self.gather.take().expect("taken once, here"), self.index)
    }

    /// Starts the job in a task of its own, on the thread of this worker, which has taken it up.
    /// Returns whether it has suspended.
    pub(crate) fn start_by_itself(self, py: Python<'_>, worker: &Arc<Worker>) -> bool {
        let (gather, index) = self.into_parts();
        let Some(coroutine) = gather.take(py, index) else {
            // It was cancelled.
            worker.finish();
            return false;
        };
        item_by_itself(py, worker, gather, index, coroutine)
    }

    /// The job cannot be run, though this worker has taken it up.
    pub(crate) fn fail(self, py: Python<'_>, worker: &Worker, error: PyErr) {
        worker.finish();
        let (gather, index) = self.into_parts();
        gather.fail(py, index, error);
    }
}

/// Starts a job of a gather whose coroutine was taken in a task of its own, on the thread of this
/// worker. Returns whether it has suspended.
pub(crate) fn item_by_itself(
    py: Python<'_>,
    worker: &Arc<Worker>,
    gather: Arc<Gather>,
    index: usize,
    coroutine: Bound<'_, PyAny>,
) -> bool {
    let context = match gather.snapshot.copy(py) {
        Ok(context) => context,
        Err(error) => {
            spec::close(&coroutine);
            gather.traced(index).end(End::Failed);
            gather.finish_on(worker);
            gather.put(py, index, Outcome::Error(error.into_value(py).into_any()));
            return false;
        }
    };
    let spec = Spec::in_context(
        Source::Coroutine(coroutine.unbind()),
        Surroundings::Own(context.unbind()),
    );
    let home = gather.home.clone();
    let place = Place::Gather(GatherPlace { gather, index });
    !Job::new(spec, home, place, None, None).start(py, worker)
}

impl Drop for Item {
    fn drop(&mut self) {
        if let Some(gather) = self.gather.take() {
            in_drop(|py| {
                let error = PyRuntimeError::new_err("the worker's event loop has ended");
                gather.fail(py, self.index, error);
            });
        }
    }
}

/// One call of `threaded_gather`.
///
/// Its jobs are nothing but numbers, until one has suspended or has to be a job by itself: each
/// coroutine is taken by the worker that starts it, or by whoever cancels it before.
pub(crate) struct Gather {
    slots: Slots<Outcome>,
    /// The coroutines, unless they are jobs by themselves from the start.
    stock: Stock,
    /// How many jobs the workers have taken, where they share what there is.
    taken: Taken,
    /// Whether the jobs go by way of the scheduler.
    scheduled: bool,
    traced: TaskIds,
    /// The context of the call, which each job has a copy of.
    snapshot: Arc<Snapshot>,
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
            self.call(py, caller, intern!(py, "_failed"), |py| failure.into_exception(py));
        }
        if over {
            // Both the last outcome and a failure may have sent this here: the first that comes
            // takes the caller.
            let caller = lock(&self.caller).take();
            self.call(py, caller, intern!(py, "_ended"), |py| {
                let outcomes = (0..self.slots.len()).filter_map(|index| self.slots.take(index));
                let outcomes: Vec<_> = outcomes
                    .map(|outcome| match outcome {
                        Outcome::Value(value) => Ok(value.into_bound(py)),
                        other => other.into_exception(py),
                    })
                    .collect::<PyResult<_>>()?;
                Ok(PyList::new(py, outcomes)?.into_any())
            });
            self.stock.clear(py);
        }
    }

    fn discard(self: Arc<Self>, _py: Python<'_>) {
        self.forget_caller();
    }
}

impl Gather {
    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// How many jobs there are.
    pub(crate) fn len(&self) -> usize {
        self.stock.len()
    }

    /// A job, as a trace knows it.
    pub(crate) fn traced(&self, index: usize) -> TaskId {
        self.traced.nth(index)
    }

    /// It has ended so, before anybody began with its coroutine.
    fn trace_unbegun(&self, index: usize, coroutine: &Bound<'_, PyAny>, how: End) {
        let traced = self.traced(index);
        if traced.is_traced() {
            trace::ended_unbegun(traced, trace::name_of_object(coroutine), how);
        }
    }

    pub(crate) fn taken(&self) -> &Taken {
        &self.taken
    }

    /// A job has ended on this worker, whose thread this is.
    pub(crate) fn finish_on(&self, worker: &Worker) {
        if self.scheduled { worker.finish() } else { worker.finish_taken() }
    }

    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Takes the coroutine of a job, which whoever does that starts, or closes.
    pub(crate) fn take<'py>(&self, py: Python<'py>, index: usize) -> Option<Bound<'py, PyAny>> {
        self.stock.take(py, index)
    }

    /// The coroutine has ended, and is the caller's loop's to let go of.
    pub(crate) fn give_back(&self, index: usize, coroutine: Py<PyAny>) {
        self.stock.give_back(index, coroutine);
    }

    /// Puts what a job has returned into its slot; it is yet to be [counted](Self::settle).
    pub(crate) fn place(&self, index: usize, value: Py<PyAny>) {
        self.slots.place(index, Outcome::Value(value));
    }

    /// Counts so many that were put into their slots.
    pub(crate) fn settle(self: &Arc<Self>, py: Python<'_>, count: usize) {
        if self.slots.settle(count) {
            self.tell(py, true);
        }
    }

    /// Puts an outcome into its slot, on whichever thread it came about, and tells the caller's loop
    /// if it is the last one, or the first failure.
    pub(crate) fn put(self: &Arc<Self>, py: Python<'_>, index: usize, outcome: Outcome) {
        let grade = match outcome {
            _ if self.return_exceptions => 0,
            Outcome::Value(_) => 0,
            Outcome::Cancelled(_) => 1,
            Outcome::Error(_) => 2,
        };
        let worst_so_far = self.worst.fetch_max(grade, Ordering::AcqRel) < grade;
        if worst_so_far {
            lock(&self.failures).push(outcome.clone_ref(py));
        }
        let last = self.slots.fill(index, outcome);
        if last || worst_so_far {
            self.tell(py, last);
        }
    }

    fn tell(self: &Arc<Self>, py: Python<'_>, over: bool) {
        self.home.send(py, self.clone());
        if over {
            // From here: the caller's loop may be over before it has a look. And not before that is
            // told: it need not wait for the workers to be woken once more.
            self.release();
        }
    }

    /// A job that will not be run: its coroutine is closed, unless somebody has taken that.
    pub(crate) fn fail(self: &Arc<Self>, py: Python<'_>, index: usize, error: PyErr) {
        if let Some(coroutine) = self.take(py, index) {
            self.trace_unbegun(index, &coroutine, End::Failed);
            spec::close(&coroutine);
            drop(coroutine);
            self.put(py, index, Outcome::Error(error.into_value(py).into_any()));
        }
    }

    /// Cancels the jobs that no worker has taken up, the newest first, as in a group.
    fn cancel_unstarted(self: &Arc<Self>, py: Python<'_>, message: Option<&Bound<'_, PyAny>>) {
        for index in (0..self.len()).rev() {
            if let Some(coroutine) = self.take(py, index) {
                self.traced(index).request_cancel();
                self.trace_unbegun(index, &coroutine, End::Cancelled);
                spec::close(&coroutine);
                drop(coroutine);
                let message = message.map(|message| message.clone().unbind());
                self.put(py, index, Outcome::Cancelled(message));
            }
        }
    }

    /// Has the workers cancel the others.
    fn cancel_started(self: &Arc<Self>, message: Option<&Bound<'_, PyAny>>) {
        let team = lock(&self.leased).clone();
        if let Some(team) = team {
            team.post_to_all(|| {
                let message = message.map(|message| message.clone().unbind());
                Order::CancelAll(self.clone(), message)
            });
        }
    }

    /// Cancels the jobs that have suspended on this worker, whose thread this is, the newest first.
    ///
    /// An order to do so is taken up between first steps: what has been taken up before has suspended
    /// by then, or ended.
    pub(crate) fn cancel_suspended(
        self: &Arc<Self>,
        py: Python<'_>,
        worker: &Worker,
        message: Option<&Py<PyAny>>,
    ) {
        let mut mine: Vec<_> = worker
            .suspended_jobs()
            .into_iter()
            .filter_map(|job| Some((job.index_in(self)?, job)))
            .collect();
        mine.sort_by_key(|(index, _)| std::cmp::Reverse(*index));
        for (_, job) in mine {
            job.traced().request_cancel();
            job.cancel_task(py, message.map(|message| message.clone_ref(py)));
        }
    }

    /// Nobody is to be told.
    fn forget_caller(&self) {
        let caller = lock(&self.caller).take();
        drop(caller);
    }

    /// Gives the workers back, which nothing runs on any more.
    fn release(&self) {
        let leased = lock(&self.leased).take();
        if let Some(team) = leased {
            team.release(None);
        }
    }

    fn call<'py>(
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
    gather: Arc<Gather>,
    /// Those that are jobs by themselves from the start.
    jobs: Vec<Arc<Job>>,
}

impl GatherJobs {
    /// The workers would not have some of `count` jobs: they fail, the newest first. The caller gets
    /// the error at once if that is all of them, or it is an interrupt; those that run end, then.
    fn refused(self, py: Python<'_>, refused: Refused, count: usize) -> PyResult<Self> {
        let Refused { first, error } = refused;
        let at_once = first == 0 || !error.is_instance_of::<PyException>(py);
        if at_once {
            self.gather.forget_caller();
        }
        for index in (first..count).rev() {
            match self.jobs.get(index) {
                Some(job) => job.fail(py, error.clone_ref(py)),
                None => self.gather.fail(py, index, error.clone_ref(py)),
            }
        }
        if !at_once {
            return Ok(self);
        }
        self.cancel(py, None);
        Err(error)
    }
}

#[pymethods]
impl GatherJobs {
    /// Sends coroutines off to the workers. `caller._failed(error)` is called for the first that is
    /// cancelled and for the first that raises an exception (never with `return_exceptions`), and
    /// `caller._ended(outcomes)`, once, when the last has ended, with the results and exceptions in
    /// the order of the coroutines.
    ///
    /// Where this fails, nothing has begun, and the coroutines are closed. Those that the workers
    /// refuse when others run already fail by themselves, with the error for their outcome.
    #[new]
    fn new(
        coroutines: &Bound<'_, PyTuple>,
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
        // Where jobs stand in a line or on a list, they are there one by one.
        let one_by_one = submission.gate().is_some() || team.keeps_list();
        let stocked = if one_by_one { 0 } else { coroutines.len() };
        let shared_out = !one_by_one && private && team.shares_out();
        let gather = Arc::new(Gather {
            slots: Slots::new(coroutines.len()),
            stock: Stock::new(coroutines.iter().take(stocked)),
            taken: Taken::default(),
            scheduled: !shared_out,
            traced: trace::accept_many(coroutines.len()),
            snapshot: Snapshot::new(imports::copy_context(py)?.call0()?),
            return_exceptions,
            worst: AtomicU8::new(0),
            failures: Mutex::new(Vec::new()),
            home: home.clone(),
            task: task.map(Bound::unbind),
            caller: Mutex::new(Some(caller)),
            leased: Mutex::new(private.then_some(team.clone())),
        });
        let (jobs, sent) = if shared_out {
            team.share_out(&gather);
            (Vec::new(), Ok(()))
        } else if !one_by_one {
            (Vec::new(), team.submit_items(&gather))
        } else {
            let jobs = coroutines
                .iter()
                .enumerate()
                .map(|(index, coroutine)| {
                    let source = Source::Coroutine(coroutine.unbind());
                    let context = Surroundings::CopyOf(gather.snapshot.clone());
                    let spec = Spec::in_context(source, context);
                    let place = Place::Gather(GatherPlace { gather: gather.clone(), index });
                    Job::new(spec, home.clone(), place, submission.gate().cloned(), None)
                })
                .collect::<Vec<_>>();
            let sent = submission.submit_batch(py, &jobs);
            (jobs, sent)
        };
        let this = Self { gather, jobs };
        match sent {
            Ok(()) => Ok(this),
            Err(refused) => this.refused(py, refused, coroutines.len()),
        }
    }

    /// Asks every job to end. Returns whether any could be asked.
    #[pyo3(signature = (msg=None))]
    fn cancel(&self, py: Python<'_>, msg: Option<&Bound<'_, PyAny>>) -> bool {
        let mut asked = self.gather.len() > 0 && self.gather.slots.left() > 0;
        if asked {
            self.gather.cancel_unstarted(py, msg);
            self.gather.cancel_started(msg);
        }
        // The newest first, as in a group.
        for job in self.jobs.iter().rev() {
            let message = msg.map(|message| message.clone().unbind());
            asked |= !matches!(job.cancel(py, message), crate::job::Cancel::TooLate);
        }
        asked
    }
}

/// Whether these are coroutines, made by calling coroutine functions, and no two are the same.
///
/// Then there is nothing else to find out about them.
#[pyfunction]
pub(crate) fn are_distinct_coroutines(aws: &Bound<'_, PyTuple>) -> PyResult<bool> {
    let class = imports::coroutine_type(aws.py())?;
    if aws.is_empty() || !aws.iter_borrowed().all(|one| one.get_type().is(class)) {
        return Ok(false);
    }
    let addresses = || aws.iter_borrowed().map(|one| one.as_ptr() as usize);
    // As they lie in memory when they were made one after the other, if there was room.
    if addresses().is_sorted_by(|one, next| one < next) {
        return Ok(true);
    }
    let mut sorted: Vec<_> = addresses().collect();
    sorted.sort_unstable();
    Ok(sorted.windows(2).all(|pair| pair[0] != pair[1]))
}
