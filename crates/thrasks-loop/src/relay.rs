use std::{
    sync::Arc,
    task::{Wake, Waker},
};

use crate::sync::{AtomicBool, Mutex, Ordering, fence, lock};

/// What a task is polled with the first time, before the executor has it: most tasks are over after
/// that, and never need a waker of their own.
///
/// # Why no wake-up is lost
///
/// A wake-up sets `woken`, then looks for the target, under the lock. [`Heard::pass_on`] leaves the
/// target, under the lock, then looks at `woken`. Whoever takes the lock second sees what the other
/// one did before: either the wake-up finds the target and wakes it, or the task finds that it was
/// woken. It may find that early, when it has the lock first, and then be woken once more: `woken`
/// is released and acquired so that what it was woken for is seen at once then, too.
#[derive(Default)]
pub(crate) struct Relay {
    woken: AtomicBool,
    /// Whom to wake, once the executor has the task.
    target: Mutex<Option<Waker>>,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let target = lock(&self.target).clone();
        if let Some(target) = target {
            target.wake();
        }
    }
}

/// A relay that no task has.
pub(crate) struct Spare {
    relay: Arc<Relay>,
    waker: Waker,
}

/// What became of a relay in a task's first poll.
pub(crate) enum Heard {
    /// The task did not keep its waker, and was not woken.
    Nothing,
    /// The task was woken, and did not keep its waker.
    Woken,
    /// The task, or somebody else, may wake by it yet.
    Kept(Arc<Relay>),
}

impl Spare {
    pub(crate) fn new() -> Self {
        let relay = Arc::new(Relay::default());
        Self { waker: relay.clone().into(), relay }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// After the poll: what the task has heard, and the relay for the next one if this one is not
    /// in use.
    pub(crate) fn hear(self) -> (Heard, Option<Self>) {
        // Two are here, and only this thread could clone them.
        if Arc::strong_count(&self.relay) > 2 {
            return (Heard::Kept(self.relay), None);
        }
        // Each reference that is gone was dropped with a release: what was done through it, on
        // another thread, came before this.
        fence(Ordering::Acquire);
        if self.relay.woken.load(Ordering::Relaxed) {
            self.relay.woken.store(false, Ordering::Relaxed);
            (Heard::Woken, Some(self))
        } else {
            (Heard::Nothing, Some(self))
        }
    }
}

impl Heard {
    /// From now on the task is woken by `waker`. Returns whether it has been woken before.
    pub(crate) fn pass_on(self, waker: &Waker) -> bool {
        match self {
            Self::Nothing => false,
            Self::Woken => true,
            Self::Kept(relay) => {
                // Nobody else leaves one: nothing is dropped with the lock held.
                *lock(&relay.target) = Some(waker.clone());
                relay.woken.load(Ordering::Acquire)
            }
        }
    }
}
