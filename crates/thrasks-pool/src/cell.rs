use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use thrasks_loop::JoinError;

use crate::{
    channel::Channel,
    quiet::{quietly, wake},
    sync::{Mutex, MutexGuard, lock},
    window::Place,
};

/// Where the worker leaves the outcome of a job and the handle finds it.
///
/// Nothing of the user's runs, and nothing of it is dropped, with the lock held (cloning the
/// joiner's waker excepted).
pub(crate) struct Cell<T> {
    state: Mutex<State<T>>,
}

enum State<T> {
    Pending {
        /// A worker has begun with it. Before that, to cancel it is to end it.
        begun: bool,
        cancelled: bool,
        /// Makes the worker poll the job.
        worker: Option<Waker>,
        joiner: Option<Waker>,
    },
    Done(Result<T, JoinError>),
    /// Given to the handle, or to a window.
    Taken,
}

impl<T> Cell<T> {
    pub(crate) fn new() -> Self {
        let state = State::Pending { begun: false, cancelled: false, worker: None, joiner: None };
        Self { state: Mutex::new(state) }
    }

    /// A worker begins with the job, and polls it with this waker. Returns whether it may: not when
    /// the job was cancelled.
    fn begin(&self, waker: &Waker) -> bool {
        match &mut *lock(&self.state) {
            State::Pending { begun, worker, .. } => {
                *begun = true;
                *worker = Some(waker.clone());
                true
            }
            _ => false,
        }
    }

    /// The job is about to be polled again, with this waker. Returns whether it was cancelled.
    fn enlist(&self, waker: &Waker) -> bool {
        let mut state = lock(&self.state);
        let State::Pending { cancelled, worker, .. } = &mut *state else { return false };
        let cancelled = *cancelled;
        if worker.as_ref().is_some_and(|old| old.will_wake(waker)) {
            return cancelled;
        }
        let old = worker.replace(waker.clone());
        drop(state);
        drop(old);
        cancelled
    }

    /// Asks the job to end, if it has not: it is dropped before its next poll. One that no worker
    /// has begun with ends here and now.
    pub(crate) fn cancel(&self) {
        let mut state = lock(&self.state);
        let State::Pending { begun, cancelled, worker, .. } = &mut *state else { return };
        if *begun {
            *cancelled = true;
            let worker = worker.take();
            drop(state);
            wake(worker);
        } else {
            Self::end(state, State::Done(Err(JoinError::cancelled())));
        }
    }

    fn end(mut state: MutexGuard<'_, State<T>>, to: State<T>) {
        let State::Pending { worker, joiner, .. } = &mut *state else {
            drop(state);
            // An outcome that comes too late is dropped here, and may panic.
            quietly(|| drop(to));
            return;
        };
        let (worker, joiner) = (worker.take(), joiner.take());
        *state = to;
        drop(state);
        drop(worker);
        wake(joiner);
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
                panic!("a TaskHandle was polled after it had given its outcome")
            }
        }
    }
}

/// The duty to leave an outcome: dropped without one, it leaves that the job was cancelled.
pub(crate) struct Promise<T> {
    cell: Arc<Cell<T>>,
    /// Where the outcome goes, if not to the handle.
    place: Option<(Arc<Channel<T>>, Place)>,
    kept: bool,
}

impl<T> Promise<T> {
    pub(crate) fn new(cell: Arc<Cell<T>>, place: Option<(Arc<Channel<T>>, Place)>) -> Self {
        Self { cell, place, kept: false }
    }

    pub(crate) fn begin(&self, cx: &Context<'_>) -> bool {
        self.cell.begin(cx.waker())
    }

    /// Whether the job was cancelled. If not, it is polled with this waker.
    pub(crate) fn is_cancelled(&self, cx: &Context<'_>) -> bool {
        self.cell.enlist(cx.waker())
    }

    pub(crate) fn keep(mut self, outcome: Result<T, JoinError>) {
        self.leave(outcome);
    }

    /// The promise is void: its job is not to be.
    pub(crate) fn withdraw(mut self) {
        self.kept = true;
    }

    fn leave(&mut self, outcome: Result<T, JoinError>) {
        self.kept = true;
        match self.place.take() {
            None => Cell::end(lock(&self.cell.state), State::Done(outcome)),
            Some((channel, place)) => {
                Cell::end(lock(&self.cell.state), State::Taken);
                channel.fill(place, outcome);
            }
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if !self.kept {
            self.leave(Err(JoinError::cancelled()));
        }
    }
}
