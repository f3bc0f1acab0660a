//! Generators on threads, driven step by step.

use std::{
    mem,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use pyo3::{
    PyTraverseError, PyVisit,
    exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration},
    intern,
    prelude::*,
};
use thrasks_bridge::{Generator, Interrupt, StartError, Step, Yielder, generator};

use crate::{
    home::Home,
    imports,
    sync::{in_drop, lock},
};

use super::{
    bell::Bell,
    context::{run_in, set_loop},
    errors::{failure_of, unambiguous},
    place::Place,
    producer::{Ending, Item, LOOK, close_generator, on_its_own_loop, report_closing},
    threads::{Run, UnderWay},
};

/// What one step of it may come to, apart from its end: an exception that does not end it is that of
/// a generator which was sent something before it had begun.
type Driven = Generator<Py<PyAny>, Py<PyAny>, Item, PyResult<()>>;

/// An asynchronous generator that drives one on a thread.
#[pyclass(frozen, subclass, weakref, module = "thrasks._thrasks")]
pub(crate) struct GeneratorBase(Arc<Core>);

struct Core {
    name: String,
    state: Mutex<State>,
    /// Rings when a step has ended.
    stepped: Arc<Bell>,
    /// Rings when the thread is free again.
    ended: Arc<Bell>,
    ending: Arc<Ending>,
}

enum State {
    Unstarted(Source),
    Running(Driven),
    /// It is being started, or closed, or begins a step. `close`: it is to be closed once it has.
    Between {
        close: bool,
    },
    /// It was closed before it had begun.
    Over,
}

impl State {
    fn between() -> Self {
        Self::Between { close: false }
    }
}

/// What the thread is to do, before anything has begun.
struct Source {
    make: Py<PyAny>,
    place: Place,
    context: Py<PyAny>,
}

impl Source {
    fn start(self, py: Python<'_>, core: &Arc<Core>, home: Arc<Home>) -> PyResult<Driven> {
        let event_loop = home.event_loop(py);
        set_loop(self.context.bind(py), event_loop)?;
        let place = self.place.on(event_loop)?;
        core.ended.bind(py, &core.name)?;
        let run: Arc<dyn Run> = core.clone();
        let run = Arc::downgrade(&run);
        let driver = Driver {
            name: core.name.clone(),
            make: self.make,
            context: self.context,
            home,
            ending: core.ending.clone(),
        };
        Ok(generator(place, move |yielder| {
            let _under_way = UnderWay::new(run);
            driver.run(yielder)
        }))
    }
}

impl Core {
    /// Has the generator make a step.
    ///
    /// # Errors
    ///
    /// It has ended, or is at it already; this is the wrong loop.
    fn begin_step(
        self: &Arc<Self>,
        py: Python<'_>,
        begin: impl FnOnce(&mut Driven) -> Result<(), StartError<Py<PyAny>>>,
    ) -> PyResult<()> {
        let home = self.stepped.bind(py, &self.name)?;
        let mut state = lock(&self.state);
        if let State::Unstarted(_) = &*state
            && let State::Unstarted(source) = mem::replace(&mut *state, State::between())
        {
            drop(state);
            let started = source.start(py, self, home);
            let (next, result) = match started {
                Ok(driven) => (State::Running(driven), Ok(())),
                Err(error) => (State::Over, Err(error)),
            };
            self.settle(py, next);
            result?;
            state = lock(&self.state);
        }
        // A step is begun outside of the lock: that may start a thread, or call an executor.
        let mut driven = match mem::replace(&mut *state, State::between()) {
            State::Running(driven) => driven,
            other => {
                *state = other;
                return Err(PyStopAsyncIteration::new_err(()));
            }
        };
        drop(state);
        let begun = begin(&mut driven);
        self.settle(py, State::Running(driven));
        match begun {
            Ok(()) => Ok(()),
            Err(StartError::Ended(_)) => Err(PyStopAsyncIteration::new_err(())),
            Err(StartError::Busy(_)) => Err(PyRuntimeError::new_err(format!(
                "asynchronous generator is already running: {}",
                self.name
            ))),
        }
    }

    /// Sets the state after it was `Between`.
    fn settle(&self, py: Python<'_>, next: State) {
        let before = mem::replace(&mut *lock(&self.state), next);
        if let State::Between { close: true } = before {
            self.close(py);
        }
    }

