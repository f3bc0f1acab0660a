use std::{cell::RefCell, fmt, sync::Arc};

use crate::shared::{Seat, Shared};

/// What a loop is fed with, seen from the loop: its own inbox, and its seat at a scheduler.
///
/// A driver gets it in [`Driver::run`](crate::Driver::run). The round of a loop is: acknowledge,
/// take until idle (letting its own tasks run in between), sleep until woken.
///
/// A loop that asks for a job says that it is free to start it now; jobs that it has not asked for
/// stay where others can get at them.
///
/// # Examples
///
/// A loop of closures, see [`Driver`](crate::Driver) for the rest of it:
///
/// ```
/// use thrasks_loop::{Next, Work};
///
/// fn run(work: Work<Box<dyn FnOnce() + Send>>) {
///     loop {
///         work.acknowledge();
///         match work.next() {
///             Next::Job(job) => {
///                 job();
///                 work.finish();
///             }
///             Next::Posted(job) => job(),
///             Next::Idle => std::thread::park(), // The driver's waker unparks.
///             Next::Stop => break,
///         }
///     }
/// }
/// # let _ = run;
/// ```
pub struct Work<J> {
    shared: Arc<Shared<J>>,
    cached: RefCell<Cached<J>>,
}

/// The seat as this loop last saw it, so that taking a job locks nothing.
struct Cached<J> {
    epoch: usize,
    /// `None`: it has let go of it, and is to look again.
    seat: Option<Option<Seat<J>>>,
}

/// What [`Work::next`] found.
///
/// # Examples
///
/// ```
/// use thrasks_loop::Next;
///
/// fn tell(next: &Next<u32>) -> String {
///     match next {
///         Next::Job(job) => format!("run {job}, then report its end"),
///         Next::Posted(job) => format!("run {job}"),
///         Next::Idle => "sleep until woken".into(),
///         Next::Stop => "return from run".into(),
///     }
/// }
/// assert_eq!(tell(&Next::Idle), "sleep until woken");
/// ```
#[derive(Debug)]
pub enum Next<J> {
    /// A job of the scheduler. Call [`Work::finish`] when it has ended.
    Job(J),
    /// A job that was posted to this very loop.
    Posted(J),
    /// Nothing now: let the loop's own tasks run, or sleep until it is woken.
    Idle,
    /// The loop is to end now.
    Stop,
}

impl<J> Work<J> {
    pub(crate) fn new(shared: Arc<Shared<J>>) -> Self {
        Self { shared, cached: RefCell::new(Cached { epoch: 0, seat: Some(None) }) }
    }

    /// The name of the loop's thread.
    ///
    /// # Examples
    ///
    /// ```
    /// fn log<J>(work: &thrasks_loop::Work<J>) {
    ///     println!("{} is up", work.name());
    /// }
    /// # let _ = log::<u8>;
    /// ```
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// The number of the loop at its scheduler, if it serves one.
    pub(crate) fn worker(&self) -> Option<usize> {
        self.with_seat(|seat| seat.worker)
    }

    /// Tells that the loop is awake; call it before a round of [`next`](Self::next).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{Next, Work};
    ///
    /// fn round<J>(work: &Work<J>, run: fn(Next<J>)) {
    ///     // Before the look: what is submitted after this wakes the loop again.
    ///     work.acknowledge();
    ///     run(work.next());
    /// }
    /// # let _ = round::<u8>;
    /// ```
    pub fn acknowledge(&self) {
        self.shared.inbox.acknowledge();
    }

    /// Whether the loop has been woken since it last acknowledged: it must not go to sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// fn sleep<J>(work: &thrasks_loop::Work<J>) {
    ///     while !work.is_notified() {
    ///         std::thread::park();
    ///     }
    /// }
    /// # let _ = sleep::<u8>;
    /// ```
    pub fn is_notified(&self) -> bool {
        self.shared.inbox.is_notified()
    }

