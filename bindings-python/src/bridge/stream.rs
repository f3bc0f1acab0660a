//! Iterators and callbacks on threads, as asynchronous iterators.

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use pyo3::{
    PyTraverseError, PyVisit,
    exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration},
    intern,
    prelude::*,
    types::{PyIterator, PyTuple},
};
use thrasks_bridge::{ThreadStream, stream_from_callback, stream_with};

use crate::{
    home::Home,
    imports,
    sync::{in_drop, lock},
};

use super::{
    bell::Bell,
    callback::Callback,
    context::set_loop,
    errors::failure_of,
    place::Place,
    producer::{Ending, Item, Producer, report_closing},
    threads::{Run, UnderWay},
};

/// How long a loop over items that are there already may keep the event loop from its other tasks.
const SLICE: Duration = Duration::from_millis(1);

/// An asynchronous iterator of what runs on a thread.
#[pyclass(frozen, subclass, weakref, module = "thrasks._thrasks")]
pub(crate) struct StreamBase(Arc<Core>);

struct Core {
    name: String,
    state: Mutex<State>,
    /// Rings when there may be an item.
    items: Arc<Bell>,
    /// Rings when the thread is free again.
    ended: Arc<Bell>,
    ending: Arc<Ending>,
    /// Somebody waits for an item.
    awaited: AtomicBool,
    streak: Mutex<Streak>,
}

/// For how long items have been taken without waiting for one.
struct Streak {
    items: u8,
    since: Instant,
}

impl Streak {
    fn new() -> Self {
        Self { items: 0, since: Instant::now() }
    }

    /// Another item is there already. Returns whether the loop's other tasks have waited for long
    /// enough: a producer that is always ahead would keep them waiting for ever.
    fn is_long(&mut self) -> bool {
        self.items += 1;
        if self.items < 64 {
            return false;
        }
        self.items = 0;
        self.since.elapsed() >= SLICE
    }
}

enum State {
    Unstarted(Source),
    Running(ThreadStream<Item>),
    /// It is being started, or closed. `close`: it is to be closed once it has been.
    Between {
        close: bool,
    },
    /// There will be no more items. The stream, if there was one, tells when the thread has ended.
    Over(Option<ThreadStream<Item>>),
}

impl State {
    fn between() -> Self {
        Self::Between { close: false }
    }
}

/// What the thread is to do, before anything has begun.
struct Source {
    make: Py<PyAny>,
    size: usize,
    place: Place,
    context: Py<PyAny>,
    calls_back: bool,
}

/// What there is for whoever asks for the next item.
enum Step {
    Item(Py<PyAny>),
    End,
    Nothing(Arc<Home>),
}

impl Source {
    fn start(
        self,
        py: Python<'_>,
        core: &Arc<Core>,
        home: &Arc<Home>,
    ) -> PyResult<ThreadStream<Item>> {
        let event_loop = home.event_loop(py);
        set_loop(self.context.bind(py), event_loop)?;
        let place = self.place.on(event_loop)?;
        core.ended.bind(py, &core.name)?;
        let run: Arc<dyn Run> = core.clone();
        let under_way = UnderWay::new(Arc::downgrade(&run));
        let producer = Producer {
            name: core.name.clone(),
            make: self.make,
            context: self.context,
            home: home.clone(),
            ending: core.ending.clone(),
        };
        Ok(if self.calls_back {
            stream_from_callback(&place, self.size, move |sender| {
                let _under_way = under_way;
                Callback::run(producer, sender);
            })
        } else {
            stream_with(&place, self.size, move |feed| {
                let _under_way = under_way;
                producer.run(feed);
            })
        })
    }
}

impl Core {
    /// The next item, if there is one.
    ///
    /// # Errors
    ///
    /// What was raised on the thread; that it did not begin; that this is the wrong loop.
    fn step(self: &Arc<Self>, py: Python<'_>) -> PyResult<Step> {
        let home = self.items.bind(py, &self.name)?;
        self.start(py, &home)?;
        let mut state = lock(&self.state);
        let State::Running(stream) = &mut *state else { return Ok(Step::End) };
        let waker = self.items.waker();
        let next = match stream.poll_next(&mut Context::from_waker(&waker)) {
            Poll::Pending => return Ok(Step::Nothing(home)),
            Poll::Ready(Some(Ok(Ok(item)))) => return Ok(Step::Item(item)),
            Poll::Ready(next) => next,
        };
        // That was the last of it.
        if let State::Running(stream) = mem::replace(&mut *state, State::between()) {
            *state = State::Over(Some(stream));
        }
        drop(state);
        self.items.let_go();
        self.ended.let_go_unless_awaited();
        match next {
            Some(Ok(outcome)) => outcome.map(Step::Item),
            Some(Err(error)) => Err(failure_of(py, &self.name, &error)),
            None => Ok(Step::End),
        }
    }

