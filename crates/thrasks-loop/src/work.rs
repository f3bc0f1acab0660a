use std::{cell::RefCell, fmt, sync::Arc, time::Instant};

use crate::shared::{Seat, Shared};

/// What a loop is fed with, seen from the loop: its own inbox, and its seat at a scheduler.
///
/// A driver gets it in [`Driver::run`](crate::Driver::run). The round of a loop is: acknowledge,
/// take until idle (letting its own tasks run in between), sleep until woken.
pub struct Work<J> {
    shared: Arc<Shared<J>>,
    cached: RefCell<Cached<J>>,
    awake_since: RefCell<Option<Instant>>,
}

/// The seat as this loop last saw it, so that taking a job locks nothing.
struct Cached<J> {
    epoch: usize,
    seat: Option<Seat<J>>,
}

/// What [`Work::next`] found.
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
        Self {
            shared,
            cached: RefCell::new(Cached { epoch: 0, seat: None }),
            awake_since: RefCell::new(None),
        }
    }

    /// The name of the loop's thread.
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// Tells that the loop is awake; call it before a round of [`next`](Self::next).
    pub fn acknowledge(&self) {
        self.shared.inbox.acknowledge();
    }

    /// Whether the loop has been woken since it last acknowledged: it must not go to sleep.
    pub fn is_notified(&self) -> bool {
        self.shared.inbox.is_notified()
    }

    /// Whether the loop is to end: [`next`](Self::next) would say [`Next::Stop`].
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// Whether another loop may take the jobs that this one leaves alone, so that it had better take
    /// one only when it can start it at once: [`Scheduler::is_shared`](thrasks_sched::Scheduler::is_shared).
    pub fn is_shared(&self) -> bool {
        self.with_seat(|seat| seat.scheduler.is_shared()).unwrap_or(false)
    }

    /// The next thing to start: posted jobs first, then the scheduler's.
    ///
    /// After [`Next::Idle`] the loop counts as idle at its scheduler, until a later call gives it
    /// a job.
    pub fn next(&self) -> Next<J> {
        if self.shared.is_stopping() {
            return Next::Stop;
        }
        if let Some(job) = self.shared.inbox.pop() {
            return Next::Posted(job);
        }
        match self.with_seat(|seat| seat.scheduler.pop(seat.worker)).flatten() {
            Some(job) => {
                self.shared.counters.start();
                Next::Job(job)
            }
            None => {
                self.shared.went_idle();
                Next::Idle
            }
        }
    }

    /// Tells that a job which [`next`](Self::next) gave as [`Next::Job`] has ended.
    pub fn finish(&self) {
        self.shared.counters.finish();
        self.with_seat(|seat| seat.scheduler.finish(seat.worker));
    }

    /// Counts a posted job as running, until [`finish_posted`](Self::finish_posted). Not called, it
    /// does not show in the loop's numbers, as befits a message that is no work.
    pub fn start_posted(&self) {
        self.shared.counters.start();
    }

    /// Tells that a job counted with [`start_posted`](Self::start_posted) has ended.
    pub fn finish_posted(&self) {
        self.shared.counters.finish();
    }

    /// Tells that the loop is about to sleep, or woke up; between the two is its idle time.
    pub fn set_asleep(&self, asleep: bool) {
        let mut since = self.awake_since.borrow_mut();
        if asleep {
            if let Some(since) = since.take() {
                self.shared.counters.add_busy(since.elapsed());
            }
        } else if since.is_none() {
            *since = Some(Instant::now());
        }
    }

    /// Reads the seat, after looking whether the loop was moved to another one.
    fn with_seat<R>(&self, read: impl FnOnce(&Seat<J>) -> R) -> Option<R> {
        if self.cached.borrow().epoch != self.shared.seat_epoch() {
            let (epoch, seat) = self.shared.seat();
            *self.cached.borrow_mut() = Cached { epoch, seat };
        }
        self.cached.borrow().seat.as_ref().map(read)
    }
}

impl<J> fmt::Debug for Work<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("name", &self.name()).finish_non_exhaustive()
    }
}