    /// Whether the loop is to end: [`next`](Self::next) would say [`Next::Stop`].
    ///
    /// # Examples
    ///
    /// ```
    /// fn go_on<J>(work: &thrasks_loop::Work<J>) -> bool {
    ///     !work.is_stopping()
    /// }
    /// # let _ = go_on::<u8>;
    /// ```
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// Whether another loop may take the jobs that this one leaves alone, so that it had better take
    /// one only when it can start it at once: [`Scheduler::is_shared`](thrasks_sched::Scheduler::is_shared).
    ///
    /// # Examples
    ///
    /// ```
    /// /// How many jobs to take before starting the first of them.
    /// fn at_once<J>(work: &thrasks_loop::Work<J>) -> usize {
    ///     if work.is_shared() { 1 } else { 64 }
    /// }
    /// # let _ = at_once::<u8>;
    /// ```
    pub fn is_shared(&self) -> bool {
        self.with_seat(|seat| seat.crew.scheduler.is_shared()).unwrap_or(false)
    }

    /// How many more unfinished jobs this loop has than the one of its scheduler that has the fewest;
    /// 0 where the scheduler does not count ([`Scheduler::load`](thrasks_sched::Scheduler::load)).
    ///
    /// A loop whose jobs suspend at once is free at once, and of a shared scheduler it could take
    /// all there are while the other loops work on their first. They stay where they started, so a
    /// loop that is far ahead had better take the next one a little later.
    ///
    /// # Examples
    ///
    /// ```
    /// /// Whether to take another job at once, after one that has suspended.
    /// fn go_on<J>(work: &thrasks_loop::Work<J>) -> bool {
    ///     work.lead() < 4
    /// }
    /// # let _ = go_on::<u8>;
    /// ```
    pub fn lead(&self) -> usize {
        self.with_seat(|seat| {
            let scheduler = &seat.crew.scheduler;
            let mine = scheduler.load(seat.worker)?;
            // A loop that is over has no say: nothing will ever run there.
            let living =
                seat.crew.loops.iter().enumerate().filter(|(_, other)| !other.has_exited());
            let least = living.filter_map(|(worker, _)| scheduler.load(worker)).min()?;
            Some(mine.saturating_sub(least))
        })
        .flatten()
        .unwrap_or(0)
    }

    /// How many jobs wait at the scheduler for each of its loops.
    ///
    /// While there is enough for all, a loop may take more at once than when the next one is better
    /// left to a loop that is idle.
    ///
    /// # Examples
    ///
    /// ```
    /// /// How many jobs that suspend to start before those that are ready go on.
    /// fn at_once<J>(work: &thrasks_loop::Work<J>) -> usize {
    ///     work.backlog().clamp(1, 64)
    /// }
    /// # let _ = at_once::<u8>;
    /// ```
    pub fn backlog(&self) -> usize {
        self.with_seat(|seat| seat.crew.scheduler.len() / seat.crew.loops.len().max(1)).unwrap_or(0)
    }

    /// The next thing to start: posted jobs first, then the scheduler's.
    ///
    /// After [`Next::Idle`] the loop counts as idle at its scheduler, until a later call gives it
    /// a job.
    ///
    /// # Panics
    ///
    /// When the scheduler does.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{Next, Work};
    ///
    /// /// Runs what there is. Returns whether the loop is to go on.
    /// fn drain(work: &Work<Box<dyn FnOnce() + Send>>) -> bool {
    ///     loop {
    ///         match work.next() {
    ///             Next::Job(job) => {
    ///                 job();
    ///                 work.finish();
    ///             }
    ///             Next::Posted(job) => job(),
    ///             Next::Idle => return true,
    ///             Next::Stop => return false,
    ///         }
    ///     }
    /// }
    /// # let _ = drain;
    /// ```
    pub fn next(&self) -> Next<J> {
        let Shared { inbox, counters, .. } = &*self.shared;
        if self.shared.is_stopping() {
            counters.stop();
            return Next::Stop;
        }
        counters.look();
        if let Some(job) = inbox.pop() {
            // Still in hand, until it is counted or the loop looks again.
            return Next::Posted(job);
        }
        match self.with_seat(|seat| seat.crew.scheduler.pop(seat.worker)).flatten() {
            Some(job) => {
                counters.set_seated(counters.seated() + 1);
                counters.start();
                Next::Job(job)
            }
            None => {
                counters.looked();
                self.with_seat(|seat| seat.crew.went_idle());
                self.let_go();
                Next::Idle
            }
        }
    }

