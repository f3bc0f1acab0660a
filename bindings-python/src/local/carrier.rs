//! Many jobs of a worker in one task, while they return at their first step and cannot tell.
//!
//! What a carrier is, and why no job can tell, stands in [`crate::carrier`]: this is the same for jobs
//! on the caller's own loop, which come from a queue of theirs.

use std::sync::Mutex;

use pyo3::{exceptions::PyStopIteration, intern, prelude::*, types::PyDict};

use super::{
    CancelledWith, Job, Target,
    worker::{Begun, SLICE, Worker, fail, unless_cancelled},
};
use crate::{
    carrier::{Seat, Step, are_alike, step},
    imports,
    outcome::Outcome,
    spec::close,
    sync::lock,
    trace::Name,
    worker::Stopwatch,
};

/// The coroutine of a task that carries jobs, until the first of them takes its place.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_LocalCarrier")]
pub(crate) struct LocalCarrier(Mutex<Stage>);

#[derive(Default)]
enum Stage {
    /// With the task.
    Seated(Ride, Py<PyAny>),
    Over(Over),
    #[default]
    Nothing,
}

/// How the jobs of a carrier ended.
struct Over {
    /// The job whose task it is in the end.
    kept: Option<(u64, Target, CancelledWith)>,
    /// A job that cannot be carried after the others.
    left: Option<Job>,
    /// There was none, and the worker has left.
    retired: bool,
    watch: Stopwatch,
}

/// The jobs of one carrier, one after the other.
struct Ride {
    worker: Py<Worker>,
    number: u64,
    target: Target,
    coroutine: Py<PyAny>,
    context: Py<PyAny>,
    watch: Stopwatch,
}

/// Runs a job, and those like it that come next while they return at once.
///
/// # Errors
///
/// The last one has raised `KeyboardInterrupt` or `SystemExit`, which is its outcome, too.
pub(super) fn carry(
    slf: &Bound<'_, Worker>,
    mut job: Job,
    watch: &mut Stopwatch,
) -> PyResult<Begun> {
    let py = slf.py();
    let worker = slf.get();
    let Some((source, target)) = job.take() else { return Ok(Begun::Ended) };
    let coroutine = match source.coroutine(py) {
        Ok(coroutine) => coroutine.unbind(),
        Err(error) => return fail(py, error, target),
    };
    drop(source);
    let task = imports::new_task(py)?.call1((imports::task(py)?,))?;
    let keywords = PyDict::new(py);
    keywords.set_item(intern!(py, "loop"), &worker.event_loop)?;
    keywords.set_item(intern!(py, "name"), &worker.name)?;
    keywords.set_item(intern!(py, "context"), &job.context)?;
    keywords.set_item(intern!(py, "eager_start"), true)?;
    let context = job.context.clone_ref(py);
    let number = job.number;
    let ride =
        Ride { worker: slf.clone().unbind(), number, target, coroutine, context, watch: *watch };
    let seated = Stage::Seated(ride, task.clone().unbind());
    let carrier = Bound::new(py, LocalCarrier(Mutex::new(seated)))?;
    let started = imports::init_task(py)?.call((&task, &carrier), Some(&keywords));
    let stage = std::mem::take(&mut *lock(&carrier.get().0));
    let started = started.map(drop).or_else(|error| {
        imports::disown(py)?.call1((&worker.event_loop, &task))?;
        Err(error)
    });
    match stage {
        Stage::Seated(ride, _) => {
            // It was not so much as begun.
            let Ride { number, target, coroutine, context, .. } = ride;
            let coroutine = coroutine.bind(py);
            match started {
                Ok(()) => worker.start_coroutine(slf, coroutine, &context, number, target),
                Err(error) => {
                    close(coroutine);
                    fail(py, error, target)
                }
            }
        }
        Stage::Over(Over { kept, left, retired, watch: now }) => {
            *watch = now;
            if let Some((number, target, cancelled_with)) = kept {
                return match started {
                    Ok(()) => worker.first_step_over(slf, &task, number, target, cancelled_with),
                    Err(error) => fail(py, error, target),
                };
            }
            started?;
            Ok(match left {
                Some(job) => Begun::EndedBefore(job),
                None if retired => Begun::EndedAll,
                None => Begun::Ended,
            })
        }
        Stage::Nothing => started.map(|()| Begun::Ended),
    }
}

