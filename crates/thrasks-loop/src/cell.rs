use std::{
    future::Future,
    panic::RefUnwindSafe,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{
    JoinError, Keeper,
    quiet::quietly,
    sync::{Mutex, MutexGuard, lock},
    traced::Traced,
};

/// A task as the pool and the handle share it: first the factory, then where the loop leaves the
/// outcome and the handle finds it. In one, so that a task is one allocation; the handle, which is
/// mostly the last to let go of it, frees it on the thread that made it.
///
/// Nothing of the user's runs, and nothing of it is dropped, with the lock held (cloning the
/// joiner's waker excepted).
pub(crate) struct Cell<F, T> {
    inner: Mutex<Inner<F, T>>,
    traced: Traced,
}

struct Inner<F, T> {
    /// Until a loop begins with the task, or it is given up. As long as it is there, to cancel the
    /// task is to end it.
    factory: Option<F>,
    state: State<T>,
}

enum State<T> {
    Pending {
        cancelled: bool,
        /// Makes the loop poll the task.
        task: Option<Waker>,
        joiner: Option<Waker>,
    },
    Done(Result<T, JoinError>),
    Taken,
}

/// A cell as it is seen by the handle, which need not know what the task was made of.
pub(crate) trait Slot<T>: Send + Sync + RefUnwindSafe {
    /// Asks the task to end, if it has not: it is dropped before its next poll. One that no loop
    /// has begun with ends here and now.
    fn cancel(&self);

    fn is_done(&self) -> bool;

    /// Gives the outcome, once.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>>;
}

impl<F, T> Cell<F, T> {
    pub(crate) fn new(factory: F) -> Self {
        let state = State::Pending { cancelled: false, task: None, joiner: None };
        let inner = Mutex::new(Inner { factory: Some(factory), state });
        Self { inner, traced: Traced::accept_cell() }
    }

    pub(crate) fn traced(&self) -> Traced {
        self.traced
    }

    /// A loop begins with the task. Gives nothing when the task was cancelled.
    fn take_to_begin(&self) -> Option<F> {
        let mut inner = lock(&self.inner);
        let factory = inner.factory.take();
        let is_pending = matches!(inner.state, State::Pending { .. });
        drop(inner);
        factory.filter(|_| is_pending)
    }

    /// Takes the factory of a task that will not begin.
    pub(crate) fn take_factory(&self) -> Option<F> {
        lock(&self.inner).factory.take()
    }

    fn end(&self, mut inner: MutexGuard<'_, Inner<F, T>>, outcome: Result<T, JoinError>) {
        let State::Pending { task, joiner, .. } = &mut inner.state else { return };
        let (task, joiner) = (task.take(), joiner.take());
        self.traced.end(&outcome);
        inner.state = State::Done(outcome);
        drop(inner);
        drop(task);
        if let Some(waker) = joiner {
            // A waker that panics is its owner's loss. Not the loop's, which ends tasks in drops.
            quietly(|| waker.wake());
        }
    }
}

impl<F: Send, T: Send> Slot<T> for Cell<F, T> {
    fn cancel(&self) {
        let mut inner = lock(&self.inner);
        let begun = inner.factory.is_none();
        let State::Pending { cancelled, task, .. } = &mut inner.state else { return };
        self.traced.request_cancel();
        if begun {
            *cancelled = true;
            let task = task.take();
            drop(inner);
            if let Some(waker) = task {
                waker.wake();
            }
        } else {
            self.traced.rename::<F>();
            self.end(inner, Err(JoinError::cancelled()));
        }
    }

    fn is_done(&self) -> bool {
        !matches!(lock(&self.inner).state, State::Pending { .. })
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let mut inner = lock(&self.inner);
        match &mut inner.state {
            State::Pending { joiner, .. } => {
                let old = if joiner.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
                    None
                } else {
                    joiner.replace(cx.waker().clone())
                };
                drop(inner);
                drop(old);
                Poll::Pending
            }
            state => match std::mem::replace(state, State::Taken) {
                State::Done(outcome) => Poll::Ready(outcome),
                _ => unreachable!("the handle lets go of the cell when it has the outcome"),
            },
        }
    }
}

impl<F, Fut, T> Keeper for Cell<F, T>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T> + 'static,
    T: Send + 'static,
{
    type Output = T;
    type Future = Fut;

    fn begin(self: &Arc<Self>, _key: usize) -> Option<Fut> {
        let factory = self.take_to_begin()?;
        self.traced.begin::<Fut>();
        Some(factory())
    }

    fn waits(self: &Arc<Self>, _key: usize, waker: &Waker) -> bool {
        match &mut lock(&self.inner).state {
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

    /// Leaves the outcome, if there is none yet. With nobody waiting, it is dropped in here.
    fn ended(self: Arc<Self>, _key: usize, outcome: Result<T, JoinError>) {
        let mut inner = lock(&self.inner);
        match inner.factory.take() {
            None => self.end(inner, outcome),
            Some(factory) => {
                drop(inner);
                self.traced.rename::<F>();
                // Left after the factory is gone, also when the drop of that panics.
                let _leave = Leave(&self, Some(outcome));
                drop(factory);
            }
        }
    }
}

/// Leaves an outcome when it is dropped.
struct Leave<'a, F, T>(&'a Cell<F, T>, Option<Result<T, JoinError>>);

impl<F, T> Drop for Leave<'_, F, T> {
    fn drop(&mut self) {
        if let Some(outcome) = self.1.take() {
            self.0.end(lock(&self.0.inner), outcome);
        }
    }
}