    /// Tells that a job which [`next`](Self::next) gave as [`Next::Job`] has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// fn run(work: &thrasks_loop::Work<Box<dyn FnOnce() + Send>>, job: Box<dyn FnOnce() + Send>) {
    ///     job();
    ///     work.finish();
    /// }
    /// # let _ = run;
    /// ```
    pub fn finish(&self) {
        let counters = &self.shared.counters;
        counters.finish();
        self.with_seat(|seat| {
            // None is seated when the loop was moved while the job ran: its end is nobody's concern.
            if let Some(left) = counters.seated().checked_sub(1) {
                counters.set_seated(left);
                seat.crew.scheduler.finish(seat.worker);
            }
        });
    }

    /// Counts a posted job as running, until [`finish_posted`](Self::finish_posted). Not called, it
    /// does not show in the loop's numbers, as befits a message that is no work.
    ///
    /// # Examples
    ///
    /// ```
    /// fn run(work: &thrasks_loop::Work<Box<dyn FnOnce() + Send>>, job: Box<dyn FnOnce() + Send>) {
    ///     work.start_posted();
    ///     job();
    ///     work.finish_posted();
    /// }
    /// # let _ = run;
    /// ```
    pub fn start_posted(&self) {
        self.shared.counters.start();
    }

    /// Tells that a job counted with [`start_posted`](Self::start_posted) has ended.
    ///
    /// # Examples
    ///
    /// See [`start_posted`](Self::start_posted).
    pub fn finish_posted(&self) {
        self.shared.counters.finish();
    }

    /// Tells that the loop is about to sleep, or woke up. The time between is not
    /// [`busy`](crate::LoopStats::busy); before the first call the loop counts as asleep.
    ///
    /// # Examples
    ///
    /// ```
    /// fn sleep<J>(work: &thrasks_loop::Work<J>) {
    ///     work.set_asleep(true);
    ///     std::thread::park();
    ///     work.set_asleep(false);
    /// }
    /// # let _ = sleep::<u8>;
    /// ```
    pub fn set_asleep(&self, asleep: bool) {
        self.shared.counters.set_asleep(asleep);
    }

    /// Reads the seat, after looking whether the loop was moved to another one.
    fn with_seat<R>(&self, read: impl FnOnce(&Seat<J>) -> R) -> Option<R> {
        let is_current = {
            let cached = self.cached.borrow();
            cached.seat.is_some() && cached.epoch == self.shared.seat_epoch()
        };
        if !is_current {
            let (epoch, seat) = self.shared.copy_seat();
            let old = self.cached.replace(Cached { epoch, seat: Some(seat) });
            if old.epoch != epoch {
                self.shared.counters.set_seated(0);
            }
            // Last: the last reference to a scheduler drops the jobs in it.
            drop(old);
        }
        self.cached.borrow().seat.as_ref().and_then(Option::as_ref).map(read)
    }

    /// Keeps nothing of the seat until the next look: the loop need not be woken when it loses it.
    fn let_go(&self) {
        let old = self.cached.borrow_mut().seat.take();
        drop(old);
        self.shared.let_go();
    }
}

impl<J> fmt::Debug for Work<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("name", &self.name()).finish_non_exhaustive()
    }
}
