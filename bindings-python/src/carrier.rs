//! Many jobs in one task: while they return at their first step, and cannot tell.
//!
//! A task costs more than a short job. A *carrier* is an eager `asyncio.Task` whose coroutine, the
//! [`Carrier`], runs the first step of one job after the other, each of them as the coroutine of that
//! task: for the job it is a task of its own, with its context, by all that asyncio can tell.
//!
//! - A job that **returns** and has left no trace in the task or in the context costs no task: the
//!   next job has them as the first one did.
//! - One that **suspends** keeps the task, which goes on as any other, with nothing of the carrier
//!   left in it.
//! - So does one that **raises**, or has left a trace: the task ends with its outcome.
//!
//! Where there are no carriers ([`may_be`]), each job has a task from the start.

mod raw;

use std::sync::{Arc, Mutex};

use pyo3::{exceptions::PyStopIteration, prelude::*};
use thrasks_loop::{Next, Work};

pub(crate) use self::raw::{Looked, Seat, Step, Stock, are_alike, may_be, step};
use crate::{
    gather::{Gather, Item, item_by_itself},
    home::Home,
    imports,
    job::{Boarding, Job, Sent},
    orders::Order,
    outcome::Outcome,
    share::Share,
    spec::{Snapshot, close},
    sync::lock,
    trace::{self, End, TaskId},
    worker::{SLICE, Stopwatch, Worker, with_work},
};

/// Whether jobs are carried here, as far as is known: what `python -m thrasks info` says.
#[pyfunction]
pub(crate) fn has_carriers(py: Python<'_>) -> bool {
    may_be(py)
}

/// A job that is to be started.
pub(crate) enum Passenger {
    Job(Sent),
    Item(Item),
    /// The next of this worker's share, and those after it.
    Share(Share),
}

/// A job that is being started in a carrier.
enum Aboard {
    Job(Arc<Job>),
    Item(Arc<Gather>, usize),
    /// This one of the share.
    Taken(usize),
}

impl Passenger {
    pub(crate) fn home(&self) -> &Arc<Home> {
        match self {
            Self::Job(sent) => sent.job().home(),
            Self::Item(item) => item.gather().home(),
            Self::Share(share) => share.gather().home(),
        }
    }

    /// Starts the job in a task of its own, on the thread of this worker. Returns whether it has
    /// suspended; what is to be seen to next, if anything is known of it, is in `found`.
    pub(crate) fn start_by_itself(
        self,
        py: Python<'_>,
        worker: &Arc<Worker>,
        found: &mut Option<Next<Order>>,
    ) -> bool {
        match self {
            Self::Job(sent) => !sent.into_job().start(py, worker),
            Self::Item(item) => item.start_by_itself(py, worker),
            Self::Share(mut share) => {
                let Some((index, coroutine)) = share.take(py) else { return false };
                let gather = share.gather().clone();
                *found = Some(go_on(share));
                item_by_itself(py, worker, gather, index, coroutine)
            }
        }
    }

    /// Takes the job's coroutine, if it is there and its context is to be a copy of this one.
    fn board<'py>(
        self,
        py: Python<'py>,
        worker: &Arc<Worker>,
        base: Option<&Arc<Snapshot>>,
    ) -> Boarded<'py> {
        match self {
            Self::Job(sent) => match sent.job().board(py, worker, base) {
                Boarding::Done(coroutine, snapshot) => {
                    let coroutine = coroutine.into_bound(py);
                    Boarded::Yes(Aboard::Job(sent.into_job()), coroutine, snapshot)
                }
                Boarding::Over => {
                    drop(sent.into_job());
                    Boarded::Over
                }
                Boarding::Refused => Boarded::No(Self::Job(sent)),
            },
            Self::Item(item) => {
                if base.is_some_and(|base| !Arc::ptr_eq(base, item.gather().snapshot())) {
                    return Boarded::No(Self::Item(item));
                }
                let (gather, index) = item.into_parts();
                match gather.take(py, index) {
                    Some(coroutine) => {
                        let snapshot = base.is_none().then(|| gather.snapshot().clone());
                        Boarded::Yes(Aboard::Item(gather, index), coroutine, snapshot)
                    }
                    None => Boarded::Over,
                }
            }
            // Its jobs are taken by whoever carries them.
            Self::Share(_) => Boarded::No(self),
        }
    }

    fn into_order(self) -> Order {
        match self {
            Self::Job(sent) => Order::Start(sent),
            Self::Item(item) => Order::Item(item),
            Self::Share(share) => Order::Share(share),
        }
    }
}

