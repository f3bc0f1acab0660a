use std::fmt;

use crate::sync::{Mutex, lock};

mod line;
mod state;
mod types;

use state::State;
pub use types::{
    Act, Closing, Next, Refusal, Refused, Stats, Stranded, Submitted, Ticket, WorkerId,
};

/// Who runs the jobs of a pool: a queue, and at most so many workers, each with one job at a time.
///
/// It runs nothing and wakes nobody, so any pool can be built on it: [`TaskPool`](crate::TaskPool)
/// is one, the Python package's another. Whoever drives it does what it says: starts the workers
/// and wakes them. A worker is started only when no other is free for the job, as in Python's
/// `concurrent.futures.ThreadPoolExecutor`.
///
/// # The life of a worker
///
/// [`Act::Start`] → [`next`](Self::next) → a job → [`next`](Self::next) → … → [`Next::Idle`] →
/// [`Act::Wake`] → [`next`](Self::next) → … → [`retire`](Self::retire), or [`Next::Retire`] when the
/// roster is closed. One that ends otherwise is [`lost`](Self::lost), one that never began was
/// [`not_started`](Self::not_started).
///
/// # Invariant
///
/// While a job waits, as many workers are on their way to the queue as jobs wait, or all the
/// workers there may be are at work (or could not be started): no job is forgotten. One lock guards
/// it all. No job is dropped, and no foreign code runs, with the lock held.
///
/// # Examples
///
/// ```
/// use thrasks_pool::{Act, Next, Roster};
///
/// let roster = Roster::new(1);
/// let Act::Start(worker) = roster.submit("first")?.act else { panic!("nobody is there yet") };
/// assert_eq!(roster.submit("second")?.act, Act::Nothing);
///
/// assert_eq!(roster.next(worker), Next::Job("first"));
/// assert_eq!(roster.next(worker), Next::Job("second"));
/// assert_eq!(roster.next(worker), Next::Idle);
///
/// assert_eq!(roster.submit("third")?.act, Act::Wake(worker));
/// assert_eq!(roster.next(worker), Next::Job("third"));
/// let _nobody_to_wake = roster.close(false);
/// assert_eq!(roster.next(worker), Next::Retire);
/// assert!(roster.is_finished());
/// # Ok::<(), thrasks_pool::Refused<&str>>(())
/// ```
pub struct Roster<J> {
    state: Mutex<State<J>>,
}

impl<J> Roster<J> {
    /// A roster of at most so many workers.
    ///
    /// # Panics
    ///
    /// When `max_workers` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Roster, Stats};
    ///
    /// assert_eq!(Roster::<u8>::new(3).stats(), Stats::default());
    /// ```
    #[track_caller]
    pub fn new(max_workers: usize) -> Self {
        assert!(max_workers > 0, "a roster needs at least one worker, got max_workers = 0");
        Self { state: Mutex::new(State::new(max_workers)) }
    }

    /// Queues a job, and says who is to come for it.
    ///
    /// # Errors
    ///
    /// Gives the job back when the roster is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Act, Roster};
    ///
    /// let roster = Roster::new(1);
    /// assert!(matches!(roster.submit("a")?.act, Act::Start(_)));
    /// // The one worker that there may be is on its way.
    /// assert_eq!(roster.submit("b")?.act, Act::Nothing);
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    pub fn submit(&self, job: J) -> Result<Submitted, Refused<J>> {
        lock(&self.state).submit(job, None)
    }

    /// As [`submit`](Self::submit), if fewer than `capacity` jobs wait that no worker is free for.
    /// A worker is free when it is idle, on its way to the queue, or can still be started.
    ///
    /// # Errors
    ///
    /// Gives the job back when as many wait already, or the roster is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Refusal, Roster};
    ///
    /// let roster = Roster::new(1);
    /// assert!(roster.try_submit("a", 0).is_ok());
    /// let refused = roster.try_submit("b", 0).unwrap_err();
    /// assert_eq!((refused.job, refused.refusal), ("b", Refusal::Full));
    /// ```
    pub fn try_submit(&self, job: J, capacity: usize) -> Result<Submitted, Refused<J>> {
        lock(&self.state).submit(job, Some(capacity))
    }

