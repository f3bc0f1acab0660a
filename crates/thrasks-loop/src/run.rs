//! A task from its start to its end, on its loop.
//!
//! The executor aborts the process when the drop of a future panics. So no panic of the user's code
//! gets to it: neither of the factory, the future, the result, a waker or a scheduler, nor of the
//! drop of any of them.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
};

use async_executor::LocalExecutor;

use crate::{
    JoinError, Task, Work,
    cell::Promise,
    quiet::{discard, quietly},
};

/// What a task is started on, on the loop's thread.
pub(crate) struct Bench {
    pub(crate) executor: LocalExecutor<'static>,
    pub(crate) work: Rc<Work<Task>>,
}

/// Whom a started task tells that it has ended.
#[derive(Clone, Copy)]
pub(crate) enum Ending {
    Scheduled,
    Posted,
}

/// Tells that a task has ended when it is dropped: a future may be dropped, so a call at its end
/// would not do.
pub(crate) struct Ended {
    work: Rc<Work<Task>>,
    ending: Ending,
}

impl Ended {
    pub(crate) fn new(bench: &Bench, ending: Ending) -> Self {
        Self { work: bench.work.clone(), ending }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        quietly(|| match self.ending {
            Ending::Scheduled => self.work.finish(),
            Ending::Posted => self.work.finish_posted(),
        });
    }
}

/// A value whose drop panics quietly.
pub(crate) struct Guarded<V>(Option<V>);

impl<V> Guarded<V> {
    pub(crate) fn new(value: V) -> Self {
        Self(Some(value))
    }
}

impl<V> Drop for Guarded<V> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            quietly(|| drop(value));
        }
    }
}

/// Makes the future, runs it and leaves its outcome.
pub(crate) async fn run<F, Fut, T>(mut factory: Guarded<F>, mut duty: Duty<T>)
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    if !poll_fn(|cx| Poll::Ready(duty.begin(cx))).await {
        return;
    }
    let Some(factory) = factory.0.take() else { return };
    let future = match catch_unwind(AssertUnwindSafe(factory)) {
        Ok(future) => future,
        Err(payload) => return duty.settle(Err(JoinError::panicked(payload))),
    };
    let future = pin!(Some(future));
    let mut running = Running { future, duty, fresh: true };
    let outcome = poll_fn(|cx| running.poll(cx)).await;
    running.end(outcome);
}

/// A future and the duty to leave its outcome, which end in this order, and together.
struct Running<'a, Fut, T> {
    future: Pin<&'a mut Option<Fut>>,
    duty: Duty<T>,
    /// Not polled yet.
    fresh: bool,
}

impl<Fut: Future<Output = T>, T> Running<'_, Fut, T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        // The first poll follows on `Duty::begin`, which has enlisted the waker.
        if !std::mem::take(&mut self.fresh) && self.duty.is_cancelled(cx) {
            return Poll::Ready(Err(JoinError::cancelled()));
        }
        let Some(future) = self.future.as_mut().as_pin_mut() else {
            unreachable!("polled after its end")
        };
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(JoinError::panicked(payload))),
        }
    }
}

impl<Fut, T> Running<'_, Fut, T> {
    /// Drops the future, then tells of its end, then leaves the outcome: whoever sees the outcome
    /// finds nothing of the task left. A panic in the drop is the outcome, unless there was one
    /// before.
    fn end(&mut self, outcome: Result<T, JoinError>) {
        let outcome = match catch_unwind(AssertUnwindSafe(|| self.future.set(None))) {
            Ok(()) => outcome,
            Err(payload) => match outcome {
                Err(first) if first.is_panic() => {
                    discard(payload);
                    Err(first)
                }
                other => {
                    quietly(|| drop(other));
                    Err(JoinError::panicked(payload))
                }
            },
        };
        self.duty.settle(outcome);
    }
}

impl<Fut, T> Drop for Running<'_, Fut, T> {
    fn drop(&mut self) {
        if self.duty.is_open() {
            self.end(Err(JoinError::cancelled()));
        }
    }
}

/// The duty to tell of a task's end and to leave its outcome, in this order. Dropped open, it
/// leaves that the task was cancelled.
pub(crate) struct Duty<T>(Option<(Promise<T>, Ended)>);

impl<T> Duty<T> {
    pub(crate) fn new(promise: Promise<T>, ended: Ended) -> Self {
        Self(Some((promise, ended)))
    }

    fn is_open(&self) -> bool {
        self.0.is_some()
    }

    fn begin(&self, cx: &mut Context<'_>) -> bool {
        self.0.as_ref().is_some_and(|(promise, _)| promise.cell().begin(cx.waker()))
    }

    fn is_cancelled(&self, cx: &mut Context<'_>) -> bool {
        self.0.as_ref().is_some_and(|(promise, _)| promise.cell().enlist(cx.waker()))
    }

    fn settle(&mut self, outcome: Result<T, JoinError>) {
        if let Some((promise, ended)) = self.0.take() {
            drop(ended);
            // With nobody waiting, the result is dropped in here, and may panic.
            quietly(|| {
                promise.cell().complete(outcome);
                drop(promise);
            });
        }
    }
}

impl<T> Drop for Duty<T> {
    fn drop(&mut self) {
        self.settle(Err(JoinError::cancelled()));
    }
}
