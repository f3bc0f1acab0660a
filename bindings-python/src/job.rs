//! One coroutine on its way: from its caller's thread to a worker's loop, and its outcome back.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use pyo3::{exceptions::PyRuntimeError, intern, prelude::*};
use thrasks_group::Ticket;

use crate::{
    gate::Gate,
    gather::{Gather, GatherPlace},
    handle::HandlePlace,
    home::{Delivery, Home},
    imports,
    mapping::MapPlace,
    orders::Order,
    outcome::Outcome,
    pins::Pin,
    pooled::Pooled,
    spec::{Snapshot, Source, Spec, Surroundings},
    sync::{in_drop, lock},
    team::Team,
    ties::Ties,
    trace::{self, End, TaskId},
    worker::Worker,
};

/// Where an outcome goes.
pub(crate) enum Place {
    /// To the handle that `create_task` or `run` returned.
    Handle(HandlePlace),
    /// To its slot in a gather.
    Gather(GatherPlace),
    /// To its place in a map.
    Map(MapPlace),
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
    home: Arc<Home>,
    place: Place,
    /// What bounds how many jobs of its group run at once, if anything does.
    gate: Option<Arc<Gate>>,
    /// Whether it counts at the gate. Whoever swaps it to false tells the gate.
    at_gate: AtomicBool,
    ties: Ties,
    traced: TaskId,
}

enum State {
    Waiting(Spec),
    /// What its context was copied from is kept here in a carrier: the caller's loop, which counts
    /// those who refer to it as it makes jobs, lets go of it.
    Starting(Arc<Worker>, Option<Arc<Snapshot>>),
    Running {
        worker: Arc<Worker>,
        task: Py<PyAny>,
    },
    /// The outcome, until it is delivered.
    Ended(Option<Parcel>),
}

/// What goes back to the caller's loop.
struct Parcel {
    /// `None` where it has gone another way.
    outcome: Option<Outcome>,
    /// What that loop is to let go of.
    rest: Option<(Py<PyAny>, Option<Arc<Snapshot>>)>,
}