#[pymethods]
impl LocalCarrier {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    /// The first step of the task: `asyncio.Task` makes it once, as it is made.
    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let stage = std::mem::take(&mut *lock(&slf.get().0));
        let Stage::Seated(ride, task) = stage else { return Ok(None) };
        let Some(seat) = Seat::find(task.bind(py), ride.context.bind(py), slf.as_any()) else {
            *lock(&slf.get().0) = Stage::Seated(ride, task);
            return Ok(None);
        };
        let (over, step) = ride.run(slf.as_any(), &seat);
        *lock(&slf.get().0) = Stage::Over(over);
        step
    }
}

impl Ride {
    /// Runs jobs. Returns how it ended, and what the step of the task comes to.
    fn run<'py>(
        self,
        carrier: &Bound<'py, PyAny>,
        seat: &Seat<'py>,
    ) -> (Over, PyResult<Option<Bound<'py, PyAny>>>) {
        let py = carrier.py();
        let Self { worker, number, target, coroutine, context, mut watch } = self;
        let (worker, context) = (worker.get(), context.bind(py));
        let untouched = seat.image();
        let mut next = Some((number, target, coroutine.into_bound(py)));
        let (mut left, mut retired) = (None, false);
        while let Some((number, target, coroutine)) = next.take() {
            let before = seat.put(coroutine.clone().unbind());
            drop(before);
            worker.shared.first_step_begins(number);
            target.traced.begin(Name::GIVEN);
            let step = step(&coroutine);
            let cancelled_with = worker.shared.first_step_ends();
            let is_seated = seat.has(&coroutine);
            drop(coroutine);
            let step = match step {
                Step::Returned(value) if is_seated && seat.is_like(&untouched) => {
                    settle(
                        py,
                        target,
                        unless_cancelled(Outcome::Value(value.unbind()), cancelled_with),
                    );
                    if watch.has_passed(SLICE) {
                        break;
                    }
                    match look(py, worker, context) {
                        Found::Job(number, target, coroutine) => {
                            next = Some((number, target, coroutine));
                        }
                        Found::Other(job) => left = Some(job),
                        Found::Nothing => retired = true,
                    }
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
            let kept = Some((number, target, cancelled_with));
            return (Over { kept, left: None, retired: false, watch }, step);
        }
        let before = seat.put(carrier.clone().unbind());
        drop(before);
        (Over { kept: None, left, retired, watch }, Ok(None))
    }
}

/// What to go on with.
enum Found<'py> {
    Job(u64, Target, Bound<'py, PyAny>),
    /// A job that is to have another context.
    Other(Job),
    /// The worker has left.
    Nothing,
}

/// Looks for a job that can be carried next.
fn look<'py>(py: Python<'py>, worker: &Worker, context: &Bound<'py, PyAny>) -> Found<'py> {
    while let Some(mut job) = worker.next() {
        if !are_alike(context, job.context.bind(py)) {
            return Found::Other(job);
        }
        let Some((source, target)) = job.take() else { continue };
        match source.coroutine(py) {
            Ok(coroutine) => return Found::Job(job.number, target, coroutine),
            Err(error) => {
                settle(py, target, Outcome::Error(error.into_value(py).into_any()));
            }
        }
    }
    Found::Nothing
}

fn settle(py: Python<'_>, target: Target, outcome: Outcome) {
    if let Err(error) = target.settle(py, outcome) {
        error.write_unraisable(py, None);
    }
}