/// What came of taking a job's coroutine.
enum Boarded<'py> {
    /// The last of these where no base was given.
    Yes(Aboard, Bound<'py, PyAny>, Option<Arc<Snapshot>>),
    /// It was cancelled.
    Over,
    No(Passenger),
}

impl Aboard {
    /// It has not been begun, and is to have a task of its own. Returns whether it has suspended.
    fn start_by_itself(
        self,
        py: Python<'_>,
        worker: &Arc<Worker>,
        coroutine: Py<PyAny>,
        snapshot: Arc<Snapshot>,
    ) -> bool {
        match self {
            Self::Job(job) => {
                job.get_off(coroutine, snapshot);
                !job.start(py, worker)
            }
            Self::Item(gather, index) => {
                item_by_itself(py, worker, gather, index, coroutine.into_bound(py))
            }
            Self::Taken(_) => unreachable!("the first of a carrier is no more of the share"),
        }
    }

    /// The job, as a trace knows it.
    fn traced(&self, share: Option<&Share>) -> TaskId {
        match (self, share) {
            (Self::Job(job), _) => job.traced(),
            (Self::Item(gather, index), _) => gather.traced(*index),
            (Self::Taken(index), Some(share)) => share.gather().traced(*index),
            (Self::Taken(_), None) => TaskId::NONE,
        }
    }

    /// The task is its own, and has ended.
    fn end(self, py: Python<'_>, worker: &Worker, outcome: Outcome) {
        match self {
            Self::Job(job) => job.end(py, worker, outcome),
            Self::Item(gather, index) => {
                let traced = gather.traced(index);
                if traced.is_traced() {
                    trace::ended(traced, None, &outcome);
                }
                gather.finish_on(worker);
                gather.put(py, index, outcome);
            }
            Self::Taken(_) => unreachable!("whose task ends is by itself"),
        }
    }

    /// The task is its own: it is by itself from now on.
    fn by_itself(self, share: Option<&Share>) -> Self {
        match (self, share) {
            (Self::Taken(index), Some(share)) => Self::Item(share.gather().clone(), index),
            (aboard, _) => aboard,
        }
    }

    /// The task is its own, and has suspended.
    fn keep(self, py: Python<'_>, worker: &Arc<Worker>, task: &Bound<'_, PyAny>) {
        match self {
            Self::Job(job) => job.keep_task(py, worker, task),
            Self::Item(gather, index) => {
                Job::of_task(gather, index, worker, task).go_on(py, worker, task);
            }
            Self::Taken(_) => unreachable!("whose task goes on is by itself"),
        }
    }
}

