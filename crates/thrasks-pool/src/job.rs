//! A job from its start to its end, on its worker.
//!
//! An executor may abort the process when the drop of a future panics. So no panic of the user's
//! code gets to it: neither of the factory, the future, the result or a waker, nor of the drop of
//! any of them.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use thrasks_loop::JoinError;

use crate::{
    cell::Promise,
    kind::{Job, Kind},
    quiet::{discard, quietly},
    worker::Ended,
};

/// A job before its start, its types hidden.
pub(crate) trait Start<K: Kind>: Send {
    /// Makes the future that runs it. It tells `ended` that it has, then leaves its outcome.
    fn start(self: Box<Self>, ended: Ended<K>) -> K::Future;

    /// Drops it, and leaves why as its outcome.
    fn refuse(self: Box<Self>, error: JoinError);

    /// To get at the factory.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// What is to be run.
pub(crate) struct Starter<F, T> {
    factory: Guarded<F>,
    promise: Promise<T>,
}

impl<F, T> Starter<F, T> {
    pub(crate) fn new(factory: F, promise: Promise<T>) -> Self {
        Self { factory: Guarded(Some(factory)), promise }
    }

    /// The factory, of a job that is not to be.
    pub(crate) fn into_factory(self) -> F {
        let Self { mut factory, promise } = self;
        promise.withdraw();
        factory.0.take().expect("it has not been called")
    }
}

impl<K, F, Fut> Start<K> for Starter<F, Fut::Output>
where
    K: Kind,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Job<K>,
    Fut::Output: Send + 'static,
{
    fn start(self: Box<Self>, ended: Ended<K>) -> K::Future {
        let Self { factory, promise } = *self;
        Fut::run(factory, Duty(Some((promise, ended))))
    }

    fn refuse(self: Box<Self>, error: JoinError) {
        let Self { factory, promise } = *self;
        drop(factory);
        promise.keep(Err(error));
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A value whose drop panics quietly.
#[expect(missing_debug_implementations, reason = "nobody gets one")]
pub struct Guarded<V>(Option<V>);

impl<V> Drop for Guarded<V> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            quietly(|| drop(value));
        }
    }
}

/// Makes the future, runs it and leaves its outcome.
pub(crate) async fn run<K, F, Fut>(mut factory: Guarded<F>, mut duty: Duty<K, Fut::Output>)
where
    K: Kind,
    F: FnOnce() -> Fut,
    Fut: Future,
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
struct Running<'a, K: Kind, Fut: Future> {
    future: Pin<&'a mut Option<Fut>>,
    duty: Duty<K, Fut::Output>,
    /// Not polled yet.
    fresh: bool,
}

impl<K: Kind, Fut: Future> Running<'_, K, Fut> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fut::Output, JoinError>> {
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

    /// Drops the future, then tells of its end, then leaves the outcome: whoever sees the outcome
    /// finds nothing of the job left. A panic in the drop is the outcome, unless there was one
    /// before.
    fn end(&mut self, outcome: Result<Fut::Output, JoinError>) {
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

impl<K: Kind, Fut: Future> Drop for Running<'_, K, Fut> {
    fn drop(&mut self) {
        if self.duty.0.is_some() {
            self.end(Err(JoinError::cancelled()));
        }
    }
}

/// The duty to tell of a job's end and to leave its outcome, in this order. Dropped open, it leaves
/// that the job was cancelled.
#[expect(missing_debug_implementations, reason = "nobody gets one")]
pub struct Duty<K: Kind, T>(Option<(Promise<T>, Ended<K>)>);

impl<K: Kind, T> Duty<K, T> {
    fn begin(&self, cx: &Context<'_>) -> bool {
        self.0.as_ref().is_some_and(|(promise, _)| promise.begin(cx))
    }

    fn is_cancelled(&self, cx: &Context<'_>) -> bool {
        self.0.as_ref().is_some_and(|(promise, _)| promise.is_cancelled(cx))
    }

    fn settle(&mut self, outcome: Result<T, JoinError>) {
        if let Some((promise, ended)) = self.0.take() {
            ended.tell();
            promise.keep(outcome);
        }
    }
}

impl<K: Kind, T> Drop for Duty<K, T> {
    fn drop(&mut self) {
        self.settle(Err(JoinError::cancelled()));
    }
}
