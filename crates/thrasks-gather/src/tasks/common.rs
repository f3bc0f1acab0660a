use std::{
    mem,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use event_listener::Event;
use thrasks_group::Hold;
use thrasks_loop::{LoopPool, Task};
use thrasks_sched::{Limit, Reason};

use crate::sync::lock;

/// What all tasks of one gather and its future share.
pub(crate) struct Common {
    /// How many batches have tasks that have not ended, and how many holds there are on them.
    open: AtomicUsize,
    /// Whether what has not been started is not to be any more.
    stopped: AtomicBool,
    /// The index of the task that failed first; `usize::MAX` if none did.
    first_failure: AtomicUsize,
    /// Wakes the future: all has ended, something failed, or the backlog runs low.
    pub(crate) wake: Event,
    /// Why the pool did not take some tasks, by index, until they are dropped.
    reasons: Mutex<Vec<(usize, Reason)>>,
    pub(crate) gate: Option<Gate>,
    /// What the gather runs in has not ended before its last task. Released by the drop of this.
    _enclosing: Option<Hold>,
}

/// What keeps a limited gather to its limit.
pub(crate) struct Gate {
    pub(crate) limit: Limit<(usize, Task)>,
    size: usize,
    pool: LoopPool,
    /// The future is to refill the backlog when so few wait in it.
    low: usize,
    /// The future has no more to refill it with.
    exhausted: AtomicBool,
    /// Tasks that were to start and that the pool did not take, for the future to drop.
    refused: Mutex<Vec<Task>>,
}

impl Common {
    pub(crate) fn new(pool: &LoopPool, limit: Option<usize>) -> Self {
        let gate = limit.map(|size| Gate {
            limit: Limit::new(size),
            size,
            pool: pool.clone(),
            low: size / 2,
            exhausted: AtomicBool::new(false),
            refused: Mutex::new(Vec::new()),
        });
        Self {
            open: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            first_failure: AtomicUsize::new(usize::MAX),
            wake: Event::new(),
            reasons: Mutex::new(Vec::new()),
            gate,
            _enclosing: Hold::current(),
        }
    }

    pub(crate) fn open(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// One batch or hold less. The last one wakes the future, and makes all they left visible to
    /// it.
    pub(crate) fn close(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.wake.notify(usize::MAX);
        }
    }

    pub(crate) fn all_closed(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Lets nothing start any more. Returns whether that was so before.
    pub(crate) fn stop(&self) -> bool {
        self.stopped.swap(true, Ordering::AcqRel)
    }

    /// A task failed, and the others are to be cancelled.
    pub(crate) fn fail(&self, index: usize) {
        if !self.stop() {
            self.first_failure.store(index, Ordering::Release);
            self.wake.notify(usize::MAX);
        }
    }

    pub(crate) fn first_failure(&self) -> Option<usize> {
        Some(self.first_failure.load(Ordering::Acquire)).filter(|index| *index != usize::MAX)
    }

    /// The pool did not take this task, which is about to be dropped.
    pub(crate) fn note(&self, index: usize, reason: Reason) {
        lock(&self.reasons).push((index, reason));
    }

    /// Why the pool did not take this task, if that is how it ended.
    pub(crate) fn reason(&self, index: usize) -> Option<Reason> {
        let mut reasons = lock(&self.reasons);
        let at = reasons.iter().position(|(of, _)| *of == index)?;
        Some(reasons.swap_remove(at).1)
    }

    /// A task has ended: where there is a limit, the next one may start.
    pub(crate) fn start_next(&self) {
        let Some(gate) = &self.gate else { return };
        if self.is_stopped() {
            drop(gate.limit.drain());
            return;
        }
        if let Some((index, task)) = gate.limit.leave()
            && let Err(rejected) = gate.pool.submit(task)
        {
            let (task, reason) = rejected.into_parts();
            self.note(index, reason);
            // Not dropped here: its end would start the next one, in a recursion as deep as the
            // backlog is long where the pool is closed.
            lock(&gate.refused).push(task);
            self.wake.notify(usize::MAX);
            if self.is_stopped() {
                // The future may be gone, with nobody else to do it. Nothing starts any more.
                self.drop_refused();
            }
        }
        if gate.limit.waiting() <= gate.low && !gate.exhausted.load(Ordering::Acquire) {
            self.wake.notify(usize::MAX);
        }
    }

    /// How many more tasks may be made now; `None` for as many as there are.
    pub(crate) fn room(&self) -> Option<usize> {
        let gate = self.gate.as_ref()?;
        let waiting = gate.limit.waiting();
        if waiting > gate.low {
            return Some(0);
        }
        Some((gate.size - waiting) + gate.size.saturating_sub(gate.limit.alive()))
    }

    pub(crate) fn set_exhausted(&self) {
        if let Some(gate) = &self.gate {
            gate.exhausted.store(true, Ordering::Release);
        }
    }

    /// Drops the tasks that wait for their turn.
    pub(crate) fn drop_backlog(&self) {
        if let Some(gate) = &self.gate {
            drop(gate.limit.drain());
        }
        self.drop_refused();
    }

    /// Drops the tasks that the pool did not take. Each lets another one try.
    pub(crate) fn drop_refused(&self) {
        let Some(gate) = &self.gate else { return };
        loop {
            let refused = mem::take(&mut *lock(&gate.refused));
            if refused.is_empty() {
                return;
            }
            drop(refused);
        }
    }
}