    /// What the step under way has come to: what was yielded, if it has ended.
    ///
    /// # Errors
    ///
    /// What was raised; that the generator has ended, or did not begin.
    fn end_step(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let mut state = lock(&self.state);
        let State::Running(driven) = &mut *state else {
            return Err(PyStopAsyncIteration::new_err(()));
        };
        if !driven.is_stepping() {
            return Err(PyStopAsyncIteration::new_err(()));
        }
        let waker = self.stepped.waker();
        let Poll::Ready(step) = driven.poll_step(&mut Context::from_waker(&waker)) else {
            return Ok(None);
        };
        drop(state);
        match step {
            Ok(Step::Yielded(outcome)) => outcome.map(Some),
            Ok(Step::Returned(outcome)) => {
                self.stepped.let_go();
                self.ended.let_go_unless_awaited();
                Err(outcome.err().unwrap_or_else(|| PyStopAsyncIteration::new_err(())))
            }
            Err(error) => Err(failure_of(py, &self.name, &error)),
        }
    }

    /// Closes the generator when its step has ended, on its thread.
    fn close(&self, py: Python<'_>) {
        let mut state = lock(&self.state);
        match mem::replace(&mut *state, State::between()) {
            State::Unstarted(source) => {
                *state = State::Over;
                drop(state);
                drop(source);
            }
            State::Running(mut driven) => {
                drop(state);
                driven.close();
                *lock(&self.state) = State::Running(driven);
                self.stepped.ring(py);
                self.ended.ring(py);
            }
            State::Between { .. } => *state = State::Between { close: true },
            State::Over => *state = State::Over,
        }
    }

    /// A future that is done when the thread may have ended, or None if it has, or never began.
    ///
    /// # Errors
    ///
    /// What was raised while the generator was being closed.
    fn when_ended<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        // Where it has ended, it may be another loop, or none, that asks.
        let home = self.ended.bind(py, &self.name);
        let waker = match &home {
            Ok(home) => self.ended.waker_for(home.clone()),
            Err(_) => self.ended.waker(),
        };
        let mut state = lock(&self.state);
        let result = match &mut *state {
            State::Unstarted(_) | State::Over => {
                drop(state);
                self.ended.let_go_unless_awaited();
                return Ok(None);
            }
            State::Between { .. } => Poll::Pending,
            State::Running(driven) => driven.poll_closed(&mut Context::from_waker(&waker)),
        };
        drop(state);
        match result {
            Poll::Pending => {
                let home = home?;
                self.ended.future(py, &home).map(Some)
            }
            Poll::Ready(result) => {
                self.stepped.let_go_unless_awaited();
                self.ended.let_go();
                if let Some(error) = self.ending.take() {
                    return Err(error);
                }
                result.map_err(|error| failure_of(py, &self.name, &error))?;
                Ok(None)
            }
        }
    }

    fn is_closed(&self) -> bool {
        match &*lock(&self.state) {
            State::Over => true,
            State::Running(driven) => driven.is_closed(),
            State::Unstarted(_) | State::Between { .. } => false,
        }
    }
}

/// The interpreter exits.
impl Run for Core {
    fn stop(&self) {
        Python::attach(|py| self.close(py));
    }
}

impl Drop for GeneratorBase {
    fn drop(&mut self) {
        in_drop(|py| {
            let home = self.0.ended.home();
            self.0.close(py);
            if let (Some(error), Some(home)) = (self.0.ending.disown(), home) {
                report_closing(py, &home, &self.0.name, error);
            }
        });
    }
}

#[pymethods]
impl GeneratorBase {
    /// `make`: what is called on the thread, and returns the generator.
    #[new]
    fn new(
        py: Python<'_>,
        make: Py<PyAny>,
        place: Option<&Bound<'_, PyAny>>,
        name: String,
    ) -> PyResult<Self> {
        let context = imports::copy_context(py)?.call0()?.unbind();
        let source = Source { make, place: Place::of(place), context };
        Ok(Self(Arc::new(Core {
            name,
            state: Mutex::new(State::Unstarted(source)),
            stepped: Arc::default(),
            ended: Arc::default(),
            ending: Arc::default(),
        })))
    }

    fn _send(&self, py: Python<'_>, value: Py<PyAny>) -> PyResult<()> {
        self.0.begin_step(py, |driven| driven.start_send(value))
    }

    fn _throw(&self, py: Python<'_>, error: Py<PyAny>) -> PyResult<()> {
        self.0.begin_step(py, |driven| driven.start_throw(error))
    }

