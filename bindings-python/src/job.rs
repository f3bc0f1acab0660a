//! One coroutine on its way: from its caller's thread to a worker's loop, and its outcome back.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use pyo3::{
    exceptions::{PyRuntimeError, PyTypeError},
    intern,
    prelude::*,
    types::PyDict,
};
use thrasks_group::Ticket;

use crate::{
    gate::Gate,
    gather::GatherPlace,
    handle::HandlePlace,
    home::{Delivery, Home},
    imports,
    orders::Order,
    sync::lock,
    team::Team,
    worker::Worker,
};

/// What a task is made of, on the worker.
pub(crate) struct Spec {
    pub(crate) coroutine: Py<PyAny>,
    /// Entered by every step of the task.
    pub(crate) context: Py<PyAny>,
    /// Further keywords for `asyncio.Task`.
    pub(crate) keywords: Option<Py<PyDict>>,
}

impl Spec {
    /// What a task is made of when its caller gave these arguments.
    pub(crate) fn new(
        py: Python<'_>,
        coroutine: &Bound<'_, PyAny>,
        context: Option<&Bound<'_, PyAny>>,
        keywords: Option<Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let context = match context {
            // The calling task is in its own context right now, and on another thread than the new
            // one will be.
            Some(context) if imports::is_own_context(context)? => {
                context.call_method0(intern!(py, "copy"))?
            }
            Some(context) => context.clone(),
            None => imports::copy_context(py)?.call0()?,
        };
        Ok(Self {
            coroutine: coroutine.clone().unbind(),
            context: context.unbind(),
            keywords: keywords.map(Bound::unbind),
        })
    }
}

/// How a task ended.
pub(crate) enum Outcome {
    Value(Py<PyAny>),
    Error(Py<PyAny>),
    /// Cancelled, with the message of the cancellation.
    Cancelled(Option<Py<PyAny>>),
}

/// Where an outcome goes.
pub(crate) enum Place {
    /// To the handle that `create_task` or `run` returned.
    Handle(HandlePlace),
    /// To its slot in a gather.
    Gather(GatherPlace),
}

/// One coroutine on its way.
///
/// # The life of a job
///
/// *waiting* (in a scheduler, or behind a concurrency limit) → *starting* (a worker has taken it and
/// makes the task) → *running* (the task has suspended) → *ended*. A cancelled job that waits goes
/// to *ended* at once: what the scheduler holds of it is a shell, which the worker passes over.
///
/// One lock guards the state. Each transition is made by one thread: out of *waiting* by whoever
/// takes the lock first, worker or canceller; all the others by the worker.
pub(crate) struct Job {
    state: Mutex<State>,
    /// The name that it was given, if it was given one.
    name: Mutex<Option<Py<PyAny>>>,
    home: Arc<Home>,
    place: Place,
    /// What bounds how many jobs of its group run at once, if anything does.
    gate: Option<Arc<Gate>>,
    /// The worker it has to run on, if that matters.
    pinned: Option<usize>,
    /// Whether it counts at the gate. Whoever swaps it to false tells the gate.
    at_gate: AtomicBool,
    /// Where it is listed while it is under way, if its team keeps a list.
    listed: Mutex<Option<(Arc<Team>, Ticket)>>,
    /// How often cancellation was asked for: what `cancelling()` says.
    cancel_requests: AtomicUsize,
}

enum State {
    Waiting(Spec),
    Starting(Arc<Worker>),
    Running {
        worker: Arc<Worker>,
        task: Py<PyAny>,
    },
    /// The outcome, until it is delivered.
    Ended(Option<Outcome>),
}

/// What came of a request to cancel.
pub(crate) enum Cancel {
    /// The job had not started; it never will.
    Unstarted,
    /// The worker will be told.
    Requested,
    /// It has ended already.
    TooLate,
}

