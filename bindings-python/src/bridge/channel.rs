//! Channels from threads into async code.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use pyo3::{PyTraverseError, PyVisit, intern, prelude::*};
use thrasks_bridge::{Empty, Receiver, Sender, channel};

use crate::sync::lock;

use super::{
    bell::Bell,
    callback::{closed, send},
};

const NAME: &str = "the channel";

/// A bounded queue that threads fill and a loop empties.
#[pyclass(frozen, subclass, weakref, module = "thrasks._thrasks")]
pub(crate) struct ChannelBase {
    sender: Sender<Py<PyAny>>,
    inside: Mutex<Inside>,
    bell: Arc<Bell>,
}

struct Inside {
    receiver: Receiver<Py<PyAny>>,
    /// An item that was there when somebody wanted to wait for one.
    found: Option<Py<PyAny>>,
}

#[pymethods]
impl ChannelBase {
    /// `maxsize`: how many items it holds; 0 for no bound.
    #[new]
    fn new(maxsize: usize) -> Self {
        let (sender, receiver) = channel((maxsize > 0).then_some(maxsize));
        let inside = Mutex::new(Inside { receiver, found: None });
        Self { sender, inside, bell: Arc::default() }
    }

    /// Put an item in; where the channel is full, wait until there is room.
    ///
    /// For threads: the event loop that takes from the channel would wait for itself.
    ///
    /// Args:
    ///     item: Anything.
    ///
    /// Raises:
    ///     ChannelClosed: The channel is closed, and the item is not in it.
    ///     RuntimeError: The channel is full, and this is the thread of that event loop.
    fn put(&self, py: Python<'_>, item: Py<PyAny>) -> PyResult<()> {
        send(py, &self.sender, item, NAME, self.bell.home().as_ref())
    }

    /// Close the channel: nothing can be put in any more. What is inside can still be taken.
    fn close(&self) {
        self.sender.close();
    }

    /// Whether the channel has been closed.
    #[getter]
    fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// The oldest item, alone in a tuple, or None if there is none.
    fn _take(&self, py: Python<'_>) -> PyResult<Option<(Py<PyAny>,)>> {
        self.bell.bind(py, NAME)?;
        let mut inside = lock(&self.inside);
        if let Some(item) = inside.found.take() {
            return Ok(Some((item,)));
        }
        match inside.receiver.try_next() {
            Ok(item) => Ok(Some((item,))),
            Err(Empty::Pending) => Ok(None),
            Err(Empty::Ended) => Err(closed(py, NAME)),
        }
    }

    /// A future that is done when there is an item, or there will be none.
    fn _when_item<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let home = self.bell.bind(py, NAME)?;
        let mut inside = lock(&self.inside);
        let waker = self.bell.waker();
        let is_there = match &inside.found {
            Some(_) => true,
            None => match inside.receiver.poll_next(&mut Context::from_waker(&waker)) {
                Poll::Ready(item) => {
                    inside.found = item;
                    true
                }
                Poll::Pending => false,
            },
        };
        drop(inside);
        let future = self.bell.future(py, &home)?;
        if is_there {
            future.call_method1(intern!(py, "set_result"), (py.None(),))?;
        }
        Ok(future)
    }

    // Whoever is to put something in holds it: where only those hold it who wait, they wait in vain.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(Some(found)) = self.inside.try_lock().as_deref().map(|inside| &inside.found) {
            visit.call(found)?;
        }
        self.bell.traverse(&visit)
    }

    fn __clear__(&self) {
        let found = lock(&self.inside).found.take();
        drop(found);
        self.bell.clear();
    }

    /// Return how many items are in the channel.
    fn qsize(&self) -> usize {
        let inside = lock(&self.inside);
        inside.receiver.len() + usize::from(inside.found.is_some())
    }
}
