use std::{
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use thrasks_loop::JoinError;

use super::{Interrupt, Step};
use crate::{
    quiet::{quietly, wake},
    sync::{Condvar, Mutex, lock, wait},
    waiting::while_waiting,
};

/// What is sent or thrown into a generator.
pub(super) type Message<S, E> = Result<S, E>;
pub(super) type Answer<Y, R> = Result<Step<Y, R>, JoinError>;

/// Where the two sides of a generator meet: at most one message goes in, then at most one answer
/// comes out.
///
/// # Why neither misses the other
///
/// Everything is under one lock. The thread sleeps, letting go of the lock only as it does, if
/// there is neither a message nor a close, and whoever leaves one rings the bell after. The
/// consumer leaves its waker with no answer found, and whoever leaves an answer takes the waker.
///
/// Nothing of the user's runs, and nothing of it is dropped, with the lock held (cloning the
/// consumer's waker excepted).
pub(super) struct Exchange<S, E, Y, R> {
    state: Mutex<State<S, E, Y, R>>,
    bell: Condvar,
}

struct State<S, E, Y, R> {
    message: Option<Message<S, E>>,
    answer: Option<Answer<Y, R>>,
    /// Nobody wants an answer any more.
    closed: bool,
    /// The code has ended, and is gone.
    over: bool,
    /// A panic that is nobody's answer.
    late_error: Option<JoinError>,
    /// The consumer's, waiting for an answer or for the end.
    waiter: Option<Waker>,
}

impl<S, E, Y, R> Exchange<S, E, Y, R> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                message: None,
                answer: None,
                closed: false,
                over: false,
                late_error: None,
                waiter: None,
            }),
            bell: Condvar::new(),
        }
    }

    /// The consumer begins a step.
    pub(super) fn tell(&self, message: Message<S, E>) {
        lock(&self.state).message = Some(message);
        self.bell.notify_one();
    }

    /// The thread waits for what begins its next step.
    pub(super) fn listen(&self, watch: Option<&mut Watch>) -> Result<S, Interrupt<E>> {
        let heard = self.look().unwrap_or_else(|| while_waiting(|| self.wait(watch)));
        match heard {
            Some(Ok(sent)) => Ok(sent),
            Some(Err(thrown)) => Err(Interrupt::Thrown(thrown)),
            None => Err(Interrupt::Closed),
        }
    }

    /// A message, or that there will be none.
    fn wait(&self, mut watch: Option<&mut Watch>) -> Option<Message<S, E>> {
        let next = |watch: &Option<&mut Watch>| {
            watch.as_ref().and_then(|watch| Instant::now().checked_add(watch.every))
        };
        let mut deadline = next(&watch);
        let mut state = lock(&self.state);
        loop {
            if let Some(heard) = heard(&mut state) {
                return heard;
            }
            let late;
            (state, late) = wait(&self.bell, state, deadline);
            if !late {
                continue;
            }
            if let Some(watch) = &mut watch {
                drop(state);
                if !(watch.still)() {
                    self.close();
                }
                state = lock(&self.state);
            }
            deadline = next(&watch);
        }
    }

    fn look(&self) -> Option<Option<Message<S, E>>> {
        heard(&mut lock(&self.state))
    }

    /// The thread answers. Gives the answer back if nobody wants it.
    pub(super) fn answer(&self, answer: Answer<Y, R>) -> Result<(), Answer<Y, R>> {
        let mut state = lock(&self.state);
        if state.closed {
            drop(state);
            return Err(answer);
        }
        state.answer = Some(answer);
        let waiter = state.waiter.take();
        drop(state);
        wake(waiter);
        Ok(())
    }

    /// The code has ended, with an answer for the step under way, if nobody has closed it; an error
    /// that comes too late for that is told to whoever waits for the end.
    pub(super) fn end(&self, answer: Answer<Y, R>) {
        let mut state = lock(&self.state);
        if state.over {
            drop(state);
            quietly(|| drop(answer));
            return;
        }
        state.over = true;
        let unwanted = if state.closed {
            match answer {
                Err(error) if error.is_panic() => {
                    state.late_error = Some(error);
                    None
                }
                answer => Some(answer),
            }
        } else {
            state.answer = Some(answer);
            None
        };
        let message = state.message.take();
        let waiter = state.waiter.take();
        drop(state);
        wake(waiter);
        quietly(|| drop(unwanted));
        quietly(|| drop(message));
    }

    /// The consumer waits for an answer.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Answer<Y, R>> {
        let mut state = lock(&self.state);
        if let Some(answer) = state.answer.take() {
            return Poll::Ready(answer);
        }
        if state.over {
            // Its thread gave the consumer up, which is there all the same.
            return Poll::Ready(Err(JoinError::cancelled()));
        }
        let old = state.waiter.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }

    pub(super) fn is_over(&self) -> bool {
        lock(&self.state).over
    }

    /// The consumer waits for the end.
    pub(super) fn poll_over(&self, cx: &mut Context<'_>) -> Poll<Result<(), JoinError>> {
        let mut state = lock(&self.state);
        if state.over {
            return Poll::Ready(state.late_error.take().map_or(Ok(()), Err));
        }
        let old = state.waiter.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Nobody wants an answer any more: the thread is told at its next yield.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let (message, answer, waiter) =
            (state.message.take(), state.answer.take(), state.waiter.take());
        drop(state);
        self.bell.notify_one();
        wake(waiter);
        quietly(|| drop(message));
        quietly(|| drop(answer));
    }
}

/// What the thread looks after while it waits.
pub(super) struct Watch {
    pub(super) every: Duration,
    /// Whether there is still somebody to wait for.
    pub(super) still: Box<dyn FnMut() -> bool + Send>,
}

/// A message, or that there will be none (`Some(None)`).
fn heard<S, E, Y, R>(state: &mut State<S, E, Y, R>) -> Option<Option<Message<S, E>>> {
    if state.closed { Some(None) } else { state.message.take().map(Some) }
}
