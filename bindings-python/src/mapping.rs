//! Maps: jobs whose outcomes go to their places in a window.

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicUsize, Ordering},
};

use pyo3::{exceptions::PyValueError, prelude::*, types::PyTuple};
use thrasks_pool::{Place, Take, Window};

use crate::{
    home::{Delivery, Home},
    job::Job,
    local::{LocalKey, Shared as Local},
    outcome::Outcome,
    pooled::Pooled,
    spec::Source,
    sync::{in_drop, lock},
    team::{Waiter, resolve},
};

/// The results of a map, as the workers see it.
///
/// What is not under way holds nothing of Python's here but results: the collector does not look in.
pub(crate) struct Map {
    window: Window<Outcome>,
    /// A future of the caller's loop, to be resolved when there is something to take.
    taker: Mutex<Option<Py<PyAny>>>,
    /// The same, when nothing is under way.
    ender: Mutex<Option<Py<PyAny>>>,
    /// How many jobs have not ended.
    under_way: AtomicUsize,
    /// How to cancel them, by the numbers of their places.
    jobs: Mutex<Vec<Option<Cancel>>>,
    /// How many have.
    completed: AtomicUsize,
    /// To be called, on the caller's loop, when others have.
    tell: Option<Py<PyAny>>,
}

enum Cancel {
    Job(Weak<Job>),
    Local(Weak<Local>, LocalKey),
}

impl Map {
    fn tell(&self, py: Python<'_>) {
        if let Some(tell) = &self.tell
            && let Err(error) = tell.call0(py)
        {
            error.write_unraisable(py, Some(tell.bind(py)));
        }
    }

    fn remember(&self, place: usize, cancel: Cancel) {
        let mut jobs = lock(&self.jobs);
        if jobs.len() <= place {
            jobs.resize_with(place + 1, || None);
        }
        let old = jobs[place].replace(cancel);
        drop(jobs);
        drop(old);
    }
}

/// Where the outcome of one job of a map goes. Dropped without one, the job was cancelled.
pub(crate) struct MapPlace {
    map: Arc<Map>,
    /// The way to the caller's loop, for a job that runs elsewhere.
    home: Option<Arc<Home>>,
    place: Mutex<Option<Place>>,
}

impl MapPlace {
    fn new(map: Arc<Map>, home: Option<Arc<Home>>, place: Place) -> Self {
        map.under_way.fetch_add(1, Ordering::Relaxed);
        Self { map, home, place: Mutex::new(Some(place)) }
    }

    fn wake(&self, py: Python<'_>, who: &Mutex<Option<Py<PyAny>>>) {
        let Some(future) = lock(who).take() else { return };
        match &self.home {
            Some(home) if !home.is_here(py) => Waiter::new(home.clone(), future).tell(py),
            _ => {
                if let Err(error) = resolve(future.bind(py)) {
                    error.write_unraisable(py, None);
                }
            }
        }
    }

    /// Puts it there, from any thread.
    pub(crate) fn put(&self, py: Python<'_>, outcome: Outcome) {
        let Some(place) = lock(&self.place).take() else { return };
        let map = &self.map;
        if let Some(known) = lock(&map.jobs).get_mut(place.index()) {
            *known = None;
        }
        if !map.window.is_closed() {
            map.completed.fetch_add(1, Ordering::Release);
            match (&map.tell, &self.home) {
                (None, _) => {}
                (Some(_), None) => map.tell(py),
                (Some(_), Some(home)) => {
                    let told = Told { map: map.clone(), _home: home.clone() };
                    home.send(py, Arc::new(told));
                }
            }
        }
        match map.window.fill(place, outcome) {
            Ok(true) => self.wake(py, &map.taker),
            Ok(false) => {}
            // Nobody wants it any more.
            Err(outcome) => drop(outcome),
        }
        self.ended(py);
    }

    /// The job does not come about: its place is free again.
    pub(crate) fn vacate(&self, py: Python<'_>) {
        let Some(place) = lock(&self.place).take() else { return };
        if self.map.window.vacate(place) {
            self.wake(py, &self.map.taker);
        }
        self.ended(py);
    }

    fn ended(&self, py: Python<'_>) {
        // Whoever waits for it sees all that the jobs have done.
        if self.map.under_way.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.wake(py, &self.map.ender);
        }
    }
}

impl Drop for MapPlace {
    fn drop(&mut self) {
        if lock(&self.place).is_some() {
            in_drop(|py| self.put(py, Outcome::Cancelled(None)));
        }
    }
}

/// There is another result, at least.
struct Told {
    map: Arc<Map>,
    /// A home lives as long as anything is on its way to it.
    _home: Arc<Home>,
}

impl Delivery for Told {
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        self.map.tell(py);
    }

    fn discard(self: Arc<Self>, _py: Python<'_>) {}
}

