//! What a worker's loop takes over from the loop of its caller.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use pyo3::{intern, prelude::*};

use crate::sync::lock;

/// The debug flag, the slow-callback threshold and the exception handler of a caller's loop, as they
/// were when something was last sent from it.
pub(crate) struct Settings {
    now: Mutex<Values>,
    /// Which values these are: those of a worker's loop that has been given the same version are
    /// the same, and that is seen without a lock.
    version: AtomicU64,
}

/// The versions of all loops' settings are numbered together.
static VERSIONS: AtomicU64 = AtomicU64::new(0);

struct Values {
    debug: bool,
    slow_callback_duration: Option<Py<PyAny>>,
    exception_handler: Option<Py<PyAny>>,
}

impl Settings {
    pub(crate) fn of(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self {
            now: Mutex::new(Values::of(event_loop)?),
            version: AtomicU64::new(VERSIONS.fetch_add(1, Ordering::Relaxed)),
        })
    }

    /// Takes note of what has changed. On the thread of the loop.
    pub(crate) fn refresh(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let values = Values::of(event_loop)?;
        let old = {
            let mut now = lock(&self.now);
            if now.is(&values) {
                return Ok(());
            }
            // Under the lock, so that whoever reads the values reads their version.
            self.version.store(VERSIONS.fetch_add(1, Ordering::Relaxed), Ordering::Release);
            std::mem::replace(&mut *now, values)
        };
        drop(old);
        Ok(())
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Makes a loop behave so. Returns the version.
    pub(crate) fn apply(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<u64> {
        let py = event_loop.py();
        let (version, debug, slow_callback_duration, exception_handler) = {
            let now = lock(&self.now);
            let cloned = |object: &Option<Py<PyAny>>| object.as_ref().map(|it| it.clone_ref(py));
            (
                self.version(),
                now.debug,
                cloned(&now.slow_callback_duration),
                cloned(&now.exception_handler),
            )
        };
        let arguments = (event_loop, debug, slow_callback_duration, exception_handler);
        crate::imports::configure_loop(py)?.call1(arguments)?;
        Ok(version)
    }
}

impl Values {
    fn of(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = event_loop.py();
        let optional = |value: PyResult<Bound<'_, PyAny>>| {
            value.ok().filter(|value| !value.is_none()).map(Bound::unbind)
        };
        Ok(Self {
            debug: event_loop.call_method0(intern!(py, "get_debug"))?.is_truthy()?,
            // A loop of another make may lack these.
            slow_callback_duration: optional(
                event_loop.getattr(intern!(py, "slow_callback_duration")),
            ),
            exception_handler: optional(
                event_loop.call_method0(intern!(py, "get_exception_handler")),
            ),
        })
    }

    /// Whether both are the same objects.
    fn is(&self, other: &Self) -> bool {
        let same = |one: &Option<Py<PyAny>>, other: &Option<Py<PyAny>>| match (one, other) {
            (Some(one), Some(other)) => one.is(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        self.debug == other.debug
            && same(&self.slow_callback_duration, &other.slow_callback_duration)
            && same(&self.exception_handler, &other.exception_handler)
    }
}