    /// What the step under way has yielded, alone in a tuple, or None if it has not ended.
    fn _take(&self, py: Python<'_>) -> PyResult<Option<(Py<PyAny>,)>> {
        Ok(self.0.end_step(py)?.map(|value| (value,)))
    }

    /// A future that is done when the step under way may have ended.
    fn _when_stepped<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let home = self.0.stepped.bind(py, &self.0.name)?;
        self.0.stepped.future(py, &home)
    }

    /// Whether a step has begun whose outcome nobody has taken.
    #[getter]
    fn _under_way(&self) -> bool {
        matches!(&*lock(&self.0.state), State::Running(driven) if driven.is_stepping())
    }

    /// Close the generator when its step has ended, on its thread, and do not wait for it.
    ///
    /// May be called on any thread.
    fn close(&self, py: Python<'_>) {
        self.0.close(py);
    }

    /// Whether nothing of it runs on a thread any more, and nothing will.
    #[getter]
    fn closed(&self) -> bool {
        self.0.is_closed()
    }

    fn _when_ended<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.when_ended(py)
    }

    // What has begun is held by its thread.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.state.try_lock().as_deref() {
            Ok(State::Unstarted(Source { make, place, context })) => {
                visit.call(make)?;
                visit.call(context)?;
                place.traverse(&visit)
            }
            _ => Ok(()),
        }
    }

    fn __clear__(&self) {
        let mut state = lock(&self.0.state);
        if let State::Unstarted(_) = &*state {
            let source = mem::replace(&mut *state, State::Over);
            drop(state);
            drop(source);
        }
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let core = &slf.get().0;
        let state = match &*lock(&core.state) {
            State::Unstarted(_) => "not started",
            State::Running(driven) if driven.is_closed() => "ended",
            State::Running(driven) if driven.is_stepping() => "running",
            State::Running(_) => "suspended",
            State::Between { .. } | State::Over => "ended",
        };
        let kind = slf.get_type().name()?;
        Ok(format!("<{kind} of {}: {state}>", core.name))
    }
}

/// Drives a generator on a thread.
struct Driver {
    name: String,
    make: Py<PyAny>,
    context: Py<PyAny>,
    home: Arc<Home>,
    ending: Arc<Ending>,
}

type Steps = Yielder<Py<PyAny>, Py<PyAny>, Item>;

impl Driver {
    fn run(self, yielder: &mut Steps) -> PyResult<()> {
        let home = self.home.clone();
        // A loop that is closed tells nobody.
        yielder.watch(LOOK, move || Python::attach(|py| !home.is_closed(py)));
        Python::attach(|py| {
            let result = run_in(self.context.bind(py), || self.drive(py, yielder));
            let result = result.and_then(|driven| driven);
            drop(self);
            result
        })
    }

    fn drive(&self, py: Python<'_>, yielder: &mut Steps) -> PyResult<()> {
        if self.home.is_here(py) {
            return Err(on_its_own_loop(&self.name));
        }
        let steps = &mut *yielder;
        let mut message = py.detach(move || steps.first());
        let generator = self.make.bind(py).call0()?;
        loop {
            let result = match message {
                Ok(value) => generator.call_method1(intern!(py, "send"), (value,)),
                Err(Interrupt::Thrown(error)) => {
                    generator.call_method1(intern!(py, "throw"), (error,))
                }
                Err(Interrupt::Closed) => {
                    self.close(&generator);
                    return Ok(());
                }
            };
            let outcome = match result {
                Ok(value) => Ok(value.unbind()),
                Err(error) if error.is_instance_of::<PyStopIteration>(py) => return Ok(()),
                Err(error) => {
                    let error = unambiguous(py, &self.name, error);
                    if has_ended(&generator) {
                        return Err(error);
                    }
                    Err(error)
                }
            };
            let steps = &mut *yielder;
            message = py.detach(move || steps.put(outcome));
        }
    }

    fn close(&self, generator: &Bound<'_, PyAny>) {
        let py = generator.py();
        if let Err(error) = close_generator(generator)
            && let Some(error) = self.ending.raised(error)
        {
            report_closing(py, &self.home, &self.name, error);
        }
    }
}

/// Whether a generator that has raised something has ended. One of another make always has.
fn has_ended(generator: &Bound<'_, PyAny>) -> bool {
    generator.getattr(intern!(generator.py(), "gi_frame")).map_or(true, |frame| frame.is_none())
}
