use std::{error::Error, fmt};

/// A worker of a [`Roster`](crate::Roster).
///
/// # Examples
///
/// ```
/// use thrasks_pool::{Act, Roster};
///
/// let roster = Roster::new(4);
/// let Act::Start(worker) = roster.submit("job")?.act else { panic!("nobody is there yet") };
/// assert_eq!(worker.index(), 0);
/// # Ok::<(), thrasks_pool::Refused<&str>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WorkerId(pub(super) usize);

impl WorkerId {
    /// A small number that no other worker has at the same time, less than the roster's
    /// `max_workers`. When the worker has left, a later one may get it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Act, Roster};
    ///
    /// let roster = Roster::new(2);
    /// let Act::Start(first) = roster.submit("a")?.act else { panic!("nobody is there yet") };
    /// let Act::Start(second) = roster.submit("b")?.act else { panic!("one is not enough") };
    /// assert_eq!((first.index(), second.index()), (0, 1));
    /// # Ok::<(), thrasks_pool::Refused<&str>>(())
    /// ```
    pub fn index(self) -> usize {
        self.0
    }
}

/// A job's place in the queue, to take it [back](crate::Roster::remove). No other job of the roster
/// ever has the same.
///
/// # Examples
///
/// ```
/// use thrasks_pool::Roster;
///
/// let roster = Roster::new(1);
/// let (a, b) = (roster.submit("a")?.ticket, roster.submit("b")?.ticket);
/// assert_ne!(a, b);
/// # Ok::<(), thrasks_pool::Refused<&str>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub(super) u64);

/// A job that was queued: see [`Roster::submit`](crate::Roster::submit).
///
/// # Examples
///
/// ```
/// use thrasks_pool::{Act, Roster};
///
/// let submitted = Roster::new(1).submit("job")?;
/// assert!(matches!(submitted.act, Act::Start(_)));
/// # Ok::<(), thrasks_pool::Refused<&str>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// To take the job back.
    pub ticket: Ticket,
    /// Who is to come for it.
    pub act: Act,
}

/// What whoever drives a roster is to do.
///
/// # Examples
///
/// ```
/// use thrasks_pool::Act;
///
/// fn tell(act: Act) -> String {
///     match act {
///         Act::Start(worker) => format!("start {}: it calls next() when it runs", worker.index()),
///         Act::Wake(worker) => format!("wake {}: it calls next()", worker.index()),
///         Act::Nothing => "nothing: a worker will come for the job".into(),
///     }
/// }
/// assert_eq!(tell(Act::Nothing), "nothing: a worker will come for the job");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// To start this worker, or to say that it was
    /// [not started](crate::Roster::not_started).
    Start(WorkerId),
    /// To wake this one, which was told [`Next::Idle`].
    Wake(WorkerId),
    /// Nothing.
    Nothing,
}

/// What a worker is to do.
///
/// # Examples
///
/// ```
/// use thrasks_pool::{Act, Next, Roster};
///
/// let roster = Roster::new(1);
/// let Act::Start(worker) = roster.submit("job")?.act else { panic!("nobody is there yet") };
/// let mut done = Vec::new();
/// loop {
///     match roster.next(worker) {
///         Next::Job(job) => done.push(job),
///         // A worker with a thread of its own would sleep.
///         Next::Idle => drop(roster.close(false)),
///         Next::Retire => break,
///     }
/// }
/// assert_eq!(done, ["job"]);
/// # Ok::<(), thrasks_pool::Refused<&str>>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "it may be a job"]
pub enum Next<J> {
    /// To run this job, and call [`Roster::next`](crate::Roster::next) again.
    Job(J),
    /// To wait until it is woken.
    Idle,
    /// To end: it is no longer on the roster.
    Retire,
}

/// A job that was not queued, and why.
///
/// # Examples
///
/// ```
/// use thrasks_pool::{Refusal, Roster};
///
/// let roster = Roster::new(1);
/// let _nobody_to_wake = roster.close(false);
/// let refused = roster.submit("job").unwrap_err();
/// assert_eq!((refused.job, refused.refusal), ("job", Refusal::Closed));
/// ```
pub struct Refused<J> {
    /// The job, given back.
    pub job: J,
    /// Why.
    pub refusal: Refusal,
}

impl<J> fmt::Debug for Refused<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("refusal", &self.refusal).finish_non_exhaustive()
    }
}

impl<J> fmt::Display for Refused<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the job was not queued: {}", self.refusal)
    }
}

impl<J> Error for Refused<J> {}

/// Why a job was not queued.
///
/// # Examples
///
/// ```
/// use thrasks_pool::Refusal;
///
/// assert_eq!(Refusal::Closed.to_string(), "the pool is closed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The roster is closed.
    Closed,
    /// As many jobs wait for a worker as may.
    Full,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the pool is closed",
            Self::Full => "as many jobs wait for a worker as the capacity allows",
        })
    }
}

impl Error for Refusal {}

/// What becomes of the jobs when a worker [could not be started](crate::Roster::not_started).
///
/// # Examples
///
/// ```
/// use thrasks_pool::{Act, Roster, Stranded};
///
/// let roster = Roster::new(1);
/// let Act::Start(worker) = roster.submit("job")?.act else { panic!("nobody is there yet") };
/// // The thread for it could not be made: whoever waits for the job is to hear of it.
/// let Stranded { jobs, act } = roster.not_started(worker);
/// assert_eq!((jobs, act), (vec!["job"], Act::Nothing));
/// # Ok::<(), thrasks_pool::Refused<&str>>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "it holds jobs that nobody will run"]
pub struct Stranded<J> {
    /// The jobs that nobody is there to run.
    pub jobs: Vec<J>,
    /// A worker to be woken for the jobs that wait on, if one is idle. Never one to be started.
    pub act: Act,
}

/// What is to be done for a roster to [close](crate::Roster::close).
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
/// assert_eq!(roster.close(false).wake, [worker]);
/// assert_eq!(roster.next(worker), Next::Retire);
/// # Ok::<(), thrasks_pool::Refused<&str>>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "it holds jobs that nobody will run, and workers to be woken"]
pub struct Closing<J> {
    /// The jobs that were queued, if they are not to run.
    pub jobs: Vec<J>,
    /// The workers that were idle, to be woken so that they retire.
    pub wake: Vec<WorkerId>,
}

/// The numbers of a [`Roster`](crate::Roster) or [`TaskPool`](crate::TaskPool).
///
/// # Examples
///
/// ```
/// use thrasks_pool::{Act, Roster, Stats};
///
/// let roster = Roster::new(1);
/// assert_eq!(roster.stats(), Stats::default());
/// let ticket = roster.submit("job")?.ticket;
/// roster.remove(ticket);
/// let stats = roster.stats();
/// assert_eq!((stats.submitted, stats.removed, stats.completed), (1, 1, 0));
/// # Ok::<(), thrasks_pool::Refused<&str>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many workers there are.
    pub workers: usize,
    /// How many of them are idle.
    pub idle: usize,
    /// How many jobs wait for a worker.
    pub queued: usize,
    /// How many jobs run.
    pub running: usize,
    /// How many jobs have been queued so far.
    pub submitted: u64,
    /// How many jobs have been begun with and have ended, however they did.
    pub completed: u64,
    /// How many jobs were taken back, or given back by the close, before they began.
    pub removed: u64,
    /// How many workers have been started.
    pub started: u64,
    /// How many workers have died.
    pub lost: u64,
}
