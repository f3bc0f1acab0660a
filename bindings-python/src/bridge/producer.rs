//! What runs on the thread of an asynchronous iterator.

use std::{
    mem,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use pyo3::{exceptions::PyRuntimeError, intern, prelude::*, sync::PyOnceLock, types::PyType};
use thrasks_bridge::{Feed, Readiness};

use crate::{home::Home, sync::lock};

use super::{context::run_in, errors::unambiguous, report::report};

/// What comes out of an iterator: items, and at last, perhaps, an exception.
pub(crate) type Item = Result<Py<PyAny>, PyErr>;

/// How often a producer that waits for room looks whether its consumer's loop is still there. A
/// loop that is closed tells nobody.
pub(crate) const LOOK: Duration = Duration::from_millis(200);

/// Tells when a producer that need not wait is to look, too.
///
/// One that makes many items in no time does not ask the clock for each.
pub(crate) struct Watch {
    next: Instant,
    asked: Instant,
    stride: u32,
    left: u32,
}

impl Watch {
    const BRIEF: Duration = Duration::from_millis(1);
    const MOST: u32 = 15;

    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self { next: now + LOOK, asked: now, stride: 0, left: 0 }
    }

    /// Whether it is time, now that there is another item.
    pub(crate) fn is_time(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        let now = Instant::now();
        let brief = now.duration_since(self.asked) < Self::BRIEF;
        self.stride = if brief { (2 * self.stride + 1).min(Self::MOST) } else { 0 };
        self.left = self.stride;
        self.asked = now;
        if now < self.next {
            return false;
        }
        self.next = now + LOOK;
        true
    }
}

/// An exception that was raised while an iterator was being closed, for whoever waits for that.
#[derive(Default)]
pub(crate) struct Ending(Mutex<Failure>);

#[derive(Default)]
enum Failure {
    #[default]
    None,
    Raised(PyErr),
    /// Nobody will ask.
    Unwanted,
}

impl Ending {
    /// What was raised, if that has not been told yet.
    pub(crate) fn take(&self) -> Option<PyErr> {
        let mut failure = lock(&self.0);
        match mem::take(&mut *failure) {
            Failure::Raised(error) => Some(error),
            other => {
                *failure = other;
                None
            }
        }
    }

    /// Nobody will ask for it. Returns what was raised before.
    pub(crate) fn disown(&self) -> Option<PyErr> {
        match mem::replace(&mut *lock(&self.0), Failure::Unwanted) {
            Failure::Raised(error) => Some(error),
            _ => None,
        }
    }

    /// Something was raised. Gives it back if nobody will ask.
    pub(crate) fn raised(&self, error: PyErr) -> Option<PyErr> {
        let mut failure = lock(&self.0);
        if matches!(*failure, Failure::Unwanted) {
            return Some(error);
        }
        *failure = Failure::Raised(error);
        None
    }
}

/// Drains an iterator on a thread.
pub(crate) struct Producer {
    pub(crate) name: String,
    pub(crate) make: Py<PyAny>,
    pub(crate) context: Py<PyAny>,
    pub(crate) home: Arc<Home>,
    pub(crate) ending: Arc<Ending>,
}

impl Producer {
    /// Does it, until the iterator or the interest in it has ended. The thread stays attached to
    /// the interpreter but for the waits.
    pub(crate) fn run(self, feed: &mut Feed<Item>) {
        Python::attach(|py| {
            let error = run_in(self.context.bind(py), || self.drain(py, feed));
            if let Some(error) = error.unwrap_or_else(Some) {
                self.tell(py, error);
            }
            // What it holds is dropped here, attached.
            drop(self);
        });
    }

    /// Returns what was raised while the iterator was closed.
    fn drain(&self, py: Python<'_>, feed: &mut Feed<Item>) -> Option<PyErr> {
        if self.home.is_here(py) {
            let _ = feed.push(Err(on_its_own_loop(&self.name)));
            return None;
        }
        let mut watch = Watch::new();
        if !self.wait(py, feed, &mut watch) {
            return None;
        }
        let mut iterator = match self.make.bind(py).call0().and_then(|made| made.try_iter()) {
            Ok(iterator) => iterator,
            Err(error) => {
                // Whoever has closed the stream meanwhile does not want it.
                let _ = feed.push(Err(unambiguous(py, &self.name, error)));
                return None;
            }
        };
        loop {
            let item = match iterator.next() {
                Some(Ok(item)) => Ok(item.unbind()),
                Some(Err(error)) => Err(unambiguous(py, &self.name, error)),
                None => return None,
            };
            let failed = item.is_err();
            let refused = feed.push(item).is_err();
            if failed {
                return None;
            }
            if refused || !self.wait(py, feed, &mut watch) {
                return close_generator(iterator.as_any()).err();
            }
        }
    }

    /// Waits until there is room for another item. Returns false when nobody wants it any more.
    fn wait(&self, py: Python<'_>, feed: &mut Feed<Item>, watch: &mut Watch) -> bool {
        if feed.is_ready() {
            return !(watch.is_time() && self.home.is_closed(py));
        }
        loop {
            match py.detach(|| feed.wait_ready_timeout(LOOK)) {
                Readiness::Ready => return true,
                Readiness::Closed => return false,
                Readiness::TimedOut => {
                    if self.home.is_closed(py) {
                        return false;
                    }
                }
            }
        }
    }

    fn tell(&self, py: Python<'_>, error: PyErr) {
        if let Some(error) = self.ending.raised(error) {
            report_closing(py, &self.home, &self.name, error);
        }
    }
}

/// Tells the loop of an exception that was raised while an iterator was closed.
pub(crate) fn report_closing(py: Python<'_>, home: &Arc<Home>, name: &str, error: PyErr) {
    report(py, home, format!("exception while {name} was being closed on its thread"), error);
}

/// The exception for what an executor without threads has run where it was given it: on the thread of
/// the loop, which would wait for itself.
pub(crate) fn on_its_own_loop(name: &str) -> PyErr {
    PyRuntimeError::new_err(format!(
        "{name} needs an executor with threads of its own: this one runs it on the thread of the \
         event loop, which would wait for itself"
    ))
}

/// Closes what has a `finally` to run. Another iterator is only dropped, as a `for` loop does.
pub(crate) fn close_generator(iterator: &Bound<'_, PyAny>) -> PyResult<()> {
    static GENERATOR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = iterator.py();
    if iterator.is_instance(GENERATOR.import(py, "collections.abc", "Generator")?)? {
        iterator.call_method0(intern!(py, "close"))?;
    }
    Ok(())
}
