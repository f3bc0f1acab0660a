//! A worker of an executor on one loop: what takes jobs from the queue and runs them as tasks.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use pyo3::{
    exceptions::PyException,
    intern,
    prelude::*,
    types::{PyString, PyWeakrefReference},
};
use thrasks_pool::WorkerId;

use super::{CancelledWith, Job, Shared, Target, carrier};
use crate::{
    carrier::may_be,
    imports,
    outcome::Outcome,
    sync::lock,
    trace::{self, Name},
    worker::Stopwatch,
};

/// How long jobs that never suspend may hold the loop before others have a turn.
pub(super) const SLICE: Duration = Duration::from_millis(1);

/// One of the workers, while it has jobs: the callback with which it takes up work, and that of the
/// task that it runs.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_PoolWorker")]
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    id: WorkerId,
    /// What its tasks are called.
    pub(super) name: Py<PyString>,
    /// The number of the job whose task has suspended, and where its outcome goes.
    current: Mutex<Option<(u64, Target)>>,
    pub(super) event_loop: Py<PyAny>,
    _owner: Py<PyAny>,
}

/// What has become of a job that was begun.
pub(super) enum Begun {
    Ended,
    Suspended,
    /// It has ended, and so have others after it; this one was taken from the queue for nothing.
    EndedBefore(Job),
    /// Likewise, and then there was none.
    EndedAll,
}

#[pymethods]
impl Worker {
    /// Runs jobs until one suspends. `task`: the one that has done so, and has ended.
    #[pyo3(signature = (task=None))]
    fn __call__(slf: &Bound<'_, Self>, task: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let this = slf.get();
        if let Some(task) = task
            && let Some(outcome) = Outcome::of(task)?
        {
            this.ended(task, outcome)?;
        }
        this.work(slf)
    }
}

impl Worker {
    /// Has a new worker take up work soon.
    pub(super) fn begin(
        shared: &Arc<Shared>,
        id: WorkerId,
        name: &str,
        event_loop: Bound<'_, PyAny>,
        owner: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = owner.py();
        let worker = Self {
            shared: shared.clone(),
            id,
            name: PyString::new(py, name).unbind(),
            current: Mutex::default(),
            event_loop: event_loop.unbind(),
            _owner: owner.clone().unbind(),
        };
        Self::call_soon(&Bound::new(py, worker)?)
    }

    /// Has the worker take up work in the next turn of the loop.
    fn call_soon(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        slf.get().event_loop.call_method1(py, intern!(py, "call_soon"), (slf,))?;
        Ok(())
    }

    /// The next job; `None` if there is none, and the worker has left. The last one has ended.
    pub(super) fn next(&self) -> Option<Job> {
        self.shared.roster.next_or_retire(self.id)
    }

    fn work(&self, slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let mut watch = Stopwatch::default();
        // Whoever makes the loop's tasks makes these, too.
        let factory = self.event_loop.call_method0(py, intern!(py, "get_task_factory"))?;
        let carries = may_be(py) && factory.is_none(py);
        let mut next = self.next();
        while let Some(job) = next.take() {
            let begun =
                if carries { carrier::carry(slf, job, &mut watch) } else { self.start(slf, job) };
            match begun {
                Ok(Begun::Ended) => {}
                Ok(Begun::Suspended) => return Ok(()),
                Ok(Begun::EndedBefore(job)) => {
                    next = Some(job);
                    continue;
                }
                Ok(Begun::EndedAll) => break,
                Err(error) => {
                    // As of any task of asyncio, it stops the loop; which may go on.
                    Self::call_soon(slf)?;
                    return Err(error);
                }
            }
            if watch.has_passed(SLICE) {
                return Self::call_soon(slf);
            }
            next = self.next();
        }
        self.shared.tell_if_idle(py)
    }

    /// Starts a job in a task of its own.
    ///
    /// # Errors
    ///
    /// It has raised `KeyboardInterrupt` or `SystemExit`, which is its outcome, too.
    fn start(&self, slf: &Bound<'_, Self>, mut job: Job) -> PyResult<Begun> {
        let Some((source, target)) = job.take() else { return Ok(Begun::Ended) };
        match source.coroutine(slf.py()) {
            Ok(coroutine) => {
                drop(source);
                self.start_coroutine(slf, &coroutine, &job.context, job.number, target)
            }
            Err(error) => fail(slf.py(), error, target),
        }
    }

    /// Starts a coroutine. Likewise.
    pub(super) fn start_coroutine(
        &self,
        slf: &Bound<'_, Self>,
        coroutine: &Bound<'_, PyAny>,
        context: &Py<PyAny>,
        number: u64,
        target: Target,
    ) -> PyResult<Begun> {
        let py = slf.py();
        self.shared.first_step_begins(number);
        target.traced.begin(Name::GIVEN);
        let args = (&self.event_loop, coroutine, &self.name, context);
        let made = imports::make_local_task(py).and_then(|make| make.call1(args));
        let cancelled_with = self.shared.first_step_ends();
        match made {
            Ok(task) => self.first_step_over(slf, &task, number, target, cancelled_with),
            Err(error) => fail(py, error, target),
        }
    }

    /// The first step of a task is over, during which it may have been asked to end.
    pub(super) fn first_step_over(
        &self,
        slf: &Bound<'_, Self>,
        task: &Bound<'_, PyAny>,
        number: u64,
        target: Target,
        cancelled_with: CancelledWith,
    ) -> PyResult<Begun> {
        let py = slf.py();
        match (Outcome::of(task)?, cancelled_with) {
            (Some(outcome), cancelled_with) => {
                target.settle(py, unless_cancelled(outcome, cancelled_with))?;
                Ok(Begun::Ended)
            }
            (None, cancelled_with) => {
                if target.traced.is_traced() {
                    trace::suspended(target.traced, task);
                }
                let reference = PyWeakrefReference::new(task)?.unbind();
                lock(&self.shared.running).insert(number, reference);
                target.awaits(task, true)?;
                *lock(&self.current) = Some((number, target));
                task.call_method1(intern!(py, "add_done_callback"), (slf,))?;
                if let Some(message) = cancelled_with {
                    task.call_method1(intern!(py, "cancel"), (message,))?;
                }
                Ok(Begun::Suspended)
            }
        }
    }

    /// The task has ended.
    fn ended(&self, task: &Bound<'_, PyAny>, outcome: Outcome) -> PyResult<()> {
        let Some((number, target)) = lock(&self.current).take() else { return Ok(()) };
        let running = lock(&self.shared.running).remove(&number);
        drop(running);
        if target.traced.is_traced() {
            trace::forget(task.as_unbound());
        }
        target.awaits(task, false)?;
        target.settle(task.py(), outcome)
    }
}

/// The job has ended with an error before it suspended.
pub(super) fn fail(py: Python<'_>, error: PyErr, target: Target) -> PyResult<Begun> {
    target.settle(py, Outcome::Error(error.value(py).clone().into_any().unbind()))?;
    if error.is_instance_of::<PyException>(py) { Ok(Begun::Ended) } else { Err(error) }
}

/// The outcome of a job that has ended with its first step: one that was asked to end meanwhile and
/// has returned all the same was cancelled, as a task that cancels itself and then returns.
pub(super) fn unless_cancelled(outcome: Outcome, cancelled_with: CancelledWith) -> Outcome {
    match (outcome, cancelled_with) {
        (Outcome::Value(_), Some(message)) => Outcome::Cancelled(message),
        (outcome, _) => outcome,
    }
}
