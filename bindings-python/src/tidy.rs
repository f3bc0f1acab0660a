//! Whether a worker's loop is as it was made, by a look at what it holds.
//!
//! Most leases leave nothing behind. To see that takes a microsecond here, where the loop keeps what
//! it has as asyncio's do: then nobody needs to wake it to have it cleaned. Where this sees
//! something, or the loop is of another make, it is cleaned in Python (`_cleaning`).

use pyo3::{
    intern,
    prelude::*,
    types::{PyDict, PyList},
};

use crate::{imports, worker::LoopSide};

/// Where a loop keeps what tasks may leave behind on it.
pub(crate) struct Holdings {
    /// The queue of callbacks.
    ready: Py<PyAny>,
    /// The descriptors that it watches, its own among them.
    descriptors: Py<PyDict>,
    /// How many its own are.
    own: usize,
    /// The record of asynchronous generators.
    generators: Py<PyAny>,
    /// The task factory with which it was made.
    task_factory: Py<PyAny>,
}

impl Holdings {
    pub(crate) fn of(
        event_loop: &Bound<'_, PyAny>,
        descriptors: Bound<'_, PyDict>,
        generators: Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let py = event_loop.py();
        Ok(Self {
            ready: event_loop.getattr(intern!(py, "_ready"))?.unbind(),
            own: descriptors.len(),
            descriptors: descriptors.unbind(),
            generators: generators.unbind(),
            task_factory: event_loop.getattr(intern!(py, "_task_factory"))?.unbind(),
        })
    }

    /// Whether the loop holds nothing of those who had it, but for their settings. On its thread, in a
    /// callback.
    ///
    /// What waits to be called back might do anything: then it is not so.
    pub(crate) fn are_its_own(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = event_loop.py();
        Ok(nothing_waits(self.ready.bind(py))?
            && self.descriptors.bind(py).len() == self.own
            && event_loop.getattr(intern!(py, "_task_factory"))?.is(&self.task_factory)
            && self.has_no_generators(event_loop)?
            && has_only_our_timers(event_loop)?
            && imports::all_tasks(py)?.call1((event_loop,))?.len()? == 0)
    }

    fn has_no_generators(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = event_loop.py();
        let generators = self.generators.bind(py);
        // Somebody may have set other hooks.
        generators.call_method1(intern!(py, "watch_on"), (event_loop,))?;
        // In this order: one that vanishes meanwhile shows in one or the other.
        Ok(generators.getattr(intern!(py, "known"))?.len()? == 0
            && !generators.getattr(intern!(py, "stirred"))?.is_truthy()?)
    }
}

/// Whether nothing waits to be called back but the worker itself.
fn nothing_waits(ready: &Bound<'_, PyAny>) -> PyResult<bool> {
    // Any thread may append to it, which an iterator does not bear; only this one takes from it.
    let waiting = ready.len()?;
    if waiting > 2 {
        return Ok(false);
    }
    for index in 0..waiting {
        let callback = ready.get_item(index)?.getattr(intern!(ready.py(), "_callback"))?;
        if !callback.is_none() && !callback.is_instance_of::<LoopSide>() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn has_only_our_timers(event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = event_loop.py();
    // asyncio makes another list of it now and then.
    let timers = event_loop.getattr(intern!(py, "_scheduled"))?;
    let Ok(timers) = timers.cast_exact::<PyList>() else { return Ok(false) };
    for timer in timers.iter() {
        let callback = timer.getattr(intern!(py, "_callback"))?;
        // One that is cancelled has none.
        if !callback.is_none() && !is_ours(&callback)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_ours(callback: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Some(module) = callback.getattr_opt(intern!(callback.py(), "__module__"))? else {
        return Ok(false);
    };
    Ok(module.extract::<&str>().is_ok_and(|module| {
        module.strip_prefix("thrasks").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }))
}
