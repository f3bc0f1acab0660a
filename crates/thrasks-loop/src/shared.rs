use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Waker},
    thread::ThreadId,
    time::Instant,
};

use crate::{
    Inbox, LoopId, LoopStats, QuietWaker,
    counters::Counters,
    crew::Crew,
    quiet::{bury, quietly},
    sync::{AtomicBool, AtomicUsize, Event, Mutex, Ordering, lock},
    wait::wait,
};

/// A loop's place at a scheduler: it serves it as this worker.
pub(crate) struct Seat<J> {
    pub(crate) crew: Arc<Crew<J>>,
    pub(crate) worker: usize,
}

impl<J> Clone for Seat<J> {
    fn clone(&self) -> Self {
        Self { crew: self.crew.clone(), worker: self.worker }
    }
}

/// What the loop's thread and everybody who knows the loop share.
///
/// It goes through three states: the loop runs; the loop is *over*, and nothing that is given to
/// it will ever be done; the thread has *exited*, its hooks having run.
pub(crate) struct Shared<J> {
    id: LoopId,
    name: String,
    pub(crate) inbox: Inbox<J>,
    pub(crate) counters: Counters,
    seat: Mutex<Option<Seat<J>>>,
    /// Bumped, with the lock on `seat` held, whenever the seat changes.
    seat_epoch: AtomicUsize,
    /// The loop's thread has a copy of the seat. Set by it before it takes one, lowered after it has
    /// let go of it.
    has_copy: AtomicBool,
    stopping: AtomicBool,
    /// Set once, with the lock on `seat` held.
    over: AtomicBool,
    exited: AtomicBool,
    exit: Event,
    thread: OnceLock<ThreadId>,
}

impl<J> Shared<J> {
    pub(crate) fn new(name: String, waker: Waker) -> Self {
        Self {
            id: LoopId::new(),
            name,
            inbox: Inbox::new(waker),
            counters: Counters::new(),
            seat: Mutex::new(None),
            seat_epoch: AtomicUsize::new(0),
            has_copy: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            over: AtomicBool::new(false),
            exited: AtomicBool::new(false),
            exit: Event::new(),
            thread: OnceLock::new(),
        }
    }

    pub(crate) fn id(&self) -> LoopId {
        self.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn seat_epoch(&self) -> usize {
        self.seat_epoch.load(Ordering::Acquire)
    }

    /// A copy of the seat for the loop's own thread, which is to [let go](Self::let_go) of it when it
    /// has nothing to do.
    pub(crate) fn copy_seat(&self) -> (usize, Option<Seat<J>>) {
        // Before the lock: whoever takes the seat away after this has had it finds the flag.
        self.has_copy.store(true, Ordering::Relaxed);
        self.seat()
    }

    /// The loop's thread has let go of its copy.
    pub(crate) fn let_go(&self) {
        self.has_copy.store(false, Ordering::Release);
    }

    fn seat(&self) -> (usize, Option<Seat<J>>) {
        let seat = lock(&self.seat);
        (self.seat_epoch.load(Ordering::Relaxed), seat.clone())
    }

    /// Seats the loop, unless it is over. Returns whether it did. It is not woken: it looks for its
    /// seat whenever it looks for work.
    ///
    /// Under the lock, as is the end of the loop: either that finds the seat, or this finds the
    /// end. So no scheduler is left with a loop that is over and that nobody missed.
    pub(crate) fn take_seat(&self, new: Seat<J>) -> bool {
        let old = {
            let mut seat = lock(&self.seat);
            if self.is_over() {
                return false;
            }
            self.seat_epoch.fetch_add(1, Ordering::Release);
            seat.replace(new)
        };
        // Outside the lock: the last reference to a scheduler drops the jobs in it.
        drop(old);
        true
    }

    /// Takes the seat away. A loop that has a copy is woken to let go of it: nobody else keeps the
    /// scheduler.
    ///
    /// Its thread raises the flag before it locks the seat for the copy, and this looks at it after
    /// it has taken the seat under the same lock: either this comes later, and finds the flag (or the
    /// copy gone), or there is nothing to copy.
    pub(crate) fn leave_seat(&self) {
        let old = {
            let mut seat = lock(&self.seat);
            self.seat_epoch.fetch_add(1, Ordering::Release);
            seat.take()
        };
        drop(old);
        if self.has_copy.load(Ordering::Acquire) {
            self.inbox.notify();
        }
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.inbox.notify();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Whether it makes sense to give the loop something to do, as far as one can tell.
    pub(crate) fn is_usable(&self) -> bool {
        !self.is_stopping() && !self.is_over()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    pub(crate) fn has_exited(&self) -> bool {
        self.exited.load(Ordering::SeqCst)
    }

    /// Called on the loop's thread, before its driver runs.
    pub(crate) fn enter(&self) {
        let _ = self.thread.set(std::thread::current().id());
        self.id.enter();
    }

    /// Whether the thread was ever there.
    pub(crate) fn has_entered(&self) -> bool {
        self.thread.get().is_some()
    }

    /// The driver has ended, however it ended, or will never run: what was given to the loop and
    /// not begun is given to the others of its crew, or dropped.
    pub(crate) fn end(&self) {
        self.counters.stop();
        self.counters.set_asleep(true);
        self.inbox.close();
        bury(std::iter::from_fn(|| self.inbox.pop()));
        // Out of its place, which would otherwise keep the crew, and through it this, alive.
        let seat = {
            let mut seat = lock(&self.seat);
            self.over.store(true, Ordering::SeqCst);
            seat.take()
        };
        if let Some(Seat { crew, worker }) = seat {
            // A scheduler that panics is not to keep the thread from its last word.
            quietly(|| crew.lose(worker, self.counters.seated()));
        }
    }

    /// The thread's last word.
    pub(crate) fn exit(&self) {
        self.exited.store(true, Ordering::SeqCst);
        self.exit.notify(usize::MAX);
    }

    pub(crate) fn is_this_thread(&self) -> bool {
        self.thread.get() == Some(&std::thread::current().id())
    }

    /// Blocks until the thread has exited, or the deadline has passed. Returns whether it exited.
    pub(crate) fn wait_exit(&self, deadline: Option<Instant>) -> bool {
        wait(&self.exit, deadline, || self.has_exited())
    }

    pub(crate) async fn exited(&self) {
        let mut quiet = QuietWaker::new();
        while !self.has_exited() {
            let mut listener = self.exit.listen();
            if self.has_exited() {
                return;
            }
            poll_fn(|cx| {
                let waker = quiet.cover(cx.waker());
                Pin::new(&mut listener).poll(&mut Context::from_waker(waker))
            })
            .await;
        }
    }

    pub(crate) fn stats(&self) -> LoopStats {
        let (_, seat) = self.seat();
        let load = seat.and_then(|seat| seat.crew.scheduler.load(seat.worker)).unwrap_or(0);
        LoopStats {
            name: self.name.clone(),
            queued: load.saturating_sub(self.counters.seated()) + self.inbox.len(),
            running: self.counters.running(),
            done: self.counters.done(),
            busy: self.counters.busy(),
            alive: !self.is_over(),
        }
    }
}