    /// What the worker is to do now. If it had a job, that has ended.
    ///
    /// A worker that is told [`Next::Idle`] waits for [`Act::Wake`]; it may look again without.
    ///
    /// # Panics
    ///
    /// When there is no such worker: it has left.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Act, Next, Roster};
    ///
    /// let roster = Roster::new(1);
    /// let Act::Start(worker) = roster.submit("a")?.act else { panic!("nobody is there yet") };
    /// assert_eq!(roster.next(worker), Next::Job("a"));
    /// assert_eq!(roster.next(worker), Next::Idle);
    /// assert_eq!(roster.submit("b")?.act, Act::Wake(worker));
    /// assert_eq!(roster.next(worker), Next::Job("b"));
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    #[track_caller]
    pub fn next(&self, worker: WorkerId) -> Next<J> {
        let (mut state, index) = self.locked(worker);
        state.finish(index);
        match state.take(index) {
            Some(job) => Next::Job(job),
            None if state.is_closed() => {
                state.leave(index);
                Next::Retire
            }
            None => {
                state.rest(index);
                Next::Idle
            }
        }
    }

    /// As [`next`](Self::next), for workers that do not wait: one for whom there is no job has left.
    ///
    /// # Panics
    ///
    /// As [`next`](Self::next).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Act, Roster};
    ///
    /// let roster = Roster::new(1);
    /// let Act::Start(worker) = roster.submit("job")?.act else { panic!("nobody is there yet") };
    /// assert_eq!(roster.next_or_retire(worker), Some("job"));
    /// assert_eq!(roster.next_or_retire(worker), None);
    /// assert_eq!(roster.stats().workers, 0);
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    #[track_caller]
    pub fn next_or_retire(&self, worker: WorkerId) -> Option<J> {
        let (mut state, index) = self.locked(worker);
        state.finish(index);
        let job = state.take(index);
        if job.is_none() {
            state.leave(index);
        }
        job
    }

    /// The worker's job has ended, and the worker will call [`next`](Self::next), which otherwise
    /// says so too: for whoever wants it counted before the job's outcome is told. Returns whether
    /// jobs wait.
    ///
    /// # Panics
    ///
    /// As [`next`](Self::next).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Act, Next, Roster};
    ///
    /// let roster = Roster::new(1);
    /// let Act::Start(worker) = roster.submit("job")?.act else { panic!("nobody is there yet") };
    /// assert_eq!(roster.next(worker), Next::Job("job"));
    /// assert!(!roster.finish(worker));
    /// assert_eq!(roster.stats().completed, 1);
    /// assert_eq!(roster.next(worker), Next::Idle);
    /// assert_eq!(roster.stats().completed, 1);
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    #[track_caller]
    pub fn finish(&self, worker: WorkerId) -> bool {
        let (mut state, index) = self.locked(worker);
        state.finish(index);
        state.queued() > 0
    }

    /// An idle worker leaves, when whoever drives it has no more patience. Returns whether it has:
    /// not when it was woken meanwhile, or a job waits. It then is to call [`next`](Self::next).
    ///
    /// # Panics
    ///
    /// As [`next`](Self::next).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Act, Next, Roster};
    ///
    /// let roster = Roster::new(1);
    /// let Act::Start(worker) = roster.submit("job")?.act else { panic!("nobody is there yet") };
    /// assert_eq!(roster.next(worker), Next::Job("job"));
    /// assert_eq!(roster.next(worker), Next::Idle);
    /// // A job comes just when the worker's time is up.
    /// assert_eq!(roster.submit("late")?.act, Act::Wake(worker));
    /// assert!(!roster.retire(worker));
    /// assert_eq!(roster.next(worker), Next::Job("late"));
    /// assert_eq!(roster.next(worker), Next::Idle);
    /// assert!(roster.retire(worker));
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    #[track_caller]
    pub fn retire(&self, worker: WorkerId) -> bool {
        let (mut state, index) = self.locked(worker);
        state.retire(index)
    }

    /// The worker has ended otherwise, whatever it was at. Says who is to come in its stead, if
    /// jobs wait.
    ///
    /// # Panics
    ///
    /// As [`next`](Self::next).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Act, Next, Roster};
    ///
    /// let roster = Roster::new(1);
    /// let Act::Start(worker) = roster.submit("a")?.act else { panic!("nobody is there yet") };
    /// roster.submit("b")?;
    /// assert_eq!(roster.next(worker), Next::Job("a"));
    /// let Act::Start(other) = roster.lost(worker) else { panic!("b waits") };
    /// assert_eq!(roster.next(other), Next::Job("b"));
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    #[must_use = "jobs may wait for the worker to be replaced"]
    #[track_caller]
    pub fn lost(&self, worker: WorkerId) -> Act {
        let (mut state, index) = self.locked(worker);
        state.lose(index)
    }