/// Who runs the jobs of a map.
pub(crate) enum Via {
    Loop(Arc<Local>),
    Workers(Arc<Pooled>),
}

/// The native half of a map. All its methods are called on the caller's loop.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_MapJobs")]
pub(crate) struct MapJobs {
    map: Arc<Map>,
    via: Via,
    /// The place for the next input.
    next: Mutex<Option<Place>>,
}

impl MapJobs {
    /// A map of which at most so many inputs are under way or have results that wait to be taken;
    /// `None` is any number.
    pub(crate) fn new(
        via: Via,
        bound: Option<usize>,
        ordered: bool,
        tell: Option<Py<PyAny>>,
    ) -> Self {
        let bound = bound.unwrap_or(usize::MAX).max(1);
        let window = if ordered { Window::ordered(bound) } else { Window::unordered(bound) };
        let map = Arc::new(Map {
            window,
            taker: Mutex::new(None),
            ender: Mutex::new(None),
            under_way: AtomicUsize::new(0),
            jobs: Mutex::default(),
            completed: AtomicUsize::new(0),
            tell,
        });
        Self { map, via, next: Mutex::new(None) }
    }
}

#[pymethods]
impl MapJobs {
    /// Reserves the place for the next input. Returns whether there is room for one.
    fn reserve(&self) -> bool {
        let mut next = lock(&self.next);
        if next.is_none() {
            *next = self.map.window.reserve();
        }
        next.is_some()
    }

    /// Begins with an input, for which a place is reserved: has the function called with it.
    fn begin(
        &self,
        owner: &Bound<'_, PyAny>,
        event_loop: &Bound<'_, PyAny>,
        function: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
    ) -> PyResult<()> {
        let Some(place) = lock(&self.next).take() else {
            return Err(PyValueError::new_err("no place is reserved"));
        };
        let index = place.index();
        let home = match &self.via {
            Via::Workers(_) => Some(Home::of(event_loop)?),
            Via::Loop(_) => None,
        };
        let place = MapPlace::new(self.map.clone(), home, place);
        let source = Source::call(function, args, None);
        let cancel = match &self.via {
            Via::Workers(pooled) => {
                let job = pooled.run_for(owner, event_loop, source, place)?;
                Cancel::Job(Arc::downgrade(&job))
            }
            Via::Loop(local) => {
                let key = local.run_for(owner, event_loop, source, place)?;
                Cancel::Local(Arc::downgrade(local), key)
            }
        };
        // It may have ended by now, and is then asked in vain.
        self.map.remember(index, cancel);
        Ok(())
    }

    /// There are no more inputs: the place for the next one is given back.
    fn exhaust(&self) {
        let place = lock(&self.next).take();
        if let Some(place) = place {
            // Whoever takes is told of the end otherwise.
            self.map.window.vacate(place);
        }
    }

    /// Takes the next result, if it is there: whether it is one, and it, or else the exception.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Option<(bool, Bound<'py, PyAny>)>> {
        match self.map.window.take() {
            Take::Pending | Take::Empty => Ok(None),
            Take::Value { value: Outcome::Value(value), .. } => {
                Ok(Some((true, value.into_bound(py))))
            }
            Take::Value { value, .. } => Ok(Some((false, value.into_exception(py)?))),
        }
    }

    /// Resolves a future when there is something to take, or may be: whoever takes looks again after
    /// this.
    fn wait(&self, future: Py<PyAny>) {
        let old = lock(&self.map.taker).replace(future);
        drop(old);
    }

    /// Cancels what is under way, and drops what was not taken.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        self.exhaust();
        drop(self.map.window.close());
        let taker = lock(&self.map.taker).take();
        drop(taker);
        let jobs = std::mem::take(&mut *lock(&self.map.jobs));
        for job in jobs.into_iter().flatten() {
            match job {
                Cancel::Job(job) => {
                    if let Some(job) = job.upgrade() {
                        job.cancel(py, None);
                    }
                }
                Cancel::Local(local, key) => {
                    if let Some(local) = local.upgrade() {
                        local.cancel(py, key, None)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Resolves a future when nothing is under way any more.
    fn wait_ended(&self, future: &Bound<'_, PyAny>) -> PyResult<()> {
        let old = lock(&self.map.ender).replace(future.clone().unbind());
        drop(old);
        if self.under_way() == 0 { resolve(future) } else { Ok(()) }
    }

    /// How many jobs have not ended.
    #[getter]
    fn under_way(&self) -> usize {
        self.map.under_way.load(Ordering::Acquire)
    }

    /// How many jobs have ended, until the map was cancelled.
    #[getter]
    fn completed(&self) -> usize {
        self.map.completed.load(Ordering::Acquire)
    }

    /// How many inputs are under way or have results that were not taken.
    fn __len__(&self) -> usize {
        self.map.window.len() - usize::from(lock(&self.next).is_some())
    }
}