/// Runs a job, and those like it that come next while they return at once. Returns whether the last
/// one has suspended; what was found after it and is yet to be seen to is in `found`.
pub(crate) fn carry(
    py: Python<'_>,
    worker: &Arc<Worker>,
    first: Passenger,
    watch: &mut Stopwatch,
    found: &mut Option<Next<Order>>,
) -> bool {
    let home = first.home().clone();
    let mut share = None;
    let (aboard, coroutine, snapshot) = if let Passenger::Share(mut taking) = first {
        let Some((index, coroutine)) = taking.take(py) else { return false };
        let gather = taking.gather().clone();
        let snapshot = gather.snapshot().clone();
        share = Some(taking);
        (Aboard::Item(gather, index), coroutine, snapshot)
    } else {
        match first.board(py, worker, None) {
            Boarded::Yes(aboard, coroutine, snapshot) => {
                (aboard, coroutine, snapshot.expect("no base was given"))
            }
            Boarded::Over => {
                worker.finish();
                return false;
            }
            Boarded::No(first) => return first.start_by_itself(py, worker, found),
        }
    };
    let mut stage = Stage::Nothing;
    let made = (|| {
        let event_loop = worker.configured_loop(py, &home.settings)?;
        let task = imports::new_task(py)?.call1((imports::task(py)?,))?;
        let context = snapshot.copy(py)?;
        Ok((event_loop, task, context))
    })();
    let (event_loop, task, context) = match made {
        Ok(made) => made,
        Err(error) => {
            close(&coroutine);
            *found = share.map(go_on);
            let error: PyErr = error;
            aboard.end(py, worker, Outcome::Error(error.into_value(py).into_any()));
            return false;
        }
    };
    let ride = Ride {
        first: Some((aboard, coroutine.unbind())),
        snapshot,
        home,
        worker: worker.clone(),
        share,
        watch: *watch,
        found: None,
    };
    let seated = Stage::Seated(ride, task.clone().unbind(), context.clone().unbind());
    let started = Bound::new(py, Carrier(Mutex::new(seated))).and_then(|carrier| {
        let started = Worker::begin_task(&event_loop, &task, &carrier, &context);
        stage = std::mem::take(&mut *lock(&carrier.get().0));
        started
    });
    let started = started.or_else(|error| {
        imports::disown(py)?.call1((&event_loop, &task))?;
        Err(error)
    });
    match stage {
        Stage::Seated(ride, ..) => {
            // It was not so much as begun.
            let Ride { first: Some((aboard, coroutine)), snapshot, share, .. } = ride else {
                return false;
            };
            *found = share.map(go_on);
            match started {
                Ok(()) => aboard.start_by_itself(py, worker, coroutine, snapshot),
                Err(error) => {
                    close(coroutine.bind(py));
                    aboard.end(py, worker, Outcome::Error(error.into_value(py).into_any()));
                    false
                }
            }
        }
        Stage::Over { kept, watch: now, found: next } => {
            *watch = now;
            *found = next;
            let Some(kept) = kept else { return false };
            let outcome = match started {
                Ok(()) => Outcome::of(&task).ok().flatten(),
                // KeyboardInterrupt or SystemExit, which asyncio lets through after the task has
                // taken note of it.
                Err(error) => Some(Outcome::Error(error.into_value(py).into_any())),
            };
            let Some(outcome) = outcome else {
                kept.keep(py, worker, &task);
                return true;
            };
            outcome.note_origin(&task, worker.handle().name());
            drop(task);
            kept.end(py, worker, outcome);
            false
        }
        Stage::Nothing => false,
    }
}

/// The coroutine of a task that carries jobs, until the first of them takes its place.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Carrier")]
pub(crate) struct Carrier(Mutex<Stage>);

#[derive(Default)]
enum Stage {
    /// With the task, and its context.
    Seated(Ride, Py<PyAny>, Py<PyAny>),
    Over {
        /// The job whose task it is, or was, in the end.
        kept: Option<Aboard>,
        watch: Stopwatch,
        found: Option<Next<Order>>,
    },
    #[default]
    Nothing,
}

#[pymethods]
impl Carrier {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    /// The first step of the task: `asyncio.Task` makes it once, as it is made.
    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let stage = std::mem::take(&mut *lock(&slf.get().0));
        let Stage::Seated(ride, task, context) = stage else { return Ok(None) };
        let Some(seat) = Seat::find(task.bind(py), context.bind(py), slf.as_any()) else {
            *lock(&slf.get().0) = Stage::Seated(ride, task, context);
            return Ok(None);
        };
        let (over, step) = ride.run(slf.as_any(), &seat);
        *lock(&slf.get().0) = over;
        step
    }
}

/// The jobs of one carrier, one after the other.
struct Ride {
    /// The first one, and its coroutine, until it is begun.
    first: Option<(Aboard, Py<PyAny>)>,
    /// What all the others are taken from, if the first one was.
    share: Option<Share>,
    /// What the contexts of all of them are copies of.
    snapshot: Arc<Snapshot>,
    home: Arc<Home>,
    worker: Arc<Worker>,
    watch: Stopwatch,
    found: Option<Next<Order>>,
}

