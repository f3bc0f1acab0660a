//! Loop threads at work for one scheduler: a lease.

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use pyo3::{exceptions::PyRuntimeError, intern, prelude::*};
use thrasks_group::{GroupState, Ticket};
use thrasks_loop::{LoopPool, PoolStats};
use thrasks_sched::Reason;

use crate::{
    gather::{Gather, Item},
    home::{Delivery, Home},
    imports,
    job::{Job, Sent},
    orders::Order,
    schedulers::Mode,
    share::Share,
    sync::{in_drop, lock},
    threads::{self, Kind},
    worker::Worker,
};

/// Some loop threads, leased, with the scheduler that they serve.
///
/// A group or a gather has one to itself and gives it back when its last job has ended; a
/// `LoopPool` has one for as long as it is open. Dropped instead of given back, its threads are
/// stopped.
pub(crate) struct Team {
    pool: LoopPool<Order>,
    kind: Kind,
    mode: Mode,
    /// The workers on the loops.
    crew: Vec<Arc<Worker>>,
    /// How many jobs each loop had started when the lease began.
    baseline: Vec<u64>,
    /// Who runs on a team that many share; `None` on one that knows its jobs anyway.
    roster: Option<GroupState<Arc<Job>, ()>>,
    /// Who waits for the roster to be empty.
    waiter: Mutex<Option<Waiter>>,
    /// Nobody waits: the last job on the roster gives the threads back. Set before the roster is
    /// told that the team is ending, and read after it has said that its last job left.
    abandoned: AtomicBool,
    /// The threads are being given back, or have been.
    released: AtomicBool,
    /// The workers will be roused soon, by a caller's loop.
    rousing: AtomicBool,
}

/// Why many jobs were not all sent off.
pub(crate) struct Refused {
    /// The number of the first that was rejected.
    pub(crate) first: usize,
    pub(crate) error: PyErr,
}

/// A rejected job: not lost, the caller has it, too, and decides.
fn taken_back(order: Order) -> Arc<Job> {
    let Order::Start(sent) = order else { unreachable!("what was sent is a job") };
    sent.into_job()
}

/// A future of a caller's loop that is to be resolved.
pub(crate) struct Waiter {
    home: Arc<Home>,
    future: Py<PyAny>,
}

impl Team {
    /// Leases so many loops for a scheduler of this mode.
    pub(crate) fn lease(
        py: Python<'_>,
        num_threads: usize,
        mode: &Mode,
        loop_factory: Option<&Bound<'_, PyAny>>,
        shared: bool,
    ) -> PyResult<Arc<Self>> {
        let scheduler = mode.scheduler(py, num_threads);
        let (kind, threads) = threads::lease(py, num_threads, loop_factory)?;
        let crew = threads::workers_of(&threads);
        crew.iter().for_each(|worker| worker.lease(!shared));
        let baseline = threads.iter().map(|thread| thread.handle().started()).collect();
        let roster = shared.then(GroupState::new);
        if let Some(roster) = &roster {
            let _ = roster.enter();
        }
        Ok(Arc::new(Self {
            pool: LoopPool::from_threads(scheduler, threads),
            kind,
            mode: mode.clone_ref(py),
            crew,
            baseline,
            roster,
            waiter: Mutex::new(None),
            abandoned: AtomicBool::new(false),
            released: AtomicBool::new(false),
            rousing: AtomicBool::new(false),
        }))
    }

    pub(crate) fn workers(&self) -> usize {
        self.pool.workers()
    }

    pub(crate) fn mode(&self) -> &Mode {
        &self.mode
    }

    /// What the loops have done since the lease began.
    pub(crate) fn stats(&self) -> PoolStats {
        let mut stats = self.pool.stats();
        stats.done = 0;
        for (one, baseline) in stats.loops.iter_mut().zip(&self.baseline) {
            // A loop that is leased has ended all that it had started before.
            one.done = one.done.saturating_sub(*baseline);
            stats.done += one.done;
        }
        stats
    }

    /// Gives a job to the scheduler, or to the worker that it is pinned to.
    ///
    /// # Errors
    ///
    /// The job has not been told: the caller fails or withdraws it.
    pub(crate) fn submit(self: &Arc<Self>, job: Arc<Job>) -> PyResult<()> {
        self.submit_one_of_many(job)?;
        self.rouse();
        Ok(())
    }

