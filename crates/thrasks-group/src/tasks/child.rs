use std::{
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use thrasks_loop::JoinHandle;
use thrasks_sched::Reason;

use super::{core::Core, core::Member, seat::Seat};
use crate::{
    ChildError, Enclosure, Failure, Outcome, Panic, Supervisor,
    sync::{Mutex, OnceLock, lock},
};

/// One child: what its task, its handle and its group share.
pub(crate) struct Child<T, E> {
    pub(crate) seat: Seat<E>,
    /// Set when the pool has taken the task; how to cancel it then.
    pub(crate) task: OnceLock<JoinHandle<()>>,
    state: Mutex<State<T>>,
}

struct State<T> {
    cancelled: bool,
    turn: Turn,
    /// Why the pool did not take it.
    rejection: Option<Reason>,
    value: Value<T>,
}

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

impl<T, E> Child<T, E> {
    pub(crate) fn new(core: Arc<Core<E>>) -> Self {
        Self {
            seat: Seat::new(core),
            task: OnceLock::new(),
            state: Mutex::new(State {
                cancelled: false,
                turn: Turn::Out,
                rejection: None,
                value: Value::Pending(None),
            }),
        }
    }

    /// The pool has taken it.
    pub(crate) fn attach(&self, task: JoinHandle<()>) {
        let _ = self.task.set(task);
        // The lock orders this and `cancel`: either that one finds the task, or this its request.
        if self.is_cancelled()
            && let Some(task) = self.task.get()
        {
            task.cancel();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        lock(&self.state).cancelled
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
        lock(&self.state).rejection = Some(reason);
    }

    fn request_cancel(&self) {
        lock(&self.state).cancelled = true;
        if let Some(task) = self.task.get() {
            task.cancel();
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
        Settled { unwanted, joiner, counted }
    }
}

/// What is left to do when a child has settled.
struct Settled<T> {
    unwanted: Option<Result<T, ChildError>>,
    joiner: Option<Waker>,
    /// It counted as alive: the next one's turn has come.
    counted: bool,
}

impl<T, E> Supervisor<Result<T, E>> for Child<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    fn ended(self: Arc<Self>, _key: usize, outcome: Outcome<Result<T, E>>) {
        let core = &self.seat.core;
        let (outcome, mut failure) = match outcome {
            Outcome::Done(Ok(value)) => (Ok(value), None),
            Outcome::Done(Err(error)) => (Err(ChildError::Failed), Some(Failure::Error(error))),
            Outcome::Panicked(panic) => (Err(ChildError::Panicked), Some(Failure::Panicked(panic))),
            Outcome::Dropped => {
                let mut state = lock(&self.state);
                match (state.cancelled, state.rejection.take()) {
                    (true, _) => (Err(ChildError::Cancelled), None),
                    (false, Some(reason)) => {
                        (Err(ChildError::Lost), Some(Failure::Rejected(reason)))
                    }
                    (false, None) => (Err(ChildError::Lost), Some(Failure::Lost)),
                }
            }
        };
        // Before the handle learns of it: who awaits it in the group is cancelled by then.
        if failure.is_some() {
            core.fail();
        }
        let Settled { unwanted, joiner, counted } = self.settle(outcome);
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
        self.seat.end(failure);
    }

    fn wants(&self, _key: usize) -> bool {
        !self.is_cancelled()
    }
}

impl<T, E> Enclosure for Child<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    fn hold(&self) {
        self.seat.hold();
    }

    fn release(&self) {
        self.seat.release();
    }
}

impl<T: Send, E: Send> Member for Child<T, E> {
    fn cancel(&self) {
        self.request_cancel();
    }
}

impl<T: Send, E: Send> Handle<T> for Child<T, E> {
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
