//! The way back to a caller's loop: outcomes, delivered in batches.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::Wake,
    time::{Duration, Instant},
};

use pyo3::{intern, prelude::*};
use thrasks_loop::Inbox;

use crate::{
    imports, ring,
    settings::Settings,
    sync::{in_drop, lock},
};

/// How long a batch of deliveries may hold the caller's loop before its other callbacks have a turn.
const SLICE: Duration = Duration::from_millis(1);

/// Something to be done on the caller's loop.
pub(crate) trait Delivery: Send + Sync {
    /// Does it. On the loop's thread, with the loop running.
    fn deliver(self: Arc<Self>, py: Python<'_>);

    /// The loop is closed: it will never be done. Lets go of what belongs to that loop.
    fn discard(self: Arc<Self>, py: Python<'_>);
}

/// A caller's loop, as the workers see it.
///
/// One per loop for as long as anything is on its way to it, so that everything which ends at the
/// same time shares one wake-up.
pub(crate) struct Home {
    inbox: Inbox<Arc<dyn Delivery>>,
    waker: Arc<HomeWaker>,
    pub(crate) settings: Settings,
}

struct HomeWaker {
    event_loop: Py<PyAny>,
    /// Set once, right after the `Home` is made: the two refer to each other.
    home: OnceLock<Weak<Home>>,
    closed: AtomicBool,
}

/// The homes of the loops that have one now, by the loop's address. That is a sound key, since a
/// living home keeps its loop alive.
static HOMES: Mutex<Option<HashMap<usize, Weak<Home>>>> = Mutex::new(None);

impl Home {
    /// The home of this loop, with the settings that the loop has now.
    pub(crate) fn of(event_loop: &Bound<'_, PyAny>) -> PyResult<Arc<Self>> {
        let key = event_loop.as_ptr() as usize;
        if let Some(home) = Self::known(key) {
            home.settings.refresh(event_loop)?;
            return Ok(home);
        }
        let waker = Arc::new(HomeWaker {
            event_loop: event_loop.clone().unbind(),
            home: OnceLock::new(),
            closed: AtomicBool::new(false),
        });
        let home = Arc::new(Self {
            inbox: Inbox::new(waker.clone().into()),
            waker: waker.clone(),
            settings: Settings::of(event_loop)?,
        });
        let _ = waker.home.set(Arc::downgrade(&home));
        let mut homes = lock(&HOMES);
        let homes = homes.get_or_insert_default();
        homes.retain(|_, home| home.strong_count() > 0);
        // One thread runs the loop, so no other can have been faster; a foreign caller may be.
        if let Some(faster) = homes.get(&key).and_then(Weak::upgrade) {
            return Ok(faster);
        }
        homes.insert(key, Arc::downgrade(&home));
        Ok(home)
    }

    fn known(key: usize) -> Option<Arc<Self>> {
        lock(&HOMES).as_ref()?.get(&key)?.upgrade()
    }

    /// The loop.
    pub(crate) fn event_loop<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.waker.event_loop.bind(py)
    }

    /// Whether the loop is closed.
    pub(crate) fn is_closed(&self, py: Python<'_>) -> bool {
        self.waker.is_closed(py)
    }

    /// Whether the calling thread runs this loop now.
    pub(crate) fn is_here(&self, py: Python<'_>) -> bool {
        imports::get_running_loop(py)
            .is_ok_and(|running| running.is_some_and(|running| running.is(&self.waker.event_loop)))
    }

    /// Has something done on the loop, soon, from any thread.
    pub(crate) fn send(&self, py: Python<'_>, delivery: Arc<dyn Delivery>) {
        if let Err(delivery) = self.inbox.push(delivery) {
            delivery.discard(py);
        } else if self.waker.closed.load(Ordering::Acquire) {
            self.abandon(py);
        }
    }

    /// The loop is closed: nothing will be done on it any more.
    fn abandon(&self, py: Python<'_>) {
        self.waker.closed.store(true, Ordering::Release);
        self.inbox.close();
        while let Some(delivery) = self.inbox.pop() {
            delivery.discard(py);
        }
    }

    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        self.inbox.acknowledge();
        let start = Instant::now();
        let mut since_look = 0;
        while let Some(delivery) = self.inbox.pop() {
            delivery.deliver(py);
            since_look += 1;
            if since_look == 64 {
                since_look = 0;
                if start.elapsed() >= SLICE && !self.inbox.is_empty() {
                    // Not `notify`: the loop is awake, and what waits there goes first.
                    let drain = self.waker.drain();
                    self.event_loop(py).call_method1(intern!(py, "call_soon"), (drain,))?;
                    break;
                }
            }
        }
        Ok(())
    }
}

impl HomeWaker {
    fn drain(&self) -> HomeDrain {
        let home = self.home.get().cloned().unwrap_or_default();
        HomeDrain { home, called: AtomicBool::new(false) }
    }

    fn is_closed(&self, py: Python<'_>) -> bool {
        let closed = self.event_loop.call_method0(py, intern!(py, "is_closed"));
        closed.is_ok_and(|closed| closed.is_truthy(py).unwrap_or(true))
    }
}

impl Wake for HomeWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Python::attach(|py| {
            let event_loop = self.event_loop.bind(py);
            // A loop that is closed at this very moment may take the callback after it has dropped
            // all that it had: then it is closed by now, and will not call it.
            let rung = event_loop
                .getattr(intern!(py, "call_soon_threadsafe"))
                .and_then(|bell| Ok((bell, Bound::new(py, self.drain())?)))
                .is_ok_and(|(bell, drain)| ring::ring(py, &bell, &drain));
            if !rung || self.is_closed(py) {
                // "Event loop is closed". Whoever sends looks at this flag after each push.
                self.closed.store(true, Ordering::Release);
            }
        });
    }
}

/// The callback with which a caller's loop fetches what was sent to it, once.
///
/// A loop that is closed drops the callbacks that it has not run, and whoever has sent something
/// thinks that the loop will come for it. So one that is dropped uncalled says that it will not.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Deliveries")]
struct HomeDrain {
    /// Weak: a callback that waits in a loop's queue must not keep that loop.
    home: Weak<Home>,
    called: AtomicBool,
}

#[pymethods]
impl HomeDrain {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        self.called.store(true, Ordering::Relaxed);
        self.home.upgrade().map_or(Ok(()), |home| home.drain(py))
    }
}

impl Drop for HomeDrain {
    fn drop(&mut self) {
        if !*self.called.get_mut()
            && let Some(home) = self.home.upgrade()
        {
            in_drop(|py| home.abandon(py));
        }
    }
}