    /// The same, but a worker may look for it a little later: the caller [rouses](Self::rouse_soon)
    /// it.
    pub(crate) fn submit_one_of_many(self: &Arc<Self>, job: Arc<Job>) -> PyResult<()> {
        self.enlist(&job)?;
        let pinned = job.pinned();
        let order = Order::Start(Sent::new(job));
        match pinned {
            Some(worker) => self.pool.submit_to(worker, order),
            None => self.pool.submit(order),
        }
        .map_err(|rejected| {
            let (order, reason) = rejected.into_parts();
            drop(taken_back(order));
            self.explain(reason)
        })
    }

    /// Gives many jobs, none of them pinned, to the scheduler, in order.
    ///
    /// # Errors
    ///
    /// Which is the first that was rejected: the jobs from that one on have not been told.
    pub(crate) fn submit_batch(self: &Arc<Self>, jobs: &[Arc<Job>]) -> Result<(), Refused> {
        let mut refused = None;
        let mut orders = jobs.iter().enumerate().map_while(|(first, job)| match self.enlist(job) {
            Ok(()) => Some(Order::Start(Sent::new(job.clone()))),
            Err(error) => {
                refused = Some(Refused { first, error });
                None
            }
        });
        let sent = self.pool.submit_batch(&mut orders);
        self.rouse();
        sent.map_err(|rejected| {
            let (order, reason) = rejected.into_parts();
            let rejected = taken_back(order);
            let first = jobs.iter().position(|job| Arc::ptr_eq(job, &rejected));
            Refused { first: first.expect("one of these"), error: self.explain(reason) }
        })?;
        refused.map_or(Ok(()), Err)
    }

    /// Gives the scheduler a job for each coroutine of a gather, in order.
    ///
    /// # Errors
    ///
    /// Which is the first that was rejected: the jobs from that one on have not been told.
    pub(crate) fn submit_items(&self, gather: &Arc<Gather>) -> Result<(), Refused> {
        let mut items =
            (0..gather.len()).map(|index| Order::Item(Item::new(gather.clone(), index)));
        let sent = self.pool.submit_batch(&mut items);
        self.rouse();
        sent.map(drop).map_err(|rejected| {
            let (order, reason) = rejected.into_parts();
            let Order::Item(item) = order else { unreachable!("what was sent are items") };
            Refused { first: item.into_parts().1, error: self.explain(reason) }
        })
    }

    /// Whether its workers may take the jobs of a gather themselves, one after the other: as they are
    /// scheduled, and whatever else they do.
    pub(crate) fn shares_out(&self) -> bool {
        matches!(self.mode, Mode::RoundRobin | Mode::Queue)
    }

    /// Sends each worker its share of a gather, whose team this is.
    pub(crate) fn share_out(self: &Arc<Self>, gather: &Arc<Gather>) {
        let lanes = self.crew.len();
        for (lane, worker) in self.crew.iter().enumerate().take(gather.len()) {
            let (gather, team) = (gather.clone(), self.clone());
            let share = match self.mode {
                Mode::Queue => Share::shared(gather, team),
                _ => Share::dealt(gather, team, lane, lanes),
            };
            // Given back by a loop that has ended, it goes to another.
            drop(worker.post(Order::Share(share)));
        }
    }

    /// The workers on the loops.
    pub(crate) fn crew(&self) -> &[Arc<Worker>] {
        &self.crew
    }

    /// Ends the naps of the workers: something was sent to one of them.
    pub(crate) fn rouse(&self) {
        self.crew.iter().for_each(|worker| worker.rouse());
    }

    /// Ends them soon: when the loop that runs here, which is this one, has a turn. For those who
    /// create one task after the other.
    pub(crate) fn rouse_soon(self: &Arc<Self>, py: Python<'_>, home: &Arc<Home>) {
        if !self.crew.iter().any(|worker| worker.is_napping()) {
            return;
        }
        if home.is_here(py) {
            let rouse = Rouse { team: Arc::downgrade(self) };
            if self.rousing.swap(true, Ordering::AcqRel)
                || home.event_loop(py).call_method1(intern!(py, "call_soon"), (rouse,)).is_ok()
            {
                return;
            }
            self.rousing.store(false, Ordering::Release);
        }
        self.rouse();
    }

    /// Whether the jobs of this team are listed as they are sent.
    pub(crate) fn keeps_list(&self) -> bool {
        self.roster.is_some()
    }

    /// Sends each worker an order of its own.
    pub(crate) fn post_to_all(&self, order: impl Fn() -> Order) {
        for worker in &self.crew {
            // A loop that has ended has cancelled what ran on it.
            let _ = worker.post(order());
        }
    }