/// What came of an attempt to have a carrier start a job.
pub(crate) enum Boarding {
    /// The job's coroutine, and what its context is to be a copy of, where that was not known.
    Done(Py<PyAny>, Option<Arc<Snapshot>>),
    /// It was cancelled.
    Over,
    /// It needs another carrier, or a task of its own.
    Refused,
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
        home: Arc<Home>,
        place: Place,
        gate: Option<Arc<Gate>>,
        pin: Option<Pin>,
    ) -> Arc<Self> {
        Self::in_state(State::Waiting(spec), home, place, gate, pin)
    }

    fn in_state(
        state: State,
        home: Arc<Home>,
        place: Place,
        gate: Option<Arc<Gate>>,
        pin: Option<Pin>,
    ) -> Arc<Self> {
        let traced = match &place {
            Place::Gather(place) => place.traced(),
            Place::Handle(_) | Place::Map(_) => trace::accept(),
        };
        Arc::new(Self {
            traced,
            state: Mutex::new(state),
            home,
            place,
            gate,
            at_gate: AtomicBool::new(false),
            ties: Ties::pinned(pin),
        })
    }

    /// The job, as a trace knows it.
    pub(crate) fn traced(&self) -> TaskId {
        self.traced
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// The worker it has to run on, if that matters.
    pub(crate) fn pinned(&self) -> Option<usize> {
        self.ties.pin()
    }

    fn unpin(&self) {
        drop(self.ties.take_pin());
    }

    /// Where the outcome goes, of a job that has a handle.
    pub(crate) fn handle_place(&self) -> Option<&HandlePlace> {
        match &self.place {
            Place::Handle(place) => Some(place),
            Place::Gather(_) | Place::Map(_) => None,
        }
    }

    /// If the job waits, it goes on to this state: what its task is made of is the caller's to start,
    /// or to close. In one look: others may be about to do the same.
    fn take_spec(&self, next: State) -> Option<Spec> {
        let mut state = lock(&self.state);
        match std::mem::replace(&mut *state, next) {
            State::Waiting(spec) => Some(spec),
            other => {
                *state = other;
                None
            }
        }
    }

    /// Has a carrier start the job: one of jobs whose context is a copy of `base`, or a new one. It
    /// carries those that were given nothing of their own.
    pub(crate) fn board(
        &self,
        py: Python<'_>,
        worker: &Arc<Worker>,
        base: Option<&Arc<Snapshot>>,
    ) -> Boarding {
        // A task is told its name as it is made.
        if self.handle_place().is_some_and(|place| place.name(py).is_some()) {
            return Boarding::Refused;
        }
        let mut state = lock(&self.state);
        let State::Waiting(spec) = &*state else { return Boarding::Over };
        let Spec { source, context, keywords, shares_context: _ } = spec;
        let (Source::Coroutine(_), Surroundings::CopyOf(snapshot), None) =
            (source, context, keywords)
        else {
            return Boarding::Refused;
        };
        if base.is_some_and(|base| !Arc::ptr_eq(base, snapshot)) {
            return Boarding::Refused;
        }
        let new = base.is_none().then(|| snapshot.clone());
        let State::Waiting(Spec {
            source: Source::Coroutine(coroutine),
            context: Surroundings::CopyOf(snapshot),
            ..
        }) = std::mem::replace(&mut *state, State::Ended(None))
        else {
            unreachable!("looked at under the same lock");
        };
        *state = State::Starting(worker.clone(), Some(snapshot));
        Boarding::Done(coroutine, new)
    }

    /// The carrier has not begun it: it waits again.
    pub(crate) fn get_off(&self, coroutine: Py<PyAny>, snapshot: Arc<Snapshot>) {
        *lock(&self.state) = State::Waiting(Spec {
            source: Source::Coroutine(coroutine),
            context: Surroundings::CopyOf(snapshot),
            keywords: None,
            shares_context: false,
        });
    }

    /// Its coroutine has returned in a carrier, and goes back to the caller's loop with the value, to
    /// be let go of there.
    pub(crate) fn arrive(self: &Arc<Self>, py: Python<'_>, value: Py<PyAny>, coroutine: Py<PyAny>) {
        let mut outcome = Some(Outcome::Value(value));
        // Otherwise it goes straight to its place.
        let delivered = outcome.take_if(|_| matches!(self.place, Place::Handle(_)));
        let old = {
            let mut state = lock(&self.state);
            let snapshot = match &mut *state {
                State::Starting(_, snapshot) => snapshot.take(),
                _ => None,
            };
            let parcel = Parcel { outcome: delivered, rest: Some((coroutine, snapshot)) };
            std::mem::replace(&mut *state, State::Ended(Some(parcel)))
        };
        drop(old);
        match outcome {
            Some(outcome) => self.deliver_outcome(py, outcome),
            None => {
                self.leave_lists(py);
                self.home.send(py, self.clone());
            }
        }
    }

    /// The task of a carrier is its own, and has suspended.
    pub(crate) fn keep_task(
        self: &Arc<Self>,
        py: Python<'_>,
        worker: &Arc<Worker>,
        task: &Bound<'_, PyAny>,
    ) {
        self.name_task(task);
        self.go_on(py, worker, task);
    }

    /// The handle was asked for its name, or given one, during the first step.
    fn name_task(&self, task: &Bound<'_, PyAny>) {
        let py = task.py();
        if let Some(name) = self.handle_place().and_then(|place| place.name(py)) {
            let _ = task.call_method1(intern!(py, "set_name"), (name,));
        }
    }

    /// Starts the job on this worker's loop, whose thread this is. Returns whether it has ended (or
    /// never was): the loop may go on with another job at once.
    pub(crate) fn start(self: &Arc<Self>, py: Python<'_>, worker: &Arc<Worker>) -> bool {
        let Some(mut spec) = self.take_spec(State::Starting(worker.clone(), None)) else {
            worker.finish();
            return true;
        };
        let name = self.handle_place().and_then(|place| place.name(py));
        let named = name.is_some();
        if self.traced.is_traced() {
            self.traced.begin(match &name {
                Some(name) => trace::given_name(name.bind(py)),
                None => trace::name_of(py, &spec.source),
            });
        }
        let started = worker.make_task(py, &mut spec, name, &self.home.settings);
        match started {
            Err(error) => {
                spec.close(py);
                // The task could not be made; or its first step raised KeyboardInterrupt or
                // SystemExit, which asyncio lets through after the task has taken note of it.
                self.end(py, worker, Outcome::Error(error.into_value(py).into_any()));
                true
            }
            Ok(task) => {
                drop(spec);
                if let Ok(Some(outcome)) = Outcome::of(&task) {
                    outcome.note_origin(&task, worker.handle().name());
                    drop(task);
                    self.end(py, worker, outcome);
                    return true;
                }
                if !named {
                    self.name_task(&task);
                }
                self.go_on(py, worker, &task);
                false
            }
        }
    }

    /// The job of a gather that this task is, which has suspended on this worker: [`go_on`](Self::go_on)
    /// is next.
    pub(crate) fn of_task(
        gather: Arc<Gather>,
        index: usize,
        worker: &Arc<Worker>,
        task: &Bound<'_, PyAny>,
    ) -> Arc<Self> {
        let home = gather.home().clone();
        let place = Place::Gather(GatherPlace::new(gather, index));
        let state = State::Running { worker: worker.clone(), task: task.clone().unbind() };
        Self::in_state(state, home, place, None, None)
    }

    /// Its task has suspended on this worker.
    pub(crate) fn go_on(
        self: &Arc<Self>,
        py: Python<'_>,
        worker: &Arc<Worker>,
        task: &Bound<'_, PyAny>,
    ) {
        if self.traced.is_traced() {
            trace::suspended(self.traced, task);
        }
        let watch = Watch { job: self.clone(), worker: worker.clone() };
        *lock(&self.state) = State::Running { worker: worker.clone(), task: task.clone().unbind() };
        worker.suspend(self);
        if let Err(error) = Py::new(py, watch)
            .and_then(|watch| task.call_method1(intern!(py, "add_done_callback"), (watch,)))
        {
            self.end(py, worker, Outcome::Error(error.into_value(py).into_any()));
        } else if let Err(error) = self.draw_edges(task, true) {
            error.write_unraisable(py, Some(task));
        }
    }

    /// Draws, or takes away, the edges of the call graph from the task to whoever awaits it. A task
    /// that never suspends has none: as asyncio's eager ones.
    fn draw_edges(&self, task: &Bound<'_, PyAny>, awaited: bool) -> PyResult<()> {
        let py = task.py();
        match &self.place {
            Place::Gather(place) => {
                if let Some(caller) = place.caller(py) {
                    imports::set_awaited_by(task, &caller, awaited)?;
                }
            }
            Place::Handle(place) => {
                for by in place.awaiters(py) {
                    imports::set_awaited_by(task, &by, awaited)?;
                }
            }
            // Whoever takes the results awaits none of them.
            Place::Map(_) => {}
        }
        Ok(())
    }

    /// The job has ended on this worker.
    pub(crate) fn end(self: &Arc<Self>, py: Python<'_>, worker: &Worker, outcome: Outcome) {
        let old = {
            let mut state = lock(&self.state);
            if let State::Ended(_) = *state {
                // It was failed, with its outcome delivered, because it was taken for lost.
                return;
            }
            std::mem::replace(&mut *state, State::Ended(None))
        };
        if self.traced.is_traced() {
            let task = if let State::Running { task, .. } = &old { Some(task) } else { None };
            trace::ended(self.traced, task, &outcome);
        }
        if let State::Running { .. } = old {
            worker.ended(self);
        }
        // Before the outcome is on its way: what the worker made dies on the worker's own thread,
        // not some time later when another thread lets go of the last reference.
        drop(old);
        self.finish_on(worker);
        self.deliver_outcome(py, outcome);
    }

    /// It counts as running no more on this worker, whose thread this is.
    pub(crate) fn finish_on(&self, worker: &Worker) {
        match &self.place {
            Place::Gather(place) => place.finish_on(worker),
            Place::Handle(_) | Place::Map(_) => worker.finish(),
        }
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
        self.trace_unbegun(py, &old, End::Failed);
        if let State::Waiting(spec) = old {
            spec.close(py);
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

    /// The job counts at the gate no more. Returns whether the gate is yet to be told.
    pub(crate) fn give_up_gate(&self) -> bool {
        self.at_gate.swap(false, Ordering::SeqCst)
    }

    /// Its team has listed the job.
    ///
    /// It may have been cancelled before, by another thread, which found no list to take it off. Such
    /// a one first sets the state and then looks for the list; this does it the other way round.
    pub(crate) fn enlisted(&self, team: Arc<Team>, ticket: Ticket) {
        self.ties.list(team, ticket);
        if self.has_ended() {
            Python::attach(|py| self.strike(py));
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(*lock(&self.state), State::Ended(_))
    }

    /// Takes the job off its team's list.
    fn strike(&self, py: Python<'_>) {
        if let Some((team, ticket)) = self.ties.take_listed() {
            team.strike(py, ticket);
        }
    }

    /// Takes the job back before anybody was told of it: its coroutine is closed, and no outcome is
    /// delivered.
    pub(crate) fn withdraw(&self, py: Python<'_>) {
        let old = std::mem::replace(&mut *lock(&self.state), State::Ended(None));
        self.trace_unbegun(py, &old, End::Cancelled);
        self.unpin();
        self.strike(py);
        self.leave_executor(py);
        if let Place::Map(place) = &self.place {
            place.vacate(py);
        }
        if let State::Waiting(spec) = old {
            spec.close(py);
        }
    }

    /// It has ended: others may have its place.
    fn leave_lists(&self, py: Python<'_>) {
        if let Some(gate) = &self.gate
            && self.at_gate.swap(false, Ordering::SeqCst)
        {
            gate.leave(py);
        }
        self.unpin();
        self.strike(py);
    }

    fn deliver_outcome(self: &Arc<Self>, py: Python<'_>, outcome: Outcome) {
        self.leave_lists(py);
        match &self.place {
            Place::Gather(place) => place.put(py, outcome),
            Place::Map(place) => {
                place.put(py, outcome);
                self.leave_executor(py);
            }
            Place::Handle(_) => {
                *lock(&self.state) =
                    State::Ended(Some(Parcel { outcome: Some(outcome), rest: None }));
                self.home.send(py, self.clone());
            }
        }
    }

    /// It is a job of this executor, before anybody else knows of it.
    pub(crate) fn belongs_to(&self, executor: Arc<Pooled>, ticket: Ticket) {
        self.ties.give_to(executor, ticket);
    }

    /// It has ended in this state, without a step.
    fn trace_unbegun(&self, py: Python<'_>, old: &State, how: End) {
        if self.traced.is_traced() {
            match old {
                State::Waiting(spec) => {
                    let given = self.handle_place().and_then(|place| place.name(py));
                    let name = match given {
                        Some(name) => trace::given_name(name.bind(py)),
                        None => trace::name_of(py, &spec.source),
                    };
                    trace::ended_unbegun(self.traced, name, how);
                }
                _ => self.traced.end(how),
            }
        }
    }

    fn leave_executor(&self, py: Python<'_>) {
        if let Some((executor, ticket)) = self.ties.take_executor() {
            executor.left(py, &self.home, ticket);
        }
    }

    /// Ends the job, from any thread, if it has not started. Returns whether it had not.
    pub(crate) fn cancel_unstarted(
        self: &Arc<Self>,
        py: Python<'_>,
        message: Option<&Py<PyAny>>,
    ) -> bool {
        let Some(spec) = self.take_spec(State::Ended(None)) else { return false };
        self.count_request();
        let old = State::Waiting(spec);
        self.trace_unbegun(py, &old, End::Cancelled);
        if let State::Waiting(spec) = old {
            spec.close(py);
        }
        self.deliver_outcome(py, Outcome::Cancelled(message.map(|message| message.clone_ref(py))));
        true
    }

    /// Asks the job to end, from any thread.
    pub(crate) fn cancel(self: &Arc<Self>, py: Python<'_>, message: Option<Py<PyAny>>) -> Cancel {
        if self.cancel_unstarted(py, message.as_ref()) {
            return Cancel::Unstarted;
        }
        // It never waits again.
        let Some(worker) = self.worker() else { return Cancel::TooLate };
        self.count_request();
        // A loop that has ended has cancelled what ran on it.
        let _ = worker.post(Order::Cancel(self.clone(), message));
        Cancel::Requested
    }

    fn count_request(&self) {
        self.traced.request_cancel();
        if let Some(place) = self.handle_place() {
            place.count_request();
        }
    }

    /// Passes a cancellation on to the task. On the worker's thread.
    pub(crate) fn cancel_task(self: &Arc<Self>, py: Python<'_>, message: Option<Py<PyAny>>) {
        let (worker, task) = match &*lock(&self.state) {
            State::Running { worker, task } => (worker.clone(), task.bind(py).clone()),
            _ => return,
        };
        // What the task waits for is asked to end, which may be of any class.
        let asked = task.call_method1(intern!(py, "cancel"), (message,));
        let asked = asked.and_then(|_| {
            let lost = Lost { job: self.clone(), worker };
            imports::look_for_lost(py)?.call1((&task, lost))
        });
        if let Err(error) = asked {
            error.write_unraisable(py, Some(&task));
        }
    }

    /// The task, while it runs and has suspended.
    pub(crate) fn task<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        match &*lock(&self.state) {
            State::Running { task, .. } => Some(task.bind(py).clone()),
            _ => None,
        }
    }

    /// Its task, if it runs, is or is no more awaited by another task.
    pub(crate) fn awaited_by(&self, by: &Bound<'_, PyAny>, awaited: bool) -> PyResult<()> {
        self.task(by.py()).map_or(Ok(()), |task| imports::set_awaited_by(&task, by, awaited))
    }

    /// Whether the code that asks is that of its task.
    pub(crate) fn is_current(&self, py: Python<'_>) -> PyResult<bool> {
        let task = match &*lock(&self.state) {
            // Nothing but the task's first step runs on a worker that starts a task.
            State::Starting(worker, _) => return Ok(worker.handle().is_this_thread()),
            State::Running { task, .. } => task.bind(py).clone(),
            _ => return Ok(false),
        };
        let running = imports::get_running_loop(py)?.is_some();
        Ok(running && imports::current_task(py)?.call0()?.is(&task))
    }

    /// Whether it is one of this gather, and which.
    pub(crate) fn index_in(&self, gather: &Arc<Gather>) -> Option<usize> {
        match &self.place {
            Place::Gather(place) => place.index_in(gather),
            Place::Handle(_) | Place::Map(_) => None,
        }
    }

    /// The context that its task is going to have, while it waits.
    pub(crate) fn waiting_context(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let snapshot = match &*lock(&self.state) {
            State::Waiting(Spec { context: Surroundings::Own(context), .. }) => {
                return Ok(Some(context.clone_ref(py)));
            }
            State::Waiting(Spec { context: Surroundings::CopyOf(snapshot), .. }) => {
                snapshot.clone()
            }
            _ => return Ok(None),
        };
        let copy = snapshot.copy(py)?.unbind();
        let mut state = lock(&self.state);
        match &mut *state {
            State::Waiting(Spec { context, .. }) => match context {
                // Another thread has asked, too.
                Surroundings::Own(context) => Ok(Some(context.clone_ref(py))),
                Surroundings::CopyOf(_) => {
                    let old = std::mem::replace(context, Surroundings::Own(copy.clone_ref(py)));
                    drop(state);
                    drop(old);
                    Ok(Some(copy))
                }
            },
            _ => Ok(None),
        }
    }

    /// A part of what the job is made of, while it waits.
    pub(crate) fn spec<R>(&self, read: impl FnOnce(&Spec) -> R) -> Option<R> {
        match &*lock(&self.state) {
            State::Waiting(spec) => Some(read(spec)),
            _ => None,
        }
    }

    /// The worker that runs it.
    pub(crate) fn worker(&self) -> Option<Arc<Worker>> {
        match &*lock(&self.state) {
            State::Starting(worker, _) | State::Running { worker, .. } => Some(worker.clone()),
            _ => None,
        }
    }

    pub(crate) fn take_outcome(&self) -> Option<Outcome> {
        let Parcel { outcome, rest } = match &mut *lock(&self.state) {
            State::Ended(parcel) => parcel.take()?,
            _ => return None,
        };
        drop(rest);
        outcome
    }
}

impl Delivery for Job {
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        if let (Place::Handle(place), Some(outcome)) = (&self.place, self.take_outcome()) {
            place.settle(py, outcome);
        }
        // Whoever waits for the executor finds all futures done.
        self.leave_executor(py);
    }

    fn discard(self: Arc<Self>, py: Python<'_>) {
        let outcome = self.take_outcome();
        if let Place::Handle(place) = &self.place {
            place.abandon(py);
        }
        drop(outcome);
        self.leave_executor(py);
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
            self.job.draw_edges(task, false)?;
            outcome.note_origin(task, self.worker.handle().name());
            self.job.end(task.py(), &self.worker, outcome);
        }
        Ok(())
    }
}

/// Called when a task that was cancelled will never be woken.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Lost")]
struct Lost {
    job: Arc<Job>,
    worker: Arc<Worker>,
}

#[pymethods]
impl Lost {
    fn __call__(&self, py: Python<'_>) {
        self.job.end(py, &self.worker, Outcome::Cancelled(None));
    }
}

/// A job on its way to a worker. Dropped on the way, the job fails rather than hang its caller.
pub(crate) struct Sent(Option<Arc<Job>>);

impl Sent {
    pub(crate) fn new(job: Arc<Job>) -> Self {
        Self(Some(job))
    }

    pub(crate) fn job(&self) -> &Arc<Job> {
        self.0.as_ref().expect("taken once, as this goes")
    }

    /// The job has arrived, or is taken back.
    pub(crate) fn into_job(mut self) -> Arc<Job> {
        self.0.take().expect("taken once, here")
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(job) = self.0.take() {
            in_drop(|py| {
                job.fail(py, PyRuntimeError::new_err("the worker's event loop has ended"));
            });
        }
    }
}
