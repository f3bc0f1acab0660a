//! Waking a loop for what happens on a thread.

use std::{
    sync::{Arc, Mutex},
    task::{Wake, Waker},
};

use pyo3::{PyTraverseError, PyVisit, exceptions::PyRuntimeError, intern, prelude::*};

use crate::{
    home::{Delivery, Home},
    imports,
    sync::lock,
};

/// Futures of one loop, which are done when a thread rings.
///
/// It is the loop that first waits for it. Whoever waits looks again, and may have to wait again.
#[derive(Default)]
pub(crate) struct Bell {
    home: Mutex<Option<Arc<Home>>>,
    waiters: Mutex<Vec<Py<PyAny>>>,
}

impl Bell {
    /// The home of the loop that waits for it: the running one.
    ///
    /// # Errors
    ///
    /// No loop is running here, or it is another than the one that has waited before.
    pub(crate) fn bind(&self, py: Python<'_>, what: &str) -> PyResult<Arc<Home>> {
        let event_loop = running_loop(py, what)?;
        if let Some(home) = self.home() {
            if home.event_loop(py).is(&event_loop) {
                return Ok(home);
            }
            return Err(PyRuntimeError::new_err(format!(
                "{what} is used by another event loop: {}",
                imports::repr(home.event_loop(py))
            )));
        }
        let home = Home::of(&event_loop)?;
        let mut bound = lock(&self.home);
        Ok(bound.get_or_insert(home).clone())
    }

    /// The home of the loop that has waited for it.
    pub(crate) fn home(&self) -> Option<Arc<Home>> {
        lock(&self.home).clone()
    }

    /// A future of the loop, done when it rings next.
    pub(crate) fn future<'py>(&self, py: Python<'py>, home: &Home) -> PyResult<Bound<'py, PyAny>> {
        let create = intern!(py, "create_future");
        let future = home.event_loop(py).call_method0(create)?;
        lock(&self.waiters).push(future.clone().unbind());
        Ok(future)
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        self.clone().into()
    }

    /// A waker that rings for this loop also when it has been let go of meanwhile: several may wait,
    /// and the first that finds that it is over lets go of it.
    pub(crate) fn waker_for(self: &Arc<Self>, home: Arc<Home>) -> Waker {
        Arc::new(Ring { bell: self.clone(), home }).into()
    }

    /// Rings, whether or not anybody waits: on its own thread, the loop may be about to.
    pub(crate) fn ring(self: &Arc<Self>, py: Python<'_>) {
        if let Some(home) = self.home() {
            home.send(py, self.clone());
        }
    }

    /// Lets go of the loop if nobody there waits. On the loop's thread.
    pub(crate) fn let_go_unless_awaited(&self) {
        let awaited = !lock(&self.waiters).is_empty();
        if !awaited {
            self.let_go();
        }
    }

    /// For the collector: of one owner only.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(waiters) = self.waiters.try_lock() else { return Ok(()) };
        waiters.iter().try_for_each(|waiter| visit.call(waiter))
    }

    /// Forgets who waits.
    pub(crate) fn clear(&self) {
        let waiters = std::mem::take(&mut *lock(&self.waiters));
        drop(waiters);
    }

    /// It will not ring any more: lets go of the loop.
    pub(crate) fn let_go(&self) {
        let home = lock(&self.home).take();
        drop(home);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if let Some(home) = self.home() {
            Python::attach(|py| home.send(py, self));
        }
    }
}

/// A bell, and the loop that is to hear it: on its way there it keeps the loop's inbox, which nobody
/// else may hold any more.
struct Ring {
    bell: Arc<Bell>,
    home: Arc<Home>,
}

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        Python::attach(|py| self.home.clone().send(py, self));
    }
}

impl Delivery for Ring {
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        self.bell.clone().deliver(py);
    }

    fn discard(self: Arc<Self>, py: Python<'_>) {
        self.bell.clone().discard(py);
    }
}

impl Delivery for Bell {
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        let waiters = std::mem::take(&mut *lock(&self.waiters));
        for future in waiters {
            finish(future.bind(py));
        }
    }

    fn discard(self: Arc<Self>, _: Python<'_>) {
        self.clear();
    }
}

/// Makes a future done, unless whoever waited was cancelled.
fn finish(future: &Bound<'_, PyAny>) {
    let py = future.py();
    let finish = || {
        if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
            future.call_method1(intern!(py, "set_result"), (py.None(),))?;
        }
        Ok::<_, PyErr>(())
    };
    if let Err(error) = finish() {
        error.write_unraisable(py, Some(future));
    }
}

/// The loop that runs here.
///
/// # Errors
///
/// None does.
pub(crate) fn running_loop<'py>(py: Python<'py>, what: &str) -> PyResult<Bound<'py, PyAny>> {
    imports::get_running_loop(py)?.ok_or_else(|| {
        PyRuntimeError::new_err(format!(
            "no running event loop: {what} can be awaited only in async code, with asyncio.run(...)"
        ))
    })
}