    fn enlist(self: &Arc<Self>, job: &Arc<Job>) -> PyResult<()> {
        if let Some(roster) = &self.roster {
            match roster.admit(job.clone()) {
                Ok(ticket) => job.enlisted(self.clone(), ticket),
                Err(_) => return Err(closed()),
            }
        }
        Ok(())
    }

    /// A job of the roster has ended.
    pub(crate) fn strike(self: &Arc<Self>, py: Python<'_>, ticket: Ticket) {
        let Some(roster) = &self.roster else { return };
        let left = roster.leave(ticket, None);
        if left.drained {
            if self.abandoned.load(Ordering::SeqCst) {
                self.release(None);
            } else {
                self.tell_waiter(py);
            }
        }
    }

    /// The jobs on the roster are to end, and the last of them gives the threads back.
    pub(crate) fn abandon(self: &Arc<Self>, py: Python<'_>) {
        self.abandoned.store(true, Ordering::SeqCst);
        // Whoever waited has given up. By a traceback that somebody keeps, their loop may refer to the
        // pool, which the collector does not see to refer to the loop.
        let waiter = lock(&self.waiter).take();
        drop(waiter);
        self.abort(py);
        if self.roster.as_ref().is_none_or(GroupState::begin_exit) {
            self.release(None);
        }
    }

    fn tell_waiter(&self, py: Python<'_>) {
        let is_over = self.roster.as_ref().is_none_or(|roster| {
            matches!(roster.refusal(), Some(thrasks_group::Refusal::Finished))
        });
        if is_over {
            let waiter = lock(&self.waiter).take();
            if let Some(waiter) = waiter {
                waiter.tell(py);
            }
        }
    }

    /// The jobs on the roster are to end, and no other to come.
    pub(crate) fn abort(&self, py: Python<'_>) {
        let jobs = self.roster.as_ref().and_then(GroupState::abort).unwrap_or_default();
        // The newest first, as in a group.
        for job in jobs.into_iter().rev() {
            job.cancel(py, None);
        }
    }

    /// From now on the team is over whenever nothing is on its roster: resolves `waiter` then.
    /// Returns whether that is so already.
    pub(crate) fn wait_drained(&self, waiter: Waiter) -> bool {
        let old = lock(&self.waiter).replace(waiter);
        drop(old);
        if self.roster.as_ref().is_none_or(GroupState::begin_exit) {
            let waiter = lock(&self.waiter).take();
            return waiter.is_some();
        }
        false
    }

    /// The rejection of a job in the words of the Python API.
    fn explain(&self, reason: Reason) -> PyErr {
        match reason {
            Reason::Policy(error) => match error.downcast::<PyErr>() {
                Ok(error) => *error,
                Err(error) => PyRuntimeError::new_err(error.to_string()),
            },
            Reason::Closed if self.roster.is_some() => closed(),
            _ => PyRuntimeError::new_err("there is no event loop left to run this on"),
        }
    }

    /// Gives the threads back: those that worked are cleaned first, which `waiter` may wait for.
    /// Returns whether it is done already.
    ///
    /// To be called when the last job has ended. Of a team that is abandoned then, two may find that
    /// out: the second does nothing, since others may have the threads by now.
    pub(crate) fn release(self: &Arc<Self>, waiter: Option<Waiter>) -> bool {
        if self.released.swap(true, Ordering::SeqCst) {
            return true;
        }
        let used: Vec<_> = self
            .crew
            .iter()
            .zip(&self.baseline)
            .filter(|(worker, baseline)| worker.handle().started() != **baseline)
            .filter(|(worker, _)| !worker.was_left_tidy())
            .map(|(worker, _)| worker)
            .collect();
        if used.is_empty() {
            self.give_back();
            return true;
        }
        self.ask(&used, waiter, true);
        false
    }

    /// Resolves `waiter` when every loop has been made, or could not be. Returns whether that is so
    /// already.
    pub(crate) fn wait_ready(self: &Arc<Self>, waiter: Waiter) -> bool {
        let cold: Vec<_> = self.crew.iter().filter(|worker| !worker.is_settled()).collect();
        if cold.is_empty() {
            return true;
        }
        self.ask(&cold, Some(waiter), false);
        false
    }

    /// Why a loop could not be made, if one could not; once.
    pub(crate) fn take_failure(&self) -> Option<Py<PyAny>> {
        // All of them are let go of.
        let failures: Vec<_> =
            self.crew.iter().filter_map(|worker| worker.take_failure()).collect();
        failures.into_iter().next()
    }

