//! The callback of a function that runs on a thread.

use std::sync::{Arc, Mutex};

use pyo3::{exceptions::PyRuntimeError, prelude::*};
use thrasks_bridge::{Sender, TrySendError};

use crate::{home::Home, imports, sync::lock};

use super::{
    context::run_in,
    errors::unambiguous,
    producer::{Item, LOOK, Producer, Watch, report_closing},
};

/// What a function is given to call with each value.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Callback")]
pub(crate) struct Callback {
    /// Until the function has returned. Who keeps the callback keeps neither the loop nor the items.
    live: Mutex<Option<Live>>,
    watch: Mutex<Watch>,
    name: String,
}

#[derive(Clone)]
struct Live {
    sender: Arc<Sender<Item>>,
    home: Arc<Home>,
}

#[pymethods]
impl Callback {
    fn __call__(&self, py: Python<'_>, value: Py<PyAny>) -> PyResult<()> {
        let live = lock(&self.live).clone();
        let Live { sender, home } = live.ok_or_else(|| closed(py, &self.name))?;
        let is_time = lock(&self.watch).is_time();
        if is_time && home.is_closed(py) {
            sender.close();
        }
        send(py, &sender, Ok(value), &self.name, Some(&home))
    }
}

impl Callback {
    /// Calls the function, on its thread.
    pub(crate) fn run(producer: Producer, sender: Sender<Item>) {
        Python::attach(|py| {
            let work = || call(py, &producer, &Arc::new(sender));
            if let Err(error) = run_in(producer.context.bind(py), work).and_then(|called| called) {
                report_closing(py, &producer.home, &producer.name, error);
            }
            drop(producer);
        });
    }
}

/// # Errors
///
/// What the function raised when nobody listened any more.
fn call(py: Python<'_>, producer: &Producer, sender: &Arc<Sender<Item>>) -> PyResult<()> {
    let callback = Callback {
        live: Mutex::new(Some(Live { sender: sender.clone(), home: producer.home.clone() })),
        watch: Mutex::new(Watch::new()),
        name: producer.name.clone(),
    };
    let callback = Bound::new(py, callback)?;
    let result = producer.make.bind(py).call1((&callback,));
    // Whoever has kept the callback is told, from now on, that it is over.
    let kept = lock(&callback.get().live).take();
    drop(kept);
    let Err(error) = result else { return Ok(()) };
    if sender.is_closed() {
        let ours = error.is_instance(py, imports::channel_closed(py)?);
        // Which is how the callback has told it to end.
        return if ours { Ok(()) } else { Err(error) };
    }
    let error = unambiguous(py, &producer.name, error);
    // Nobody wants it if the stream is closed now.
    let _ = send(py, sender, Err(error), &producer.name, Some(&producer.home));
    Ok(())
}

/// Sends an item, and waits for room if need be. `home`: the consumer's loop, if it is to be seen
/// to that this is not its thread.
pub(crate) fn send<T: Send>(
    py: Python<'_>,
    sender: &Sender<T>,
    item: T,
    name: &str,
    home: Option<&Arc<Home>>,
) -> PyResult<()> {
    let mut item = match sender.try_send(item) {
        Ok(()) => return Ok(()),
        Err(TrySendError::Closed(_)) => return Err(closed(py, name)),
        Err(TrySendError::Full(item)) => item,
    };
    if home.is_some_and(|home| home.is_here(py)) {
        return Err(PyRuntimeError::new_err(format!(
            "{name} is full, and the event loop that is to make room would wait for itself: call \
             this on another thread"
        )));
    }
    loop {
        match py.detach(|| sender.send_timeout(item, LOOK)) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(closed(py, name)),
            Err(TrySendError::Full(back)) => item = back,
        }
        // A loop that is closed tells nobody.
        if home.is_some_and(|home| home.is_closed(py)) {
            return Err(closed(py, name));
        }
        py.check_signals()?;
    }
}

/// The exception for a channel that is closed.
pub(crate) fn closed(py: Python<'_>, name: &str) -> PyErr {
    let raise = || imports::channel_closed(py)?.call1((format!("{name} is closed"),));
    raise().map_or_else(|error| error, PyErr::from_value)
}