impl Ride {
    /// Runs jobs. Returns how it ended, and what the step of the task comes to.
    fn run<'py>(
        mut self,
        carrier: &Bound<'py, PyAny>,
        seat: &Seat<'py>,
    ) -> (Stage, PyResult<Option<Bound<'py, PyAny>>>) {
        let py = carrier.py();
        let untouched = seat.image();
        let mut tally = Tally::default();
        // Who has returned and whose coroutine is in the seat.
        let mut returned: Option<(Aboard, Py<PyAny>)> = None;
        let first = self.first.take();
        let mut next = first.map(|(aboard, coroutine)| (aboard, coroutine.into_bound(py)));
        while let Some((aboard, coroutine)) = next.take() {
            let before = seat.put(coroutine.clone().unbind());
            if let Some((aboard, value)) = returned.take() {
                tally.arrive(py, aboard, self.share.as_ref(), value, before);
            }
            let traced = aboard.traced(self.share.as_ref());
            if traced.is_traced() {
                traced.begin(trace::name_of_object(&coroutine));
            }
            let step = step(&coroutine);
            let is_seated = seat.has(&coroutine);
            drop(coroutine);
            let step = match step {
                Step::Returned(value) if is_seated && seat.is_like(&untouched) => {
                    traced.end(End::Returned);
                    returned = Some((aboard, value.unbind()));
                    with_work(if self.share.is_some() {
                        Work::finish_posted
                    } else {
                        Work::finish
                    });
                    if self.watch.has_passed(SLICE) {
                        break;
                    }
                    (next, self.found) = self.look(py);
                    continue;
                }
                Step::Returned(value) => {
                    // An instance, since a value may be a tuple, or an exception.
                    let stop = py.get_type::<PyStopIteration>().call1((value,));
                    Err(stop.map_or_else(|error| error, PyErr::from_value))
                }
                Step::Yielded(value) => Ok(Some(value)),
                Step::Raised(error) => Err(error),
            };
            tally.settle(py);
            let kept = Some(aboard.by_itself(self.share.as_ref()));
            let found = self.share.map(go_on);
            return (Stage::Over { kept, watch: self.watch, found }, step);
        }
        let before = seat.put(carrier.clone().unbind());
        if let Some((aboard, value)) = returned {
            tally.arrive(py, aboard, self.share.as_ref(), value, before);
        }
        tally.settle(py);
        let found = self.found.or(self.share.map(go_on));
        (Stage::Over { kept: None, watch: self.watch, found }, Ok(None))
    }

    /// Looks for a job that can be carried next; or what there is instead.
    fn look<'py>(&mut self, py: Python<'py>) -> Found<'py> {
        if let Some(share) = &mut self.share {
            let taken = share.take(py);
            return (taken.map(|(index, coroutine)| (Aboard::Taken(index), coroutine)), None);
        }
        loop {
            let passenger = match with_work(Work::next) {
                Some(Next::Job(Order::Item(item))) => Passenger::Item(item),
                Some(Next::Job(Order::Start(sent))) => Passenger::Job(sent),
                other => return (None, other),
            };
            // Of jobs of two loops the contexts may be alike.
            let boarded = if Arc::ptr_eq(passenger.home(), &self.home) {
                passenger.board(py, &self.worker, Some(&self.snapshot))
            } else {
                Boarded::No(passenger)
            };
            match boarded {
                Boarded::Yes(aboard, coroutine, _) => return (Some((aboard, coroutine)), None),
                Boarded::No(passenger) => return (None, Some(Next::Job(passenger.into_order()))),
                Boarded::Over => self.worker.finish(),
            }
        }
    }
}

/// There may be more in the share.
fn go_on(share: Share) -> Next<Order> {
    Next::Posted(Order::Share(share))
}

/// What to go on with: a job and its coroutine, or what else there is.
type Found<'py> = (Option<(Aboard, Bound<'py, PyAny>)>, Option<Next<Order>>);

/// How many jobs of a gather have ended and do not count yet.
#[derive(Default)]
struct Tally(Option<(Arc<Gather>, usize)>);

impl Tally {
    /// A job has returned a value, and its coroutine is to be given back.
    fn arrive(
        &mut self,
        py: Python<'_>,
        aboard: Aboard,
        share: Option<&Share>,
        value: Py<PyAny>,
        coroutine: Py<PyAny>,
    ) {
        let index = match (aboard, share) {
            (Aboard::Job(job), _) => return job.arrive(py, value, coroutine),
            // Jobs that have one context are of one gather.
            (Aboard::Item(gather, index), _) => {
                self.0.get_or_insert((gather, 0));
                index
            }
            (Aboard::Taken(index), Some(share)) => {
                self.0.get_or_insert_with(|| (share.gather().clone(), 0));
                index
            }
            (Aboard::Taken(_), None) => unreachable!("it was taken from there"),
        };
        if let Some((gather, count)) = &mut self.0 {
            gather.place(index, value);
            gather.give_back(index, coroutine);
            *count += 1;
        }
    }

    fn settle(&mut self, py: Python<'_>) {
        if let Some((gather, count)) = self.0.take() {
            gather.settle(py, count);
        }
    }
}