    /// Has some workers clean their loops, or only say that they have one, and goes on when all have.
    fn ask(self: &Arc<Self>, workers: &[&Arc<Worker>], waiter: Option<Waiter>, give_back: bool) {
        let left = AtomicUsize::new(workers.len());
        let waiter = Mutex::new(waiter);
        let cleaning = Arc::new(Cleaning { team: self.clone(), left, waiter, give_back });
        for worker in workers {
            let order = CleanOrder(Some((cleaning.clone(), (*worker).clone())));
            // Given back, or dropped by a loop that ends, it counts as carried out.
            let _ = worker.post(Order::Clean(order));
        }
    }

    fn give_back(&self) {
        for (thread, worker) in self.pool.dismiss().into_iter().zip(&self.crew) {
            if !worker.is_spoilt() {
                threads::cache().put(self.kind, thread);
            }
        }
    }
}

/// A callback of a caller's loop: ends the naps of its workers.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Rouse")]
struct Rouse {
    team: Weak<Team>,
}

#[pymethods]
impl Rouse {
    fn __call__(&self) {
        if let Some(team) = self.team.upgrade() {
            team.rousing.store(false, Ordering::Release);
            team.rouse();
        }
    }
}

fn closed() -> PyErr {
    PyRuntimeError::new_err("the LoopPool is closed")
}

impl Waiter {
    pub(crate) fn new(home: Arc<Home>, future: Py<PyAny>) -> Self {
        Self { home, future }
    }

    /// Has the future resolved, soon.
    pub(crate) fn tell(self, py: Python<'_>) {
        let home = self.home.clone();
        home.send(py, Arc::new(Resolve(Mutex::new(Some(self)))));
    }
}

/// Resolves a future on its loop.
struct Resolve(Mutex<Option<Waiter>>);

impl Delivery for Resolve {
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        let Some(Waiter { future, .. }) = lock(&self.0).take() else { return };
        if let Err(error) = resolve(future.bind(py)) {
            error.write_unraisable(py, None);
        }
    }

    fn discard(self: Arc<Self>, _py: Python<'_>) {
        let waiter = lock(&self.0).take();
        drop(waiter);
    }
}

/// Resolves a future of the loop that runs here, unless it is done.
pub(crate) fn resolve(future: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
        future.call_method1(intern!(py, "set_result"), (py.None(),))?;
    }
    Ok(())
}

/// The loops of a team being put back into the state in which they were made; or, where they are not
/// given back then, being made.
pub(crate) struct Cleaning {
    team: Arc<Team>,
    left: AtomicUsize,
    waiter: Mutex<Option<Waiter>>,
    give_back: bool,
}

impl Cleaning {
    fn done(&self, py: Python<'_>) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            if self.give_back {
                self.team.give_back();
            }
            let waiter = lock(&self.waiter).take();
            if let Some(waiter) = waiter {
                waiter.tell(py);
            }
        }
    }
}

/// The order to a worker to clean its loop, or only to say that there is one. Dropped anywhere, it
/// counts as carried out.
pub(crate) struct CleanOrder(Option<(Arc<Cleaning>, Arc<Worker>)>);

impl CleanOrder {
    /// Carries it out, on the worker's thread.
    pub(crate) fn carry_out(self, py: Python<'_>, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        if self.0.as_ref().is_some_and(|(cleaning, _)| !cleaning.give_back) {
            // It was only to be found out whether there is a loop. Others may have it by now.
            return Ok(());
        }
        let cleaned = Cleaned(Mutex::new(Some(self)));
        if Worker::is_tidy(event_loop) {
            cleaned.__call__(py, true);
        } else {
            // After what waits to be called back, which might leave something behind.
            let clean = imports::clean_loop(py)?;
            event_loop.call_method1(intern!(py, "call_soon"), (clean, event_loop, cleaned))?;
        }
        Ok(())
    }
}

impl Drop for CleanOrder {
    fn drop(&mut self) {
        if let Some((cleaning, _)) = self.0.take() {
            in_drop(|py| cleaning.done(py));
        }
    }
}

/// Called, once, with whether a loop is clean.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Cleaned")]
struct Cleaned(Mutex<Option<CleanOrder>>);

#[pymethods]
impl Cleaned {
    fn __call__(&self, py: Python<'_>, clean: bool) {
        let order = lock(&self.0).take();
        if let Some(CleanOrder(Some((_, worker)))) = &order
            && (!clean || worker.forget_settings(py).is_err())
        {
            worker.spoil();
        }
        drop(order);
    }
}