impl Job {
    pub(crate) fn new(
        spec: Spec,
        name: Option<Py<PyAny>>,
        home: Arc<Home>,
        place: Place,
        gate: Option<Arc<Gate>>,
        pinned: Option<usize>,
    ) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::Waiting(spec)),
            name: Mutex::new(name),
            home,
            place,
            gate,
            pinned,
            at_gate: AtomicBool::new(false),
            listed: Mutex::new(None),
            cancel_requests: AtomicUsize::new(0),
        })
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    pub(crate) fn pinned(&self) -> Option<usize> {
        self.pinned
    }

    /// Where the outcome goes, of a job that has a handle.
    pub(crate) fn handle_place(&self) -> Option<&HandlePlace> {
        match &self.place {
            Place::Handle(place) => Some(place),
            Place::Gather(_) => None,
        }
    }

    pub(crate) fn cancel_requests(&self) -> &AtomicUsize {
        &self.cancel_requests
    }

    /// Starts the job on this worker's loop, whose thread this is. Returns whether it has ended (or
    /// never was): the loop may go on with another job at once.
    pub(crate) fn start(self: &Arc<Self>, py: Python<'_>, worker: &Arc<Worker>) -> bool {
        let taken = {
            let mut state = lock(&self.state);
            match &*state {
                State::Waiting(_) => {
                    Some(std::mem::replace(&mut *state, State::Starting(worker.clone())))
                }
                _ => None,
            }
        };
        let Some(State::Waiting(spec)) = taken else {
            worker.finish();
            return true;
        };
        let started = worker.make_task(py, &spec, self.name(py), &self.home.settings);
        if started.is_err() {
            close_coroutine(py, &spec);
        }
        drop(spec);
        match started {
            Err(error) => {
                // The task could not be made; or its first step raised KeyboardInterrupt or
                // SystemExit, which asyncio lets through after the task has taken note of it.
                self.end(py, worker, Outcome::Error(error.into_value(py).into_any()));
                true
            }
            Ok(task) => {
                if let Ok(Some(outcome)) = Outcome::of(&task) {
                    drop(task);
                    self.end(py, worker, outcome);
                    return true;
                }
                let watch = Watch { job: self.clone(), worker: worker.clone() };
                *lock(&self.state) =
                    State::Running { worker: worker.clone(), task: task.clone().unbind() };
                if let Err(error) = Py::new(py, watch)
                    .and_then(|watch| task.call_method1(intern!(py, "add_done_callback"), (watch,)))
                {
                    self.end(py, worker, Outcome::Error(error.into_value(py).into_any()));
                }
                false
            }
        }
    }

    /// The job has ended on this worker.
    fn end(self: &Arc<Self>, py: Python<'_>, worker: &Worker, outcome: Outcome) {
        let old = std::mem::replace(&mut *lock(&self.state), State::Ended(None));
        // Before the outcome is on its way: what the worker made dies on the worker's own thread,
        // not some time later when another thread lets go of the last reference.
        drop(old);
        worker.finish();
        self.deliver_outcome(py, outcome);
    }

    /// The job will not be run: its pool is closed, its loop could not be made, or has died.
    pub(crate) fn fail(self: &Arc<Self>, py: Python<'_>, error: PyErr) {
        let old = {
            let mut state = lock(&self.state);
            match &*state {
                State::Ended(_) => return,
                _ => std::mem::replace(&mut *state, State::Ended(None)),
            }
        };
        if let State::Waiting(spec) = old {
            close_coroutine(py, &spec);
        }
        self.deliver_outcome(py, Outcome::Error(error.into_value(py).into_any()));
    }

    /// The gate has let the job through. Returns whether it goes on: it may have been cancelled while
    /// it waited there, and then counts no more.
    ///
    /// A canceller first sets the state and then swaps the flag; this sets the flag and then looks
    /// at the state. So at least one of the two sees the other, and the swap lets only one act.
    pub(crate) fn pass_gate(&self) -> bool {
        self.at_gate.store(true, Ordering::SeqCst);
        let waits = matches!(*lock(&self.state), State::Waiting(_));
        waits || !self.at_gate.swap(false, Ordering::SeqCst)
    }

    /// The batch that the job was in has failed: it ends as well, started or not.
    pub(crate) fn fail_or_cancel(self: &Arc<Self>, py: Python<'_>, error: &PyErr) {
        let waits = matches!(*lock(&self.state), State::Waiting(_));
        if waits {
            self.fail(py, error.clone_ref(py));
        } else {
            self.cancel(py, None);
        }
    }

    /// Its team has listed the job.
    pub(crate) fn enlisted(&self, team: Arc<Team>, ticket: Ticket) {
        *lock(&self.listed) = Some((team, ticket));
    }

    /// Takes the job off its team's list.
    fn strike(&self, py: Python<'_>) {
        let listed = lock(&self.listed).take();
        if let Some((team, ticket)) = listed {
            team.strike(py, ticket);
        }
    }

    /// Takes the job back before anybody was told of it: its coroutine is closed, and no outcome is
    /// delivered.
    pub(crate) fn withdraw(&self, py: Python<'_>) {
        let old = std::mem::replace(&mut *lock(&self.state), State::Ended(None));
        self.strike(py);
        if let State::Waiting(spec) = old {
            close_coroutine(py, &spec);
        }
    }

    fn deliver_outcome(self: &Arc<Self>, py: Python<'_>, outcome: Outcome) {
        if let Some(gate) = &self.gate
            && self.at_gate.swap(false, Ordering::SeqCst)
        {
            gate.leave(py);
        }
        self.strike(py);
        match &self.place {
            Place::Gather(place) => place.put(py, outcome),
            Place::Handle(_) => {
                *lock(&self.state) = State::Ended(Some(outcome));
                self.home.send(py, self.clone());
            }
        }
    }

    /// Asks the job to end, from any thread.
    pub(crate) fn cancel(self: &Arc<Self>, py: Python<'_>, message: Option<Py<PyAny>>) -> Cancel {
        enum Found {
            Waiting(State),
            On(Arc<Worker>),
            Ended,
        }
        let found = {
            let mut state = lock(&self.state);
            match &*state {
                State::Waiting(_) => {
                    Found::Waiting(std::mem::replace(&mut *state, State::Ended(None)))
                }
                State::Starting(worker) | State::Running { worker, .. } => {
                    Found::On(worker.clone())
                }
                State::Ended(_) => Found::Ended,
            }
        };
        match found {
            Found::Waiting(waiting) => {
                self.cancel_requests.fetch_add(1, Ordering::Relaxed);
                if let State::Waiting(spec) = waiting {
                    close_coroutine(py, &spec);
                }
                self.deliver_outcome(py, Outcome::Cancelled(message));
                Cancel::Unstarted
            }
            Found::On(worker) => {
                self.cancel_requests.fetch_add(1, Ordering::Relaxed);
                // A loop that has ended has cancelled what ran on it.
                let _ = worker.handle().post(Order::Cancel(self.clone(), message));
                Cancel::Requested
            }
            Found::Ended => Cancel::TooLate,
        }
    }

    /// Passes a cancellation on to the task. On the worker's thread.
    pub(crate) fn cancel_task(&self, py: Python<'_>, message: Option<Py<PyAny>>) -> PyResult<()> {
        if let Some(task) = self.task(py) {
            task.call_method1(intern!(py, "cancel"), (message,))?;
        }
        Ok(())
    }

    /// The task, while it runs and has suspended.
    pub(crate) fn task<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        match &*lock(&self.state) {
            State::Running { task, .. } => Some(task.bind(py).clone()),
            _ => None,
        }
    }

    /// A part of what the job is made of, while it waits.
    pub(crate) fn spec<R>(&self, read: impl FnOnce(&Spec) -> R) -> Option<R> {
        match &*lock(&self.state) {
            State::Waiting(spec) => Some(read(spec)),
            _ => None,
        }
    }

    /// The name that the task was given, if it was given one.
    pub(crate) fn name(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.name).as_ref().map(|name| name.clone_ref(py))
    }

    /// Gives the task another name. One that runs already is to be told as well.
    pub(crate) fn rename(&self, name: Py<PyAny>) {
        let old = lock(&self.name).replace(name);
        drop(old);
    }

    /// The name of the worker that runs it.
    pub(crate) fn worker(&self) -> Option<Arc<Worker>> {
        match &*lock(&self.state) {
            State::Starting(worker) | State::Running { worker, .. } => Some(worker.clone()),
            _ => None,
        }
    }

    pub(crate) fn take_outcome(&self) -> Option<Outcome> {
        match &mut *lock(&self.state) {
            State::Ended(outcome) => outcome.take(),
            _ => None,
        }
    }
}