    /// Starts it, if that has not been done.
    fn start(self: &Arc<Self>, py: Python<'_>, home: &Arc<Home>) -> PyResult<()> {
        let mut state = lock(&self.state);
        let State::Unstarted(_) = &*state else { return Ok(()) };
        let State::Unstarted(source) = mem::replace(&mut *state, State::between()) else {
            return Ok(());
        };
        drop(state);
        let started = source.start(py, self, home);
        let (next, result) = match started {
            Ok(stream) => (State::Running(stream), Ok(())),
            Err(error) => (State::Over(None), Err(error)),
        };
        let before = mem::replace(&mut *lock(&self.state), next);
        if let State::Between { close: true } = before {
            self.close(py);
        }
        result
    }

    /// Stops what runs on the thread. No more items come.
    fn close(&self, py: Python<'_>) {
        let mut state = lock(&self.state);
        match mem::replace(&mut *state, State::between()) {
            State::Unstarted(source) => {
                *state = State::Over(None);
                drop(state);
                drop(source);
            }
            State::Running(mut stream) => {
                drop(state);
                // Drops what is in the buffer, which may run any code.
                stream.close();
                *lock(&self.state) = State::Over(Some(stream));
                self.items.ring(py);
                self.ended.ring(py);
            }
            State::Between { .. } => *state = State::Between { close: true },
            over @ State::Over(_) => *state = over,
        }
    }

    /// A future that is done when the thread may have ended, or None if it has, or never began.
    ///
    /// # Errors
    ///
    /// What was raised while the iterator was being closed.
    fn when_ended<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        // Where it has ended, it may be another loop, or none, that asks.
        let home = self.ended.bind(py, &self.name);
        let waker = match &home {
            Ok(home) => self.ended.waker_for(home.clone()),
            Err(_) => self.ended.waker(),
        };
        let mut state = lock(&self.state);
        let result = match &mut *state {
            State::Unstarted(_) | State::Over(None) => {
                drop(state);
                self.ended.let_go_unless_awaited();
                return Ok(None);
            }
            State::Between { .. } => Poll::Pending,
            State::Running(stream) | State::Over(Some(stream)) => {
                stream.poll_closed(&mut Context::from_waker(&waker))
            }
        };
        drop(state);
        match result {
            Poll::Pending => {
                let home = home?;
                self.ended.future(py, &home).map(Some)
            }
            Poll::Ready(result) => {
                self.items.let_go_unless_awaited();
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
            State::Over(Some(stream)) => stream.is_closed(),
            State::Over(None) => true,
            _ => false,
        }
    }
}

/// The interpreter exits.
impl Run for Core {
    fn stop(&self) {
        Python::attach(|py| self.close(py));
    }
}

impl Drop for StreamBase {
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
impl StreamBase {
    /// `make`: what is called on the thread, and returns something to iterate over, or itself calls
    /// the callback that it is given.
    #[new]
    fn new(
        py: Python<'_>,
        make: Py<PyAny>,
        size: usize,
        place: Option<&Bound<'_, PyAny>>,
        name: String,
        calls_back: bool,
    ) -> PyResult<Self> {
        let context = imports::copy_context(py)?.call0()?.unbind();
        let source = Source { make, size, place: Place::of(place), context, calls_back };
        Ok(Self(Arc::new(Core {
            name,
            state: Mutex::new(State::Unstarted(source)),
            items: Arc::default(),
            ended: Arc::default(),
            ending: Arc::default(),
            awaited: AtomicBool::new(false),
            streak: Mutex::new(Streak::new()),
        })))
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__(slf: Py<Self>) -> Next {
        Next { stream: slf, waiting: Mutex::new(None) }
    }

    /// Stop what runs on the thread, and do not wait for it. May be called on any thread.
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
            Ok(State::Unstarted(Source { make, place, context, .. })) => {
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
            let source = mem::replace(&mut *state, State::Over(None));
            drop(state);
            drop(source);
        }
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let core = &slf.get().0;
        let state = match &*lock(&core.state) {
            State::Unstarted(_) => "not started".to_owned(),
            State::Running(stream) => format!("running, {} buffered", stream.buffered()),
            State::Between { .. } | State::Over(_) => "ended".to_owned(),
        };
        let kind = slf.get_type().name()?;
        Ok(format!("<{kind} of {}: {state}>", core.name))
    }
}

/// What `__anext__` returns, to be awaited: takes the next item, or waits for it.
///
/// Nothing is taken before it is awaited, so that nothing is lost where it is not.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Next")]
struct Next {
    stream: Py<StreamBase>,
    /// The iterator of the future that it waits for.
    waiting: Mutex<Option<Py<PyAny>>>,
}

#[pymethods]
impl Next {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn send(&self, py: Python<'_>, _value: &Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
        self.__next__(py)
    }

