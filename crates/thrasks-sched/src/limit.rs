use std::{collections::VecDeque, fmt, mem};

use crate::sync::{Mutex, lock};

/// A gate in front of a submission that keeps at most n jobs alive.
///
/// Before a job is pushed it [`enter`](Self::enter)s; when a job has ended, whatever the outcome,
/// it [`leave`](Self::leave)s. A job that may not go yet waits in the backlog of the gate, first
/// come first served, and is given out by somebody else's `leave`, to be pushed by that caller: a
/// semaphore at which jobs wait, and no threads.
///
/// # Examples
///
/// ```
/// use thrasks_sched::{Limit, Queue, Scheduler};
///
/// let scheduler = Queue::new(4);
/// let limit = Limit::new(1);
/// for job in ["a", "b"] {
///     if let Some(job) = limit.enter(job) {
///         let _wake = scheduler.push(job).unwrap();
///     }
/// }
/// assert_eq!(scheduler.pop(0), Some("a"));
/// assert!(scheduler.is_empty());
///
/// // "a" has ended.
/// scheduler.finish(0);
/// if let Some(job) = limit.leave() {
///     let _wake = scheduler.push(job).unwrap();
/// }
/// assert_eq!(scheduler.pop(0), Some("b"));
/// ```
pub struct Limit<J> {
    limit: usize,
    gate: Mutex<Gate<J>>,
}

/// While the gate is open, jobs are in the backlog only if `alive` is at the limit.
struct Gate<J> {
    alive: usize,
    backlog: VecDeque<J>,
    closed: bool,
}

impl<J> Limit<J> {
    /// A gate for at most `limit` jobs at a time.
    ///
    /// # Panics
    ///
    /// When `limit` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Limit;
    ///
    /// let limit = Limit::<u32>::new(10);
    /// assert_eq!(limit.alive(), 0);
    /// ```
    #[must_use = "a limit holds back only what enters it"]
    #[track_caller]
    pub fn new(limit: usize) -> Self {
        assert!(limit > 0, "Limit::new got 0, and nothing would ever run: give it at least 1");
        let gate = Gate { alive: 0, backlog: VecDeque::new(), closed: false };
        Self { limit, gate: Mutex::new(gate) }
    }

    /// Gives the job back if it may go now, and counts it as alive; otherwise keeps it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Limit;
    ///
    /// let limit = Limit::new(1);
    /// assert_eq!(limit.enter("a"), Some("a"));
    /// assert_eq!(limit.enter("b"), None);
    /// ```
    #[must_use = "the job that is given back is to be run"]
    pub fn enter(&self, job: J) -> Option<J> {
        let mut gate = lock(&self.gate);
        if gate.alive < self.limit || gate.closed {
            gate.alive += 1;
            Some(job)
        } else {
            gate.backlog.push_back(job);
            None
        }
    }

    /// Counts a job as alive if one may go now, and says whether it did: for a job that is only made
    /// when it may go, or that is to be refused otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Limit;
    ///
    /// let limit = Limit::<&str>::new(1);
    /// assert!(limit.try_enter());
    /// assert!(!limit.try_enter());
    /// assert_eq!(limit.leave(), None);
    /// assert!(limit.try_enter());
    /// ```
    #[must_use = "a job that has entered is to leave"]
    pub fn try_enter(&self) -> bool {
        let mut gate = lock(&self.gate);
        let room = gate.alive < self.limit || gate.closed;
        gate.alive += usize::from(room);
        room
    }

    /// Tells that a job which was alive has ended; gives the next one from the backlog, which now
    /// counts as alive.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Limit;
    ///
    /// let limit = Limit::new(1);
    /// assert_eq!(limit.enter("a"), Some("a"));
    /// assert_eq!(limit.enter("b"), None);
    /// assert_eq!(limit.leave(), Some("b"));
    /// assert_eq!(limit.leave(), None);
    /// assert_eq!(limit.alive(), 0);
    /// ```
    #[must_use = "the job that is given is to be run"]
    pub fn leave(&self) -> Option<J> {
        let mut gate = lock(&self.gate);
        let next = gate.backlog.pop_front();
        if next.is_none() {
            gate.alive = gate.alive.saturating_sub(1);
        }
        next
    }

    /// Gives back the jobs in the backlog, in order. The gate goes on as before.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Limit;
    ///
    /// let limit = Limit::new(1);
    /// assert_eq!(limit.enter("a"), Some("a"));
    /// assert_eq!(limit.enter("b"), None);
    /// assert_eq!(limit.drain(), ["b"]);
    /// assert_eq!(limit.enter("c"), None);
    /// ```
    #[must_use = "the jobs that are given back will not be given again"]
    pub fn drain(&self) -> Vec<J> {
        let backlog = mem::take(&mut lock(&self.gate).backlog);
        backlog.into()
    }

    /// Gives back the jobs in the backlog, in order, and limits nothing from now on.
    ///
    /// For shutting down: every later job is given back by [`enter`](Self::enter) at once (and
    /// counted), for the closed scheduler behind the gate to refuse. So no job is ever left in a
    /// backlog that nobody looks at any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Limit;
    ///
    /// let limit = Limit::new(1);
    /// assert_eq!(limit.enter("a"), Some("a"));
    /// assert_eq!(limit.enter("b"), None);
    /// assert_eq!(limit.close(), ["b"]);
    /// assert_eq!(limit.enter("c"), Some("c"));
    /// ```
    #[must_use = "the jobs that are given back will not be given again"]
    pub fn close(&self) -> Vec<J> {
        let mut gate = lock(&self.gate);
        gate.closed = true;
        let backlog = mem::take(&mut gate.backlog);
        drop(gate);
        backlog.into()
    }

    /// How many jobs have gone through and not left.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Limit;
    ///
    /// let limit = Limit::new(2);
    /// assert_eq!(limit.enter("a"), Some("a"));
    /// assert_eq!(limit.alive(), 1);
    /// ```
    pub fn alive(&self) -> usize {
        lock(&self.gate).alive
    }

    /// How many jobs are in the backlog.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Limit;
    ///
    /// let limit = Limit::new(1);
    /// assert_eq!(limit.enter("a"), Some("a"));
    /// assert_eq!(limit.enter("b"), None);
    /// assert_eq!(limit.waiting(), 1);
    /// ```
    pub fn waiting(&self) -> usize {
        lock(&self.gate).backlog.len()
    }
}

impl<J> fmt::Debug for Limit<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gate = lock(&self.gate);
        f.debug_struct("Limit")
            .field("limit", &self.limit)
            .field("alive", &gate.alive)
            .field("waiting", &gate.backlog.len())
            .finish_non_exhaustive()
    }
}