impl Delivery for Job {
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        if let (Place::Handle(place), Some(outcome)) = (&self.place, self.take_outcome()) {
            place.settle(py, outcome);
        }
    }

    fn discard(self: Arc<Self>, py: Python<'_>) {
        let outcome = self.take_outcome();
        if let Place::Handle(place) = &self.place {
            place.abandon(py);
        }
        drop(outcome);
    }
}

impl Outcome {
    /// The outcome of a task, if that has ended.
    fn of(task: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = task.py();
        if !task.call_method0(intern!(py, "done"))?.is_truthy()? {
            return Ok(None);
        }
        if task.call_method0(intern!(py, "cancelled"))?.is_truthy()? {
            // The message is in the error that the task keeps, if anywhere.
            let error = task.call_method0(intern!(py, "_make_cancelled_error"))?;
            let message = error.getattr(intern!(py, "args"))?.get_item(0).ok();
            return Ok(Some(Self::Cancelled(message.map(Bound::unbind))));
        }
        // Also marks the exception as retrieved: it is the handle's from now on.
        let error = task.call_method0(intern!(py, "exception"))?;
        if !error.is_none() {
            return Ok(Some(Self::Error(error.unbind())));
        }
        Ok(Some(Self::Value(task.call_method0(intern!(py, "result"))?.unbind())))
    }
}