    /// Its task was cancelled, as a rule. It may live on, in a traceback.
    #[pyo3(signature = (*args))]
    fn throw<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let waiting = match self.stop_waiting() {
            Some(waiting) => waiting.into_bound(py),
            // That of any future does: it has nothing to clean up.
            None => {
                let core = &self.stream.get().0;
                let home = core.items.bind(py, &core.name)?;
                let future = home.event_loop(py).call_method0(intern!(py, "create_future"))?;
                future.call_method0(intern!(py, "__await__"))?
            }
        };
        waiting.call_method1(intern!(py, "throw"), args)
    }

    fn close(&self) {
        drop(self.stop_waiting());
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.stream)?;
        match self.waiting.try_lock().as_deref() {
            Ok(Some(waiting)) => visit.call(waiting),
            _ => Ok(()),
        }
    }

    fn __clear__(&self) {
        drop(self.stop_waiting());
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let core = &self.stream.get().0;
        let waiting = lock(&self.waiting).take();
        if waiting.is_none() && lock(&core.streak).is_long() {
            // As asyncio.sleep(0): the task goes on after all others that are ready.
            *lock(&core.streak) = Streak::new();
            return Ok(Some(py.None()));
        }
        if let Some(waiting) = waiting {
            if let Some(future) = self.wait(py, waiting)? {
                return Ok(Some(future));
            }
        } else if core.awaited.load(Ordering::Relaxed) {
            return Err(PyRuntimeError::new_err(format!(
                "anext(): asynchronous iterator is already running: another task awaits the next \
                 item of {}",
                core.name
            )));
        }
        loop {
            match core.step(py)? {
                Step::Item(item) => return Err(PyStopIteration::new_err((item,))),
                Step::End => return Err(PyStopAsyncIteration::new_err(())),
                Step::Nothing(home) => {
                    let future = core.items.future(py, &home)?;
                    let waiting = future.call_method0(intern!(py, "__await__"))?;
                    core.awaited.store(true, Ordering::Relaxed);
                    if let Some(future) = self.wait(py, waiting.unbind())? {
                        return Ok(Some(future));
                    }
                }
            }
        }
    }
}

impl Next {
    /// Somebody else may wait for the item. Returns what this has waited for, if it has.
    fn stop_waiting(&self) -> Option<Py<PyAny>> {
        let waiting = lock(&self.waiting).take();
        if waiting.is_some() {
            self.stream.get().0.awaited.store(false, Ordering::Relaxed);
        }
        waiting
    }

    /// Goes on waiting. Returns what the task is to wait for, if it is to.
    fn wait(&self, py: Python<'_>, waiting: Py<PyAny>) -> PyResult<Option<Py<PyAny>>> {
        let awaited = &self.stream.get().0.awaited;
        match waiting.bind(py).cast::<PyIterator>()?.clone().next() {
            Some(Ok(future)) => {
                *lock(&self.waiting) = Some(waiting);
                Ok(Some(future.unbind()))
            }
            outcome => {
                awaited.store(false, Ordering::Relaxed);
                *lock(&self.stream.get().0.streak) = Streak::new();
                outcome.transpose().map(|_| None)
            }
        }
    }
}

impl Drop for Next {
    fn drop(&mut self) {
        drop(self.stop_waiting());
    }
}
