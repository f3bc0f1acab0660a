use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering, fence},
    },
    task::Waker,
    thread::ThreadId,
    time::{Duration, Instant},
};

use event_listener::{Event, Listener as _};
use thrasks_sched::Scheduler;

use crate::{Inbox, LoopStats, counters::Counters, sync::lock};

/// A loop's place at a scheduler: it serves it as this worker.
pub(crate) struct Seat<J> {
    pub(crate) scheduler: Arc<dyn Scheduler<J>>,
    pub(crate) worker: usize,
    /// How many loops of that scheduler still run.
    pub(crate) alive: Arc<AtomicUsize>,
}

impl<J> Clone for Seat<J> {
    fn clone(&self) -> Self {
        Self { scheduler: self.scheduler.clone(), worker: self.worker, alive: self.alive.clone() }
    }
}

/// What the loop's thread and everybody who knows the loop share.
pub(crate) struct Shared<J> {
    name: String,
    pub(crate) inbox: Inbox<J>,
    pub(crate) counters: Counters,
    seat: Mutex<Option<Seat<J>>>,
    /// Bumped, with the lock on `seat` held, whenever the seat changes.
    seat_epoch: AtomicUsize,
    stopping: AtomicBool,
    exited: AtomicBool,
    exit: Event,
    /// Somebody waits for the running jobs to end, on `drained`.
    draining: AtomicBool,
    pub(crate) drained: Event,
    thread: Mutex<Option<ThreadId>>,
}

impl<J> Shared<J> {
    pub(crate) fn new(name: String, waker: Waker) -> Self {
        Self {
            name,
            inbox: Inbox::new(waker),
            counters: Counters::default(),
            seat: Mutex::new(None),
            seat_epoch: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            exited: AtomicBool::new(false),
            exit: Event::new(),
            draining: AtomicBool::new(false),
            drained: Event::new(),
            thread: Mutex::new(None),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn seat_epoch(&self) -> usize {
        self.seat_epoch.load(Ordering::Acquire)
    }

    pub(crate) fn seat(&self) -> (usize, Option<Seat<J>>) {
        let seat = lock(&self.seat);
        (self.seat_epoch.load(Ordering::Relaxed), seat.clone())
    }

    /// Moves the loop to another seat, or to none.
    pub(crate) fn set_seat(&self, new: Option<Seat<J>>) {
        let old = {
            let mut seat = lock(&self.seat);
            self.seat_epoch.fetch_add(1, Ordering::Release);
            std::mem::replace(&mut *seat, new)
        };
        // Outside the lock: the last reference to a scheduler drops the jobs in it.
        drop(old);
        self.inbox.notify();
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.inbox.notify();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn has_exited(&self) -> bool {
        self.exited.load(Ordering::SeqCst)
    }

    /// Called on the loop's thread, before its driver runs.
    pub(crate) fn entered(&self) {
        *lock(&self.thread) = Some(std::thread::current().id());
    }

    /// Called on the loop's thread once its driver has ended, however it ended.
    pub(crate) fn exit(&self) {
        self.inbox.close();
        while let Some(job) = self.inbox.pop() {
            drop(job);
        }
        // SeqCst, as in `bury`: either the one who pushed sees that the loop has exited, or the
        // loop sees what was pushed.
        self.exited.store(true, Ordering::SeqCst);
        self.bury();
        if let (_, Some(seat)) = self.seat()
            && seat.alive.fetch_sub(1, Ordering::AcqRel) == 1
        {
            // The last loop: nobody is left to take what lies in a queue that the loops shared.
            drop(seat.scheduler.close());
        }
        self.exit.notify(usize::MAX);
        self.drained.notify(usize::MAX);
    }

    /// Drops the jobs that wait for this loop at its scheduler, once the loop has exited: nobody
    /// else would take them, and whoever waits for one of them would wait for ever.
    pub(crate) fn bury(&self) {
        if !self.has_exited() {
            return;
        }
        // `Scheduler::pop` wants one thread at a time for a worker. The loop's own thread is past
        // its last `pop`, and those who come here take turns.
        let seat = lock(&self.seat);
        let mut dead = Vec::new();
        if let Some(seat) = &*seat {
            while let Some(job) = seat.scheduler.pop(seat.worker) {
                dead.push(job);
                seat.scheduler.finish(seat.worker);
            }
        }
        drop(seat);
        drop(dead);
    }

    pub(crate) fn is_this_thread(&self) -> bool {
        *lock(&self.thread) == Some(std::thread::current().id())
    }

    /// Blocks until the thread has exited, or the deadline has passed. Returns whether it exited.
    pub(crate) fn wait_exit(&self, deadline: Option<Instant>) -> bool {
        wait(&self.exit, deadline, || self.has_exited())
    }

    pub(crate) async fn exited(&self) {
        while !self.has_exited() {
            let listener = self.exit.listen();
            if self.has_exited() {
                return;
            }
            listener.await;
        }
    }

    /// The loop found nothing to take: wakes whoever waits for that.
    pub(crate) fn went_idle(&self) {
        // Pairs with the fence in `wait_drained`: either the waiter's look at the counters sees
        // what this loop has done, or this loop sees that somebody waits.
        fence(Ordering::SeqCst);
        if self.draining.load(Ordering::Relaxed) {
            self.drained.notify(usize::MAX);
        }
    }

    /// Blocks until no job runs here and `queued` says that none waits either.
    pub(crate) fn wait_drained(&self, deadline: Instant, queued: impl Fn() -> bool) -> bool {
        self.draining.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        wait(&self.drained, Some(deadline), || {
            self.has_exited() || (self.counters.running() == 0 && !queued())
        })
    }

    pub(crate) fn stats(&self) -> LoopStats {
        let (_, seat) = self.seat();
        let running = self.counters.running();
        let load = seat.and_then(|seat| seat.scheduler.load(seat.worker)).unwrap_or(running);
        LoopStats {
            name: self.name.clone(),
            queued: load.saturating_sub(running) + self.inbox.len(),
            running,
            done: self.counters.done(),
            busy: self.counters.busy(),
            alive: !self.has_exited(),
        }
    }
}

fn wait(event: &Event, deadline: Option<Instant>, done: impl Fn() -> bool) -> bool {
    loop {
        if done() {
            return true;
        }
        let listener = event.listen();
        // Between the look above and the listening the event may have come.
        if done() {
            return true;
        }
        match deadline {
            None => listener.wait(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left == Duration::ZERO || listener.wait_timeout(left).is_none() {
                    return done();
                }
            }
        }
    }
}