    /// The worker could not be started. Gives back the jobs if now nobody is there to run them; else
    /// they wait for the workers there are, or for the next job's.
    ///
    /// # Panics
    ///
    /// As [`next`](Self::next).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Act, Roster};
    ///
    /// let roster = Roster::new(2);
    /// let Act::Start(worker) = roster.submit("job")?.act else { panic!("nobody is there yet") };
    /// let stranded = roster.not_started(worker);
    /// assert_eq!((stranded.jobs, stranded.act), (vec!["job"], Act::Nothing));
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    #[track_caller]
    pub fn not_started(&self, worker: WorkerId) -> Stranded<J> {
        let (mut state, index) = self.locked(worker);
        state.not_started(index)
    }

    /// Takes a job back that no worker has begun with.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::Roster;
    ///
    /// let roster = Roster::new(1);
    /// let job = roster.submit("job")?;
    /// assert_eq!(roster.remove(job.ticket), Some("job"));
    /// assert_eq!(roster.remove(job.ticket), None);
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    pub fn remove(&self, ticket: Ticket) -> Option<J> {
        lock(&self.state).remove(ticket)
    }

    /// Refuses every later job. Those that are queued are given back if `cancel_pending` says so, or
    /// still run. It may be called again, to give them back after all.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Act, Roster};
    ///
    /// let roster = Roster::new(1);
    /// roster.submit("job")?;
    /// assert_eq!(roster.close(false).jobs, [""; 0]);
    /// assert!(roster.submit("late").is_err());
    /// assert_eq!(roster.close(true).jobs, ["job"]);
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    pub fn close(&self, cancel_pending: bool) -> Closing<J> {
        lock(&self.state).close(cancel_pending)
    }

    /// Whether jobs are refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::Roster;
    ///
    /// let roster = Roster::<u8>::new(1);
    /// assert!(!roster.is_closed());
    /// let _nobody_to_wake = roster.close(false);
    /// assert!(roster.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        lock(&self.state).is_closed()
    }

    /// Whether it is closed, and no job and no worker is left. It stays so.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Act, Next, Roster};
    ///
    /// let roster = Roster::new(1);
    /// let Act::Start(worker) = roster.submit("job")?.act else { panic!("nobody is there yet") };
    /// let _nobody_to_wake = roster.close(false);
    /// assert_eq!(roster.next(worker), Next::Job("job"));
    /// assert!(!roster.is_finished());
    /// assert_eq!(roster.next(worker), Next::Retire);
    /// assert!(roster.is_finished());
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    pub fn is_finished(&self) -> bool {
        lock(&self.state).is_finished()
    }

    /// How many jobs wait for a worker.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::Roster;
    ///
    /// let roster = Roster::new(1);
    /// roster.submit("job")?;
    /// assert_eq!(roster.queued(), 1);
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    pub fn queued(&self) -> usize {
        lock(&self.state).queued()
    }

    /// How many workers there may be.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::Roster;
    ///
    /// assert_eq!(Roster::<u8>::new(3).max_workers(), 3);
    /// ```
    pub fn max_workers(&self) -> usize {
        lock(&self.state).max_workers()
    }

    /// What there is now, and what there has been.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::Roster;
    ///
    /// let roster = Roster::new(1);
    /// roster.submit("job")?;
    /// let stats = roster.stats();
    /// assert_eq!((stats.workers, stats.queued, stats.running, stats.submitted), (1, 1, 0, 1));
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    pub fn stats(&self) -> Stats {
        lock(&self.state).stats()
    }

    #[track_caller]
    fn locked(&self, worker: WorkerId) -> (crate::sync::MutexGuard<'_, State<J>>, usize) {
        let state = lock(&self.state);
        if !state.has(worker.index()) {
            drop(state);
            panic!("worker {} is not on the roster: it has left", worker.index());
        }
        (state, worker.index())
    }
}

impl<J> fmt::Debug for Roster<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.state);
        f.debug_struct("Roster")
            .field("max_workers", &state.max_workers())
            .field("closed", &state.is_closed())
            .field("stats", &state.stats())
            .finish()
    }
}