/// The done callback of a task that suspended.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Watch")]
struct Watch {
    job: Arc<Job>,
    worker: Arc<Worker>,
}

#[pymethods]
impl Watch {
    fn __call__(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Some(outcome) = Outcome::of(task)? {
            self.job.end(task.py(), &self.worker, outcome);
        }
        Ok(())
    }
}

/// A job on its way to a worker. Dropped on the way, the job fails rather than hang its caller.
pub(crate) struct Sent(Option<Arc<Job>>);

impl Sent {
    pub(crate) fn new(job: Arc<Job>) -> Self {
        Self(Some(job))
    }

    /// The job has arrived, or is taken back.
    pub(crate) fn into_job(mut self) -> Arc<Job> {
        self.0.take().expect("taken once, here")
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(job) = self.0.take() {
            Python::attach(|py| {
                job.fail(py, PyRuntimeError::new_err("the worker's event loop has ended"));
            });
        }
    }
}

/// Closes a coroutine that will not run, so that it does not complain that it never did.
pub(crate) fn close_coroutine(py: Python<'_>, spec: &Spec) {
    if let Err(error) = spec.coroutine.call_method0(py, intern!(py, "close")) {
        error.write_unraisable(py, Some(spec.coroutine.bind(py)));
    }
}

/// Refuses what is not a coroutine, with asyncio's words.
pub(crate) fn check_coroutine(coroutine: &Bound<'_, PyAny>) -> PyResult<()> {
    // A future may pass for a coroutine, but belongs to the loop it is on.
    if imports::is_coroutine(coroutine)?
        && !coroutine.is_instance(imports::future(coroutine.py())?)?
    {
        return Ok(());
    }
    Err(PyTypeError::new_err(format!("a coroutine was expected, got {}", imports::repr(coroutine))))
}
