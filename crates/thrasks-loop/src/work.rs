use std::{
    cell::{Cell, RefCell},
    fmt,
    sync::Arc,
};

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
/// Here and below, `work` is what the driver of a loop is given, after "posted" was posted to the loop and
/// "first" and "second" were given to its scheduler; `handle` is the [`LoopHandle`](crate::LoopHandle).
///
/// ```
/// # mod doctest {
/// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
/// # }
/// use thrasks_loop::Next;
/// # doctest::in_run(1, &["first", "second"], |work, handle| {
/// // In `Driver::run`:
/// let mut ran = Vec::new();
/// work.acknowledge();
/// loop {
///     match work.next() {
///         Next::Job(job) => {
///             ran.push(job);
///             work.finish();
///         }
///         Next::Posted(job) => ran.push(job),
///         // Sleep until the driver's waker is called, and acknowledge that; here, the end.
///         Next::Idle => break,
///         Next::Stop => return,
///     }
/// }
/// assert_eq!(ran, ["posted", "first", "second"]);
/// # });
/// ```
pub struct Work<J> {
    shared: Arc<Shared<J>>,
    cached: RefCell<Cached<J>>,
    was_shared: Cell<bool>,
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
        let cached = RefCell::new(Cached { epoch: 0, seat: Some(None) });
        Self { shared, cached, was_shared: Cell::new(false) }
    }

    /// The name of the loop's thread.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod doctest {
    /// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
    /// # }
    /// # doctest::in_run(1, &["first", "second"], |work, handle| {
    /// // In `Driver::run`:
    /// assert_eq!(work.name(), "solo-0");
    /// # });
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
    /// # mod doctest {
    /// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
    /// # }
    /// # doctest::in_run(1, &["first", "second"], |work, handle| {
    /// // In `Driver::run`:
    /// assert!(work.is_notified());
    /// // Before the look: what comes after this wakes the loop again.
    /// work.acknowledge();
    /// assert!(!work.is_notified());
    /// handle.post("late").unwrap();
    /// assert!(work.is_notified());
    /// # });
    /// ```
    pub fn acknowledge(&self) {
        self.shared.inbox.acknowledge();
    }

    /// Whether the loop has been woken since it last acknowledged: it must not go to sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod doctest {
    /// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
    /// # }
    /// use thrasks_loop::Next;
    /// # doctest::in_run(1, &["first", "second"], |work, handle| {
    /// // In `Driver::run`:
    /// work.acknowledge();
    /// while !matches!(work.next(), Next::Idle) {}
    /// assert!(!work.is_notified(), "it may sleep");
    /// handle.post("late").unwrap();
    /// assert!(work.is_notified(), "it must not");
    /// # });
    /// ```
    pub fn is_notified(&self) -> bool {
        self.shared.inbox.is_notified()
    }

    /// Whether the loop is to end: [`next`](Self::next) would say [`Next::Stop`].
    ///
    /// # Examples
    ///
    /// ```
    /// # mod doctest {
    /// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
    /// # }
    /// use thrasks_loop::Next;
    /// # doctest::in_run(1, &["first", "second"], |work, handle| {
    /// // In `Driver::run`:
    /// assert!(!work.is_stopping());
    /// handle.stop();
    /// assert!(work.is_stopping());
    /// assert!(matches!(work.next(), Next::Stop));
    /// # });
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
    /// # mod doctest {
    /// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
    /// # }
    /// use thrasks_loop::Next;
    /// # doctest::in_run(1, &["first", "second"], |work, handle| {
    /// // In `Driver::run`:
    /// // A `Queue`, of which every loop takes. Others give each loop its own jobs: it may take
    /// // some before it starts the first of them.
    /// let at_once = if work.is_shared() { 1 } else { 64 };
    /// assert_eq!(at_once, 1);
    /// # });
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
    /// # mod doctest {
    /// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
    /// # }
    /// use thrasks_loop::Next;
    /// # doctest::in_run(2, &["first", "of the other", "second", "third"], |work, handle| {
    /// // In `Driver::run`:
    /// while !matches!(work.next(), Next::Idle) {}
    /// // Three jobs of the scheduler's run here; one was handed to the other loop.
    /// assert_eq!(work.lead(), 2);
    /// work.finish();
    /// assert_eq!(work.lead(), 1);
    /// # });
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
    /// # mod doctest {
    /// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
    /// # }
    /// # doctest::in_run(1, &["first", "second"], |work, handle| {
    /// // In `Driver::run`:
    /// // Two jobs wait, for one loop.
    /// assert_eq!(work.backlog(), 2);
    /// # });
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
    /// # mod doctest {
    /// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
    /// # }
    /// use thrasks_loop::Next;
    /// # doctest::in_run(1, &["first", "second"], |work, handle| {
    /// // In `Driver::run`:
    /// assert!(matches!(work.next(), Next::Posted("posted")));
    /// assert!(matches!(work.next(), Next::Job("first")));
    /// work.finish();
    /// assert!(matches!(work.next(), Next::Job("second")));
    /// work.finish();
    /// assert!(matches!(work.next(), Next::Idle));
    /// # });
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
    /// # mod doctest {
    /// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
    /// # }
    /// use thrasks_loop::Next;
    /// # doctest::in_run(1, &["first", "second"], |work, handle| {
    /// // In `Driver::run`:
    /// let Next::Posted(_) = work.next() else { unreachable!() };
    /// let Next::Job(_) = work.next() else { unreachable!() };
    /// assert_eq!((handle.stats().running, handle.stats().done), (1, 0));
    /// work.finish();
    /// assert_eq!((handle.stats().running, handle.stats().done), (0, 1));
    /// # });
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
    /// # mod doctest {
    /// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
    /// # }
    /// use thrasks_loop::Next;
    /// # doctest::in_run(1, &["first", "second"], |work, handle| {
    /// // In `Driver::run`:
    /// let Next::Posted(_) = work.next() else { unreachable!() };
    /// assert_eq!(handle.stats().running, 0);
    /// work.start_posted();
    /// assert_eq!(handle.stats().running, 1);
    /// # });
    /// ```
    pub fn start_posted(&self) {
        self.shared.counters.start();
    }

    /// Tells that a job counted with [`start_posted`](Self::start_posted) has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod doctest {
    /// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
    /// # }
    /// use thrasks_loop::Next;
    /// # doctest::in_run(1, &["first", "second"], |work, handle| {
    /// // In `Driver::run`:
    /// let Next::Posted(_) = work.next() else { unreachable!() };
    /// work.start_posted();
    /// work.finish_posted();
    /// assert_eq!((handle.stats().running, handle.stats().done), (0, 1));
    /// # });
    /// ```
    pub fn finish_posted(&self) {
        self.shared.counters.finish();
    }

    /// Tells that the loop is about to sleep, or woke up. The time between is not
    /// [`busy`](crate::LoopStats::busy); before the first call the loop counts as asleep.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod doctest {
    /// #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/work/doctest.rs"));
    /// # }
    /// # doctest::in_run(1, &["first", "second"], |work, handle| {
    /// // In `Driver::run`:
    /// work.set_asleep(false);
    /// work.set_asleep(true);
    /// let busy = handle.stats().busy;
    /// std::thread::park_timeout(std::time::Duration::from_millis(1));
    /// assert_eq!(handle.stats().busy, busy);
    /// # });
    /// ```
    pub fn set_asleep(&self, asleep: bool) {
        self.shared.counters.set_asleep(asleep);
    }

    /// Reads the seat, after looking whether the loop was moved to another one.
    fn with_seat<R>(&self, read: impl FnOnce(&Seat<J>) -> R) -> Option<R> {
        let cached = self.cached.borrow();
        if let Some(seat) = &cached.seat
            && cached.epoch == self.shared.seat_epoch()
        {
            return seat.as_ref().map(read);
        }
        drop(cached);
        self.look_for_seat();
        self.cached.borrow().seat.as_ref().and_then(Option::as_ref).map(read)
    }

    #[cold]
    fn look_for_seat(&self) {
        let (epoch, seat) = self.shared.copy_seat();
        let shared = seat.as_ref().is_some_and(|seat| seat.crew.scheduler.is_shared());
        self.was_shared.set(shared);
        let old = self.cached.replace(Cached { epoch, seat: Some(seat) });
        if old.epoch != epoch {
            self.shared.counters.set_seated(0);
        }
        // Last: the last reference to a scheduler drops the jobs in it.
        drop(old);
    }

    /// As [`is_shared`](Self::is_shared), of the seat that the loop has seen last. It takes no look
    /// at the present one, of which a loop that goes to sleep is to keep nothing.
    pub(crate) fn was_shared(&self) -> bool {
        self.was_shared.get()
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
