//! Threads that wait for async code.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use pyo3::{exceptions::PyRuntimeError, intern, prelude::*, types::PyDict};
use thrasks_bridge::{Waits, while_waiting};

use crate::{
    home::{Delivery, Home},
    imports,
    outcome::Outcome,
    sync::lock,
    worker::caller_here,
};

/// Which loop's thread waits for which loop, by the loops' addresses. Whoever waits keeps both alive.
static WAITS: Waits<usize> = Waits::new();

/// How often a thread that waits looks for signals, and whether the loop is still there.
const LOOK: Duration = Duration::from_millis(100);

/// Calls an async function on a loop, and waits for its result. Once this has returned, it has been
/// called or never will be.
#[pyfunction]
pub(crate) fn wait_on_loop<'py>(
    py: Python<'py>,
    event_loop: Option<&Bound<'py, PyAny>>,
    call: Py<PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let running = imports::get_running_loop(py)?;
    let event_loop = match event_loop {
        Some(event_loop) => event_loop.clone(),
        None => loop_of_caller(py, running.as_ref())?,
    };
    let address = |event_loop: &Bound<'_, PyAny>| event_loop.as_ptr() as usize;
    let _guard = WAITS
        .begin(running.as_ref().map(address), address(&event_loop))
        .map_err(|error| refusal(&event_loop, error.is_itself()))?;
    let context = imports::copy_context(py)?.call0()?.unbind();
    let (sender, mut outcome) = sync_channel(1);
    let home = Home::of(&event_loop)?;
    let wait = Arc::new(LoopWait {
        home: home.clone(),
        state: Mutex::new(State::Waiting { call, context, sender }),
    });
    home.send(py, wait.clone());
    match receive(py, &mut outcome, &wait) {
        Ok(Some(Outcome::Value(value))) => Ok(value.into_bound(py)),
        Ok(Some(outcome)) => Err(PyErr::from_value(outcome.into_exception(py)?)),
        Ok(None) => Err(PyRuntimeError::new_err(format!(
            "the event loop is closed: {}",
            imports::repr(&event_loop)
        ))),
        Err(interrupt) => {
            wait.withdraw(py);
            Err(interrupt)
        }
    }
}

/// What the call has come to; None if the loop was closed before that.
///
/// # Errors
///
/// A signal came, on the main thread.
fn receive(
    py: Python<'_>,
    outcome: &mut Receiver<Outcome>,
    wait: &Arc<LoopWait>,
) -> PyResult<Option<Outcome>> {
    let mut patience = LOOK;
    loop {
        let waiting = &mut *outcome;
        match py.detach(move || while_waiting(move || waiting.recv_timeout(patience))) {
            Ok(outcome) => return Ok(Some(outcome)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            // A loop that was closed has told all that it will.
            Err(RecvTimeoutError::Timeout) if patience.is_zero() => {
                wait.withdraw(py);
                return Ok(None);
            }
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
        }
        if wait.home.is_closed(py) {
            patience = Duration::ZERO;
        }
    }
}

/// The loop that this thread works for.
fn loop_of_caller<'py>(
    py: Python<'py>,
    running: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let found = imports::caller_loop(py)?.call_method1(intern!(py, "get"), (py.None(),))?;
    if !found.is_none() && !running.is_some_and(|running| running.is(&found)) {
        return Ok(found);
    }
    if let Some(home) = caller_here(py)? {
        return Ok(home.event_loop(py).clone());
    }
    let advice = if running.is_some() {
        "this is async code: write `await`"
    } else {
        "call it in what `threaded` and the like run, or pass the loop to sync_wait_coroutine"
    };
    Err(PyRuntimeError::new_err(format!("this thread works for no event loop: {advice}")))
}

fn refusal(event_loop: &Bound<'_, PyAny>, is_itself: bool) -> PyErr {
    PyRuntimeError::new_err(if is_itself {
        "this thread runs the event loop that it would wait for, and would wait for ever: write \
         `await`"
            .to_owned()
    } else {
        format!(
            "the thread of that event loop waits for this one, and this one would wait for it, for \
             ever: {}",
            imports::repr(event_loop)
        )
    })
}

/// An async function that a thread waits for.
struct LoopWait {
    home: Arc<Home>,
    state: Mutex<State>,
}

enum State {
    /// The loop has not taken it up.
    Waiting {
        call: Py<PyAny>,
        context: Py<PyAny>,
        sender: SyncSender<Outcome>,
    },
    Running(Py<PyAny>),
    /// It will not be called, or nobody waits for it.
    Over,
}

impl LoopWait {
    fn begin(self: &Arc<Self>, py: Python<'_>) {
        let state = std::mem::replace(&mut *lock(&self.state), State::Over);
        let State::Waiting { call, context, sender } = state else {
            *lock(&self.state) = state;
            return;
        };
        if let Err(error) = self.run(py, &call, &context, &sender) {
            let error = error.into_value(py).into_any();
            // A thread that was interrupted does not wait any more.
            let _ = sender.try_send(Outcome::Error(error));
        }
    }

    fn run(
        &self,
        py: Python<'_>,
        call: &Py<PyAny>,
        context: &Py<PyAny>,
        sender: &SyncSender<Outcome>,
    ) -> PyResult<()> {
        let coroutine = imports::awaited(py)?.call1((call,))?;
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "context"), context)?;
        let create_task = intern!(py, "create_task");
        let task =
            self.home.event_loop(py).call_method(create_task, (coroutine,), Some(&keywords))?;
        *lock(&self.state) = State::Running(task.clone().unbind());
        let done = AwaitedDone(sender.clone());
        task.call_method1(intern!(py, "add_done_callback"), (done,))?;
        Ok(())
    }

    /// Nobody waits any more.
    fn withdraw(self: &Arc<Self>, py: Python<'_>) {
        let state = std::mem::replace(&mut *lock(&self.state), State::Over);
        if let State::Running(_) = state {
            *lock(&self.state) = state;
            self.home.send(py, self.clone());
        }
    }
}

impl Delivery for LoopWait {
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        let running = match &*lock(&self.state) {
            State::Running(task) => Some(task.clone_ref(py)),
            _ => None,
        };
        match running {
            None => self.begin(py),
            // It comes again when it is withdrawn.
            Some(task) => {
                if let Err(error) = task.call_method0(py, intern!(py, "cancel")) {
                    error.write_unraisable(py, None);
                }
            }
        }
    }

    fn discard(self: Arc<Self>, _: Python<'_>) {
        let state = std::mem::replace(&mut *lock(&self.state), State::Over);
        drop(state);
    }
}

/// The done callback of the task.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_AwaitedDone")]
struct AwaitedDone(SyncSender<Outcome>);

#[pymethods]
impl AwaitedDone {
    fn __call__(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Some(outcome) = Outcome::of(task)? {
            // A thread that was interrupted does not wait any more.
            let _ = self.0.try_send(outcome);
        }
        Ok(())
    }
}
