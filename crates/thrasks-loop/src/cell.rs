use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{
    JoinError,
    quiet::quietly,
    sync::{Mutex, MutexGuard, lock},
};

/// Where the loop leaves the outcome of a task and the handle finds it.
///
/// Nothing of the user's runs, and nothing of it is dropped, with the lock held (cloning the
/// joiner's waker excepted).
pub(crate) struct Cell<T> {
    state: Mutex<State<T>>,
}

enum State<T> {
    Pending {
        /// A loop has begun with it. Before that, to cancel it is to end it.
        begun: bool,
        cancelled: bool,
        /// Makes the loop poll the task.
        task: Option<Waker>,
        joiner: Option<Waker>,
    },
    Done(Result<T, JoinError>),
    Taken,
}

impl<T> Cell<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State::Pending {
                begun: false,
                cancelled: false,
                task: None,
                joiner: None,
            }),
        }
    }

    /// A loop begins with the task, and polls it with this waker. Returns whether it may: not when
    /// the task was cancelled.
    pub(crate) fn begin(&self, waker: &Waker) -> bool {
        match &mut *lock(&self.state) {
            State::Pending { begun, task, .. } => {
                *begun = true;
                *task = Some(waker.clone());
                true
            }
            _ => false,
        }
    }

    /// Asks the task to end, if it has not: it is dropped before its next poll. One that no loop
    /// has begun with ends here and now.
    pub(crate) fn cancel(&self) {
        let mut state = lock(&self.state);
        let State::Pending { begun, cancelled, task, .. } = &mut *state else { return };
        if *begun {
            *cancelled = true;
            let task = task.take();
            drop(state);
            if let Some(waker) = task {
                waker.wake();
            }
        } else {
            Self::end(state, Err(JoinError::cancelled()));
        }
    }

    /// The task is about to be polled again, with this waker. Returns whether it was cancelled.
    pub(crate) fn enlist(&self, waker: &Waker) -> bool {
        match &mut *lock(&self.state) {
            State::Pending { cancelled, task, .. } => {
                if !task.as_ref().is_some_and(|old| old.will_wake(waker)) {
                    // Both are the executor's: dropping the old one runs no code of the user's.
                    *task = Some(waker.clone());
                }
                *cancelled
            }
            _ => false,
        }
    }

    /// Leaves the outcome, if there is none yet.
    pub(crate) fn complete(&self, outcome: Result<T, JoinError>) {
        Self::end(lock(&self.state), outcome);
    }

    fn end(mut state: MutexGuard<'_, State<T>>, outcome: Result<T, JoinError>) {
        let State::Pending { task, joiner, .. } = &mut *state else { return };
        let (task, joiner) = (task.take(), joiner.take());
        *state = State::Done(outcome);
        drop(state);
        drop(task);
        if let Some(waker) = joiner {
            // A waker that panics is its owner's loss. Not the loop's, which ends tasks in drops.
            quietly(|| waker.wake());
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        !matches!(*lock(&self.state), State::Pending { .. })
    }

    #[track_caller]
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let mut state = lock(&self.state);
        match &mut *state {
            State::Pending { joiner, .. } => {
                let old = if joiner.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
                    None
                } else {
                    joiner.replace(cx.waker().clone())
                };
                drop(state);
                drop(old);
                Poll::Pending
            }
            State::Done(_) => match std::mem::replace(&mut *state, State::Taken) {
                State::Done(outcome) => Poll::Ready(outcome),
                _ => unreachable!("matched just above"),
            },
            State::Taken => {
                drop(state);
                panic!("a JoinHandle was polled after it had given its outcome")
            }
        }
    }
}

/// The duty to leave an outcome: dropped without one, it leaves `Cancelled`.
pub(crate) struct Promise<T> {
    cell: Arc<Cell<T>>,
}

impl<T> Promise<T> {
    pub(crate) fn new(cell: Arc<Cell<T>>) -> Self {
        Self { cell }
    }

    pub(crate) fn cell(&self) -> &Cell<T> {
        &self.cell
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.cell.complete(Err(JoinError::cancelled()));
    }
}
