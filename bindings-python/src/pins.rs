//! Jobs that were given the same context: on one worker.
//!
//! A context cannot be entered by two threads at once. A task whose next step finds its context
//! entered elsewhere is never stepped again: asyncio reports that and goes on. So the jobs of a team
//! that share a context are pinned to one worker, and two teams may not use one at the same time.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex},
};

use pyo3::{exceptions::PyRuntimeError, prelude::*};

use crate::{sync::lock, team::Team};

/// The contexts that jobs under way were given, by address: who uses each, and in how many jobs.
/// The address is a sound key, since each `Pin` keeps its context alive.
static IN_USE: Mutex<Option<HashMap<usize, (usize, usize)>>> = Mutex::new(None);

/// A job's use of a context, from its creation to its end.
pub(crate) struct Pin {
    context: Py<PyAny>,
    worker: usize,
}

impl Pin {
    /// Pins a job of this team to the worker for this context.
    ///
    /// # Errors
    ///
    /// Jobs of another team use the context now.
    pub(crate) fn new(team: &Arc<Team>, context: &Bound<'_, PyAny>) -> PyResult<Self> {
        let key = context.as_ptr() as usize;
        let user = Arc::as_ptr(team) as usize;
        {
            let mut in_use = lock(&IN_USE);
            match in_use.get_or_insert_default().entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert((user, 1));
                }
                Entry::Occupied(mut entry) if entry.get().0 == user => entry.get_mut().1 += 1,
                Entry::Occupied(_) => {
                    return Err(PyRuntimeError::new_err(
                        "this context is in use by a task on other workers, and cannot be entered \
                         by two threads at once: pass context.copy()",
                    ));
                }
            }
        }
        // Fibonacci hashing of the address: the objects lie at multiples of a power of two.
        let hash = (key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let worker = usize::try_from(hash).unwrap_or_default() % team.workers();
        Ok(Self { context: context.clone().unbind(), worker })
    }

    /// The worker that runs the job.
    pub(crate) fn worker(&self) -> usize {
        self.worker
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let key = self.context.as_ptr() as usize;
        if let Entry::Occupied(mut entry) = lock(&IN_USE).get_or_insert_default().entry(key) {
            entry.get_mut().1 -= 1;
            if entry.get().1 == 0 {
                entry.remove();
            }
        }
    }
}
