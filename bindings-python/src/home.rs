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

use pyo3::{intern, prelude::*, types::PyDict};
use thrasks_loop::Inbox;

use crate::{
    bell::Bell,
    imports, ring,
    settings::Settings,
    sync::{Padded, in_drop, lock},
    worker,
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
    /// Apart from the count of those who refer to this, which goes up with each job that is made.
    inbox: Padded<Inbox<Arc<dyn Delivery>>>,
    waker: Arc<HomeWaker>,
    /// The keywords of futures that are made for this loop.
    of_future: OnceLock<Py<PyDict>>,
    pub(crate) settings: Settings,
}

struct HomeWaker {
    event_loop: Py<PyAny>,
    /// What the loop watches, if it does; otherwise it is woken by its `call_soon_threadsafe`.
    bell: Option<Arc<HomeBell>>,
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
        let bell = HomeBell::of(event_loop)?;
        let waker = Arc::new(HomeWaker {
            event_loop: event_loop.clone().unbind(),
            bell: bell.clone(),
            home: OnceLock::new(),
            closed: AtomicBool::new(false),
        });
        let home = Arc::new(Self {
            inbox: Padded(Inbox::new(waker.clone().into())),
            waker: waker.clone(),
            of_future: OnceLock::new(),
            settings: Settings::of(event_loop)?,
        });
        let _ = waker.home.set(Arc::downgrade(&home));
        if let Some(bell) = bell {
            *lock(&bell.home) = Arc::downgrade(&home);
        }
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

    /// The keywords with which a future of this loop is made, always the same dictionary.
    pub(crate) fn of_future<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        if let Some(keywords) = self.of_future.get() {
            return Ok(keywords.bind(py));
        }
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "loop"), self.event_loop(py))?;
        Ok(self.of_future.get_or_init(|| keywords.unbind()).bind(py))
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
            let bell = self.bell.as_ref().and_then(|bell| bell.bell());
            let rung = bell.is_some_and(|bell| bell.ring());
            let rung = rung
                || event_loop
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

/// What a caller's loop watches, from its first home on for as long as it is open.
///
/// The loop has it, by way of a [`HomeReader`], and the homes that it has one after the other. It
/// refers to none of them.
struct HomeBell {
    /// Closed with the loop, however long a home lives.
    bell: Mutex<Option<Arc<Bell>>>,
    /// The present one.
    home: Mutex<Weak<Home>>,
    /// The loop watches it no more.
    closed: AtomicBool,
}

/// The bells of the loops that have one now, by the loop's address. The loop has a part in its bell:
/// when it is gone, so is that, unless a home has it, which keeps the loop alive.
static BELLS: Mutex<Option<HashMap<usize, Weak<HomeBell>>>> = Mutex::new(None);

impl HomeBell {
    fn bell(&self) -> Option<Arc<Bell>> {
        lock(&self.bell).clone()
    }

    /// The bell of this loop, which is hung if that can be done here.
    fn of(event_loop: &Bound<'_, PyAny>) -> PyResult<Option<Arc<Self>>> {
        let py = event_loop.py();
        let key = event_loop.as_ptr() as usize;
        let known = lock(&BELLS).as_ref().and_then(|bells| bells.get(&key)?.upgrade());
        if let Some(known) = known {
            return Ok((!known.closed.load(Ordering::Acquire)).then_some(known));
        }
        // What is registered with a worker's loop is taken for what a task has left behind.
        let is_here = imports::get_running_loop(py)?.is_some_and(|here| here.is(event_loop));
        if !is_here || worker::is_here() {
            return Ok(None);
        }
        let descriptor = imports::make_bell(py)?.call1((event_loop,))?;
        if descriptor.is_none() {
            return Ok(None);
        }
        let descriptor = descriptor.extract()?;
        let bell = Arc::new(Self {
            bell: Mutex::new(Some(Arc::new(Bell::new(descriptor)))),
            home: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let reader = Bound::new(py, HomeReader { bell: bell.clone() })?;
        // In a context of its own: the loop would keep that of whoever comes first.
        let add = event_loop.getattr(intern!(py, "add_reader"))?;
        let context = imports::context(py)?.call0()?;
        if context.call_method1(intern!(py, "run"), (add, descriptor, reader)).is_err() {
            // A loop may have no such thing, and be woken by other means.
            return Ok(None);
        }
        let mut bells = lock(&BELLS);
        let bells = bells.get_or_insert_default();
        bells.retain(|_, bell| bell.strong_count() > 0);
        bells.insert(key, Arc::downgrade(&bell));
        Ok(Some(bell))
    }
}

/// The callback with which a caller's loop fetches what was sent to it, when its bell can be read.
///
/// A loop that is closed lets go of what it watches. So one that is dropped says that the loop will
/// not come any more, to whoever has sent something and thinks that it will.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Reader")]
struct HomeReader {
    bell: Arc<HomeBell>,
}

#[pymethods]
impl HomeReader {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(bell) = self.bell.bell() {
            bell.hush();
        }
        let home = lock(&self.bell.home).upgrade();
        home.map_or(Ok(()), |home| home.drain(py))
    }
}

impl Drop for HomeReader {
    fn drop(&mut self) {
        self.bell.closed.store(true, Ordering::Release);
        let bell = lock(&self.bell.bell).take();
        drop(bell);
        let home = lock(&self.bell.home).upgrade();
        if let Some(home) = home {
            in_drop(|py| home.abandon(py));
        }
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
