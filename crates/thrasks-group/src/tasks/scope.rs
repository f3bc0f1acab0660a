use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use thrasks_loop::QuietWaker;

use super::{core::Core, stage::Stage};
use crate::{Enclosure, Failure, GroupError, Hold, Outcome, sync::EventListener, within};

/// The run of a group: its body, then the wait for its children. Dropped before its end, it
/// cancels them.
pub(crate) struct Scope<E: Send + 'static> {
    core: Arc<Core<E>>,
    /// `None` once the body is over, and where there is to be none.
    body: Option<Arc<Body<E>>>,
    exiting: bool,
    over: bool,
}

/// The body, as a member: the group is not finished before it, nor before what holds on to it.
struct Body<E> {
    core: Arc<Core<E>>,
}

impl<E: Send + 'static> Enclosure for Body<E> {
    fn hold(&self) {
        self.core.state.hold();
    }

    fn release(&self) {
        self.core.leave();
    }
}

impl<E: Send + 'static> Scope<E> {
    /// Opens the group, unless that was done before.
    pub(crate) fn enter(core: Arc<Core<E>>) -> Option<Self> {
        core.state.enter().ok()?;
        // Refused where the group was cancelled before it ran: there will be no body then. It is not
        // listed, since the scope listens to the group's abort itself.
        let admitted = core.state.count_in();
        let body = admitted.ok().map(|_| Arc::new(Body { core: core.clone() }));
        Some(Self { core, body, exiting: false, over: false })
    }

    pub(crate) async fn run<F, Fut, T>(mut self, body: F) -> Result<T, GroupError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.core.set_enclosing(Hold::current());
        let (mut value, mut failure, mut panic) = (None, None, None);
        match self.run_body(body).await {
            Outcome::Done(Ok(done)) => value = Some(done),
            Outcome::Done(Err(error)) => {
                self.core.fail();
                failure = Some(Failure::Error(error));
            }
            Outcome::Panicked(caught) => {
                self.core.abort();
                panic = Some(caught);
            }
            Outcome::Dropped => {}
        }
        self.leave_body();
        self.core.ended().await;
        self.over = true;
        let mut failures = self.core.state.take_errors();
        if let Some(panic) = panic {
            drop(failures);
            panic.resume();
        }
        failures.extend(failure);
        match value {
            Some(value) if failures.is_empty() => Ok(value),
            _ => Err(GroupError::new(failures)),
        }
    }

    /// Runs the body to its end, or until the group is aborted.
    async fn run_body<F, Fut, T>(&self, body: F) -> Outcome<T>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        let mut enclosure = self.body.clone();
        let mut stage = pin!(Stage::new(body));
        let (mut aborted, mut quiet) = (None, QuietWaker::new());
        poll_fn(|cx| {
            let waker = quiet.cover(cx.waker());
            let Some(this) = enclosure.take_if(|_| !self.poll_aborted(&mut aborted, waker)) else {
                let dropped = stage.as_mut().end();
                return Poll::Ready(dropped.map_or_else(Outcome::Panicked, |()| Outcome::Dropped));
            };
            let (this, polled) = within(this, || stage.as_mut().poll(cx));
            enclosure = Some(this);
            polled.map(|outcome| outcome.map_or_else(Outcome::Panicked, Outcome::Done))
        })
        .await
    }

    /// Whether the group has been aborted; if not, the task is woken when it is.
    fn poll_aborted(&self, listener: &mut Option<EventListener>, waker: &Waker) -> bool {
        loop {
            // Listened to before it is looked at: an abort in between is not missed.
            let listening = listener.get_or_insert_with(|| self.core.aborted.listen());
            if self.core.state.is_aborting() {
                return true;
            }
            if Pin::new(listening).poll(&mut Context::from_waker(waker)).is_pending() {
                return false;
            }
            *listener = None;
        }
    }

    /// The body is over. Once only: who finishes the group is who finds it finished.
    fn leave_body(&mut self) {
        if !std::mem::replace(&mut self.exiting, true) {
            self.core.begin_exit();
        }
        if let Some(body) = self.body.take() {
            body.core.leave();
        }
    }
}

impl<E: Send + 'static> Drop for Scope<E> {
    fn drop(&mut self) {
        if !self.over {
            self.core.disown();
            self.core.abort();
            self.leave_body();
        }
    }
}
