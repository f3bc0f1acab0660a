use std::{
    future::Future,
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use thrasks_loop::{JoinError, Keeper};
use thrasks_sched::Reason;

use super::{core::Core, core::Member};
use crate::{
    ChildError, Enclosed, Enclosure, Failure, Panic,
    sync::{Mutex, lock},
};

/// One child: its factory, and what its task, its handle and its group share. In one, so that a child
/// is one allocation, and on the loop another one for its future.
///
/// Nothing of the user's runs, and nothing of it is dropped, with the lock held (cloning the
/// joiner's waker excepted).
pub(crate) struct Child<F, T, E> {
    core: Arc<Core<E>>,
    /// Which of the group's children it is.
    order: u64,
    state: Mutex<State<F, T>>,
}

struct State<F, T> {
    /// Until a loop begins with it, or it is given up.
    factory: Option<F>,
    cancelled: bool,
    turn: Turn,
    /// Where it is in the group's list, once it has had to wait for something; `UNLISTED` before.
    listed: usize,
    /// Makes its loop come to it, once it has had to wait.
    task: Option<Waker>,
    value: Value<T>,
}

/// No place: a list as long as that fits into no memory.
const UNLISTED: usize = usize::MAX;

/// Where a child stands with its group's limit.
enum Turn {
    /// It does not count as alive: it waits, it has ended, or there is no limit.
    Out,
    /// Whoever took it from the line is giving it to the pool. Its end, which may come before that
    /// call returns, and inside of it, leaves the next one to that caller.
    Starting,
    /// It counts as alive: its end starts the next one.
    Counted,
}

enum Value<T> {
    Pending(Option<Waker>),
    /// Pending, and nobody wants it.
    Unwanted,
    Ready(Result<T, ChildError>),
    Gone,
}

/// A child, seen from its handle.
pub(crate) trait Handle<T>: Send + Sync {
    #[track_caller]
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, ChildError>>;
    fn is_finished(&self) -> bool;
    fn cancel(&self);
    fn disown(&self);
}

impl<F, T, E> Child<F, T, E> {
    /// The child that the group has counted in as this one.
    pub(crate) fn new(core: Arc<Core<E>>, order: u64, factory: F) -> Self {
        Self {
            core,
            order,
            state: Mutex::new(State {
                factory: Some(factory),
                cancelled: false,
                turn: Turn::Out,
                listed: UNLISTED,
                task: None,
                value: Value::Pending(None),
            }),
        }
    }

    /// Whether it is to end without having begun.
    pub(crate) fn is_unwanted(&self) -> bool {
        lock(&self.state).cancelled || self.core.state.is_aborting()
    }

    /// It counts as alive from now on, before the pool is given it.
    pub(crate) fn count(&self) {
        lock(&self.state).turn = Turn::Counted;
    }

    /// The pool is about to be given it, by one who goes on to the next if it does not start.
    pub(crate) fn starting(&self) {
        lock(&self.state).turn = Turn::Starting;
    }

    /// The pool has been given it. Returns whether it counts as alive: not if it has ended already.
    ///
    /// The lock orders this and its end: the one that comes second starts the next child.
    pub(crate) fn started(&self) -> bool {
        let mut state = lock(&self.state);
        let starting = matches!(state.turn, Turn::Starting);
        if starting {
            state.turn = Turn::Counted;
        }
        starting
    }

    /// The pool has not taken it; its task is about to be dropped.
    pub(crate) fn reject(&self, reason: Reason) {
        self.core.reject(self.order, reason);
    }

    /// The pool has not taken it, and it was none: its factory, if no loop has begun with it.
    pub(crate) fn reclaim(&self) -> Option<F> {
        let mut state = lock(&self.state);
        state.cancelled = true;
        state.factory.take()
    }

    /// It ends before it begins, or before it is polled again. The lock orders this and
    /// [`waits`](Keeper::waits): either that finds the request, or this the waker.
    pub(crate) fn request_cancel(&self) {
        let mut state = lock(&self.state);
        state.cancelled = true;
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Leaves the outcome for the handle, and the child does not count as alive any more. Gives back
    /// what is to be done about it, unlocked.
    fn settle(&self, outcome: Result<T, ChildError>) -> Settled<T> {
        let mut state = lock(&self.state);
        let counted = matches!(mem::replace(&mut state.turn, Turn::Out), Turn::Counted);
        let (unwanted, joiner) = match mem::replace(&mut state.value, Value::Gone) {
            Value::Pending(joiner) => {
                state.value = Value::Ready(outcome);
                (None, joiner)
            }
            _ => (Some(outcome), None),
        };
        let listed = Some(state.listed).filter(|place| *place != UNLISTED);
        // The executor's waker keeps the executor's task, and that this.
        Settled { unwanted, joiner, counted, listed, _task: state.task.take() }
    }

    /// How a child ended that was dropped, begun or not.
    fn dropped(&self) -> Option<Failure<E>> {
        let mut state = lock(&self.state);
        let factory = state.factory.take();
        let cancelled = state.cancelled || self.core.state.is_aborting();
        drop(state);
        let rejection = self.core.rejection(self.order);
        match Panic::catch(|| drop(factory)) {
            Err(panic) => Some(Failure::Panicked(panic)),
            Ok(()) if cancelled => None,
            Ok(()) => Some(rejection.map_or(Failure::Lost, Failure::Rejected)),
        }
    }
}

/// What is left to do when a child has settled.
struct Settled<T> {
    unwanted: Option<Result<T, ChildError>>,
    joiner: Option<Waker>,
    /// It counted as alive: the next one's turn has come.
    counted: bool,
    /// Its place in the group's list.
    listed: Option<usize>,
    _task: Option<Waker>,
}

impl<F, Fut, T, E> Keeper for Child<F, T, E>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    type Output = Result<T, E>;
    type Future = Enclosed<F, Fut, Self>;

    fn begin(self: &Arc<Self>, _key: usize) -> Option<Self::Future> {
        if self.core.state.is_aborting() {
            return None;
        }
        let mut state = lock(&self.state);
        let factory = if state.cancelled { None } else { state.factory.take() };
        drop(state);
        factory.map(|factory| Enclosed::new(factory, self.clone()))
    }

    // The waker is left before the child is listed, so whoever finds it in the list finds the waker;
    // and who aborts the group before it is listed has it found here.
    fn waits(self: &Arc<Self>, _key: usize, waker: &Waker) -> bool {
        let mut state = lock(&self.state);
        if !state.task.as_ref().is_some_and(|old| old.will_wake(waker)) {
            // Both are the executor's: dropping the old one runs no code of the user's.
            state.task = Some(waker.clone());
        }
        let (cancelled, listed) = (state.cancelled, state.listed != UNLISTED);
        drop(state);
        if cancelled || listed {
            return cancelled;
        }
        match self.core.state.list(self.order, self.clone()) {
            Ok(place) => {
                lock(&self.state).listed = place;
                false
            }
            Err(_this) => true,
        }
    }

    fn ended(self: Arc<Self>, _key: usize, outcome: Result<Result<T, E>, JoinError>) {
        let core = &self.core;
        let (outcome, mut failure) = match outcome.map_err(JoinError::try_into_panic) {
            Ok(Ok(value)) => (Ok(value), None),
            Ok(Err(error)) => (Err(ChildError::Failed), Some(Failure::Error(error))),
            Err(Ok(payload)) => {
                (Err(ChildError::Panicked), Some(Failure::Panicked(Panic::new(payload))))
            }
            Err(Err(_dropped)) => match self.dropped() {
                None => (Err(ChildError::Cancelled), None),
                Some(Failure::Panicked(panic)) => {
                    (Err(ChildError::Panicked), Some(Failure::Panicked(panic)))
                }
                failure => (Err(ChildError::Lost), failure),
            },
        };
        // Before the handle learns of it: who awaits it in the group is cancelled by then.
        if failure.is_some() {
            core.fail();
        }
        let Settled { unwanted, joiner, counted, listed, _task } = self.settle(outcome);
        if let Err(panic) = Panic::catch(|| drop(unwanted)) {
            failure = Some(Failure::Panicked(panic));
            core.fail();
        }
        if counted {
            core.start_next();
        }
        if let Some(joiner) = joiner {
            // A waker that panics is its owner's loss, not the group's.
            let _ = Panic::catch(|| joiner.wake());
        }
        if let Some(failure) = failure {
            core.state.note(self.order, failure);
        }
        if let Some(place) = listed {
            drop(core.state.unlist(place));
        }
        core.leave();
    }
}

impl<F, T, E> Enclosure for Child<F, T, E>
where
    F: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn hold(&self) {
        self.core.state.hold();
    }

    fn release(&self) {
        self.core.leave();
    }
}

impl<F: Send, T: Send, E: Send> Member for Child<F, T, E> {
    fn cancel(&self) {
        self.request_cancel();
    }
}

impl<F: Send, T: Send, E: Send> Handle<T> for Child<F, T, E> {
    #[track_caller]
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, ChildError>> {
        let mut state = lock(&self.state);
        match &mut state.value {
            Value::Pending(joiner) => {
                let old = if joiner.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
                    None
                } else {
                    joiner.replace(cx.waker().clone())
                };
                drop(state);
                drop(old);
                Poll::Pending
            }
            value => match mem::replace(value, Value::Gone) {
                Value::Ready(outcome) => Poll::Ready(outcome),
                _ => panic!("a GroupHandle was polled after it had given its outcome"),
            },
        }
    }

    fn is_finished(&self) -> bool {
        matches!(lock(&self.state).value, Value::Ready(_) | Value::Gone)
    }

    fn cancel(&self) {
        self.request_cancel();
    }

    fn disown(&self) {
        let mut state = lock(&self.state);
        let new = match state.value {
            Value::Pending(_) => Value::Unwanted,
            _ => Value::Gone,
        };
        let old = mem::replace(&mut state.value, new);
        drop(state);
        drop(old);
    }
}
