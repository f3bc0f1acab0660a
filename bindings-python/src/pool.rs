//! The native half of `LoopPool`, and of the lease that a group or a gather has to itself.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use pyo3::{prelude::*, types::PyList};

use crate::{
    home::Home,
    schedulers::Mode,
    spec::{self, Source},
    submission::Submission,
    team::{Team, Waiter},
};

/// Some loop threads with a scheduler: a lease.
#[pyclass(frozen, module = "thrasks._thrasks")]
pub(crate) struct Workers {
    submission: Submission,
    released: AtomicBool,
}

impl Workers {
    pub(crate) fn team(&self) -> &Arc<Team> {
        self.submission.team()
    }
}

#[pymethods]
impl Workers {
    /// Leases `num_threads` loops. `shared`: many will use them, so they list what runs on them.
    #[new]
    fn new(
        py: Python<'_>,
        num_threads: usize,
        mode: &Bound<'_, PyAny>,
        loop_factory: Option<&Bound<'_, PyAny>>,
        shared: bool,
    ) -> PyResult<Self> {
        let mode = Mode::read(mode)?;
        let team = Team::lease(py, num_threads, &mode, loop_factory, shared)?;
        Ok(Self { submission: Submission::new(team, None), released: AtomicBool::new(false) })
    }

    /// How many loops there are.
    fn __len__(&self) -> usize {
        self.team().workers()
    }

    /// Runs a coroutine, for the loop that runs here. Returns its handle.
    fn run<'py>(
        &self,
        coro: &Bound<'py, PyAny>,
        name: Option<Bound<'py, PyAny>>,
        context: Option<&Bound<'py, PyAny>>,
        event_loop: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        spec::check_coroutine(coro)?;
        let source = Source::Coroutine(coro.clone().unbind());
        self.submission.run(coro.py(), source, name, context, event_loop)
    }

    /// Cancels what runs here and refuses what comes, once.
    fn abort(&self, py: Python<'_>) {
        self.team().abort(py);
    }

    /// Nobody holds the pool any more: cancels what runs here; the last of it gives the loops back.
    /// Returns whether the pool was open.
    fn abandon(&self, py: Python<'_>) -> bool {
        if self.released.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.team().abandon(py);
        true
    }

    /// Refuses what comes once nothing runs any more, and resolves the future then; returns whether
    /// that is so already.
    fn wait_drained(&self, event_loop: &Bound<'_, PyAny>, future: Py<PyAny>) -> PyResult<bool> {
        Ok(self.team().wait_drained(Waiter::new(Home::of(event_loop)?, future)))
    }

    /// Resolves the future when every loop has been made, or could not be; returns whether that is
    /// so already.
    fn wait_ready(&self, event_loop: &Bound<'_, PyAny>, future: Py<PyAny>) -> PyResult<bool> {
        Ok(self.team().wait_ready(Waiter::new(Home::of(event_loop)?, future)))
    }

    /// Why a loop could not be made, if one could not; once.
    fn take_failure(&self) -> Option<Py<PyAny>> {
        self.team().take_failure()
    }

    /// Gives the loops back. Resolves the future when those that worked are clean; returns whether
    /// that is so already.
    fn release(&self, event_loop: &Bound<'_, PyAny>, future: Py<PyAny>) -> PyResult<bool> {
        if self.released.swap(true, Ordering::AcqRel) {
            return Ok(true);
        }
        let waiter = Waiter::new(Home::of(event_loop)?, future);
        Ok(self.team().release(Some(waiter)))
    }

    /// The mode, as it shows in a repr.
    #[getter]
    fn mode(&self, py: Python<'_>) -> String {
        self.team().mode().describe(py)
    }

    /// `(queued, running, done, [(name, queued, running, done), ...])`.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let stats = self.team().stats();
        let loops = PyList::empty(py);
        for one in &stats.loops {
            loops.append((&one.name, one.queued, one.running, one.done))?;
        }
        (stats.queued, stats.running, stats.done, loops).into_pyobject(py).map(Bound::into_any)
    }
}
