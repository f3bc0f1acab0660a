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

use pyo3::{exceptions::PyStopIteration, intern, prelude::*, types::PyDict};
use thrasks_loop::{Next, Work};

use self::raw::{Seat, Step};
pub(crate) use self::raw::{Stock, may_be};
use crate::{
    gather::{Gather, Item},
    imports,
    job::Job,
    orders::Order,
    outcome::Outcome,
    sync::lock,
    worker::{SLICE, Stopwatch, Worker, with_work},
};

/// Runs a job, and those of the same gather that come next while they return at once. Returns
/// whether the last one has suspended, and what was found after it, if that is yet to be seen to.
pub(crate) fn carry(
    py: Python<'_>,
    worker: &Arc<Worker>,
    item: Item,
    watch: &mut Stopwatch,
) -> (bool, Option<Next<Order>>) {
    let gather = item.gather().clone();
    let carrier = Carrier(Mutex::new(Stage::Waiting { item, watch: *watch }));
    let made = Bound::new(py, carrier).and_then(|carrier| {
        let task = imports::new_task(py)?.call1((imports::task(py)?,))?;
        Ok((carrier, task))
    });
    let (carrier, task) = match made {
        Ok(made) => made,
        // Dropped with the carrier, the job has failed.
        Err(error) => {
            error.write_unraisable(py, None);
            worker.finish();
            return (false, None);
        }
    };
    let started = worker.configured_loop(py, gather.settings()).and_then(|event_loop| {
        let keywords = PyDict::new(py);
        let context = gather.copy_context(py)?;
        keywords.set_item(intern!(py, "loop"), &event_loop)?;
        keywords.set_item(intern!(py, "context"), &context)?;
        keywords.set_item(intern!(py, "eager_start"), true)?;
        carrier.get().set_task(&task, &context);
        let started = imports::init_task(py)?.call((&task, &carrier), Some(&keywords));
        started.map(drop).or_else(|error| {
            imports::disown(py)?.call1((&event_loop, &task))?;
            Err(error)
        })
    });
    // The task may go on: what it refers to is its own affair.
    let stage = std::mem::take(&mut *lock(&carrier.get().0));
    drop(carrier);
    match stage {
        Stage::Waiting { item, .. } | Stage::Seated { item, .. } => {
            // It was not so much as begun.
            let suspended = match started {
                Ok(()) => item.start_by_itself(py, worker),
                Err(error) => {
                    item.fail(py, worker, error);
                    false
                }
            };
            (suspended, None)
        }
        Stage::Over { kept, next, watch: now } => {
            *watch = now;
            let Some(index) = kept else { return (false, next) };
            let outcome = match started {
                Ok(()) => Outcome::of(&task).ok().flatten(),
                // KeyboardInterrupt or SystemExit, which asyncio lets through after the task has
                // taken note of it.
                Err(error) => Some(Outcome::Error(error.into_value(py).into_any())),
            };
            let suspended = outcome.is_none();
            if let Some(outcome) = outcome {
                outcome.note_origin(&task, worker.handle().name());
                drop(task);
                worker.finish();
                gather.put(py, index, outcome);
            } else {
                Job::of_task(gather, index, worker, &task).go_on(py, worker, &task);
            }
            (suspended, next)
        }
        Stage::Nothing => (false, None),
    }
}

/// The coroutine of a task that carries jobs, until the first of them takes its place.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Carrier")]
pub(crate) struct Carrier(Mutex<Stage>);

#[derive(Default)]
enum Stage {
    Waiting {
        item: Item,
        watch: Stopwatch,
    },
    /// The task, and its context, are there.
    Seated {
        item: Item,
        watch: Stopwatch,
        task: Py<PyAny>,
        context: Py<PyAny>,
    },
    Over {
        /// The job that the task is, or was, in the end.
        kept: Option<usize>,
        next: Option<Next<Order>>,
        watch: Stopwatch,
    },
    #[default]
    Nothing,
}

impl Carrier {
    fn set_task(&self, task: &Bound<'_, PyAny>, context: &Bound<'_, PyAny>) {
        let mut stage = lock(&self.0);
        *stage = match std::mem::take(&mut *stage) {
            Stage::Waiting { item, watch } => Stage::Seated {
                item,
                watch,
                task: task.clone().unbind(),
                context: context.clone().unbind(),
            },
            other => other,
        };
    }
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
        let Stage::Seated { item, watch, task, context } = stage else { return Ok(None) };
        let Some(seat) = Seat::find(task.bind(py), context.bind(py), slf) else {
            *lock(&slf.get().0) = Stage::Seated { item, watch, task, context };
            return Ok(None);
        };
        let (gather, index) = item.into_parts();
        let mut ride = Ride { gather, index, watch, next: None };
        let (kept, step) = ride.run(slf.as_any(), &seat);
        let kept = kept.then_some(ride.index);
        *lock(&slf.get().0) = Stage::Over { kept, next: ride.next, watch: ride.watch };
        step
    }
}

/// The jobs of one carrier, one after the other.
struct Ride {
    gather: Arc<Gather>,
    /// The present job.
    index: usize,
    watch: Stopwatch,
    next: Option<Next<Order>>,
}

impl Ride {
    /// Runs jobs. Returns whether the task is the last one's from now on, and what its step came to.
    fn run<'py>(
        &mut self,
        carrier: &Bound<'py, PyAny>,
        seat: &Seat<'py>,
    ) -> (bool, PyResult<Option<Bound<'py, PyAny>>>) {
        let py = carrier.py();
        let untouched = seat.image();
        // The job whose coroutine is in the seat, and how many have ended and do not count yet.
        let mut seated = None;
        let mut placed = 0;
        let mut take_seat = |coroutine: &Bound<'py, PyAny>, index, gather: &Gather| {
            let before = seat.put(coroutine.clone().unbind());
            if let Some(before_it) = std::mem::replace(&mut seated, index) {
                gather.give_back(before_it, before);
            }
        };
        loop {
            if let Some(coroutine) = self.gather.take(py, self.index) {
                take_seat(&coroutine, Some(self.index), &self.gather);
                let step = raw::step(&coroutine);
                let is_seated = seat.has(&coroutine);
                drop(coroutine);
                let step = match step {
                    Step::Returned(value) if is_seated && seat.is_like(&untouched) => {
                        self.gather.place(self.index, value.unbind());
                        placed += 1;
                        None
                    }
                    Step::Returned(value) => {
                        // An instance, since a value may be a tuple, or an exception.
                        let stop = py.get_type::<PyStopIteration>().call1((value,));
                        Some(Err(stop.map_or_else(|error| error, PyErr::from_value)))
                    }
                    Step::Yielded(value) => Some(Ok(Some(value))),
                    Step::Raised(error) => Some(Err(error)),
                };
                if let Some(step) = step {
                    self.gather.settle(py, placed);
                    return (true, step);
                }
            }
            with_work(Work::finish);
            if self.watch.has_passed(SLICE) {
                break;
            }
            match with_work(Work::next) {
                Some(Next::Job(Order::Item(item))) if item.is_of(&self.gather) => {
                    self.index = item.into_parts().1;
                }
                other => {
                    self.next = other;
                    break;
                }
            }
        }
        take_seat(carrier, None, &self.gather);
        self.gather.settle(py, placed);
        (false, Ok(None))
    }
}
