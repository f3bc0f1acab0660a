use thrasks_group::{Hold, Panic};
use thrasks_loop::{LoopPool, Task};
use thrasks_sched::{Limit, Reason};

use crate::sync::{AtomicBool, AtomicUsize, Event, Mutex, Ordering, lock};

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
    /// The tasks that are being given to the pool now, by whose end made room for them.
    starting: Mutex<Vec<usize>>,
}

impl Common {
    pub(crate) fn new(pool: &LoopPool, limit: Option<usize>) -> Self {
        let gate = limit.map(|size| Gate {
            limit: Limit::new(size),
            size,
            pool: pool.clone(),
            low: size / 2,
            exhausted: AtomicBool::new(false),
            starting: Mutex::new(Vec::new()),
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

    /// The task `ended` has ended: where there is a limit, the next one may start.
    pub(crate) fn start_next(&self, ended: usize) {
        let Some(gate) = &self.gate else { return };
        if gate.has_left(ended) {
            return;
        }
        // A loop, not a recursion: each one that does not start makes room for another.
        while !self.is_stopped()
            && let Some((index, task)) = gate.limit.leave()
        {
            lock(&gate.starting).push(index);
            match Panic::catch(|| gate.pool.submit(task)) {
                Ok(Ok(())) => {}
                Ok(Err(rejected)) => {
                    let (task, reason) = rejected.into_parts();
                    self.note(index, reason);
                    drop(task);
                }
                // The scheduler's. It has dropped the task, or holds it for a loop to come to.
                Err(_panic) => {}
            }
            if gate.has_left(index) {
                break;
            }
        }
        if self.is_stopped() {
            drop(gate.limit.drain());
            return;
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
    }
}

impl Gate {
    /// Called for a task that is being given to the pool twice: when it has ended, which may be
    /// before that call returns, and inside of it; and by who gave it. The first call is told that
    /// the task has left that state only now: the second one starts the next task.
    fn has_left(&self, index: usize) -> bool {
        let mut starting = lock(&self.starting);
        let at = starting.iter().position(|of| *of == index);
        at.map(|at| starting.swap_remove(at)).is_some()
    }
}
