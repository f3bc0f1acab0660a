//! A task from its start to its end, on its loop.
//!
//! The executor aborts the process when the drop of a future panics. So no panic of the user's code
//! gets to it: neither of the factory, the future, the result, a waker or a scheduler, nor of the
//! drop of any of them.

use std::{
    cell::Cell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use async_executor::LocalExecutor;

use crate::{
    JoinError, Keeper, Task, Work,
    quiet::{discard, quietly},
    relay::{Heard, Spare},
    traced::Traced,
};

/// What a task is started on, on the loop's thread.
pub(crate) struct Bench {
    pub(crate) executor: LocalExecutor<'static>,
    pub(crate) work: Rc<Work<Task>>,
    /// How many tasks the executor has.
    suspended: Rc<Cell<usize>>,
    spare: Cell<Option<Spare>>,
}

impl Bench {
    pub(crate) fn new(work: Work<Task>) -> Self {
        Self {
            executor: LocalExecutor::new(),
            work: Rc::new(work),
            suspended: Rc::default(),
            spare: Cell::new(None),
        }
    }

    /// Whether the executor has tasks. If not, nothing can make it have something to do but this
    /// thread.
    pub(crate) fn has_suspended(&self) -> bool {
        self.suspended.get() > 0
    }

    /// Makes a task's first step, and gives the executor what is not over after it.
    ///
    /// The executor would allocate for the task, keep a list of all of them, and queue it, each
    /// under a lock or with atomics: more than all the rest of a trivial task costs.
    pub(crate) fn run<K: Keeper>(&self, future: K::Future, mut duty: Duty<K>) {
        let spare = self.spare.take().unwrap_or_else(Spare::new);
        let mut future = Box::pin(future);
        let mut cx = Context::from_waker(spare.waker());
        let outcome = match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))) {
            Ok(Poll::Pending) => {
                duty.traced.suspend();
                let (heard, spare) = spare.hear();
                self.spare.set(spare);
                let (heard, _suspended) = (Some(heard), Suspended::new(&self.suspended));
                let running = Running { future: Some(future), duty, heard, _suspended };
                self.executor.spawn(running).detach();
                return;
            }
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(JoinError::panicked(payload)),
        };
        let outcome = drop_future(future, outcome);
        // Now that the future has let go of it.
        let (_over, spare) = spare.hear();
        self.spare.set(spare);
        duty.settle(outcome);
    }
}

/// Counts a task that the executor has.
struct Suspended(Rc<Cell<usize>>);

impl Suspended {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(count.clone())
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
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

/// What the executor has of a task: its future and the duty to leave its outcome, which end in this
/// order, and together.
struct Running<K: Keeper> {
    /// In a box, for it moves from the first step to the executor when it is begun already.
    future: Option<Pin<Box<K::Future>>>,
    duty: Duty<K>,
    /// What it heard before the executor has polled it.
    heard: Option<Heard>,
    _suspended: Suspended,
}

impl<K: Keeper> Running<K> {
    /// Polls the future, and ends with it.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(future) = &mut self.future else { unreachable!("polled after its end") };
        let outcome = match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(JoinError::panicked(payload)),
        };
        self.end(outcome);
        Poll::Ready(())
    }

    fn end(&mut self, outcome: Result<K::Output, JoinError>) {
        let outcome = match self.future.take() {
            Some(future) => drop_future(future, outcome),
            None => outcome,
        };
        self.duty.settle(outcome);
    }
}

// The future is in a box, and nothing else is pinned.
impl<K: Keeper> Unpin for Running<K> {}

/// What the executor polls.
impl<K: Keeper> Future for Running<K> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // A cancel that came before there was a waker to find is found here: the executor polls
        // each task once by itself.
        let traced = self.duty.traced;
        if self.duty.is_cancelled(cx) {
            if let Some(traced) = traced.told_by_loop() {
                traced.request_cancel();
            }
            self.end(Err(JoinError::cancelled()));
            return Poll::Ready(());
        }
        if self.heard.take().is_some_and(|heard| !heard.pass_on(cx.waker())) {
            // It waits, as it did after its first step.
            return Poll::Pending;
        }
        traced.resume();
        let poll = self.step(cx);
        if poll.is_pending() {
            traced.suspend();
        }
        poll
    }
}

/// Drops the future of a task that has ended like this, before anybody is told: whoever sees the
/// outcome finds nothing of the task left. A panic in the drop is the outcome, unless there was one
/// before.
fn drop_future<Fut, T>(
    future: Pin<Box<Fut>>,
    outcome: Result<T, JoinError>,
) -> Result<T, JoinError> {
    match catch_unwind(AssertUnwindSafe(|| drop(future))) {
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
    }
}

impl<K: Keeper> Drop for Running<K> {
    fn drop(&mut self) {
        if self.duty.is_open() {
            self.end(Err(JoinError::cancelled()));
        }
    }
}

/// The duty to tell of a task's end and to leave its outcome, in this order. Dropped open, it
/// leaves that the task was cancelled.
pub(crate) struct Duty<K: Keeper> {
    open: Option<Open<K>>,
    traced: Traced,
}

struct Open<K> {
    keeper: Arc<K>,
    key: usize,
    ended: Ended,
}

impl<K: Keeper> Duty<K> {
    pub(crate) fn new(keeper: Arc<K>, key: usize, traced: Traced, ended: Ended) -> Self {
        Self { open: Some(Open { keeper, key, ended }), traced }
    }

    fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn is_cancelled(&self, cx: &mut Context<'_>) -> bool {
        self.open.as_ref().is_some_and(|open| open.keeper.waits(open.key, cx.waker()))
    }

    pub(crate) fn settle(&mut self, outcome: Result<K::Output, JoinError>) {
        if let Some(Open { keeper, key, ended }) = self.open.take() {
            // Before anybody learns of it, and may end the trace.
            if let Some(traced) = self.traced.told_by_loop() {
                traced.end(&outcome);
            }
            drop(ended);
            // With nobody waiting, the result is dropped in here, and may panic.
            quietly(|| keeper.ended(key, outcome));
        }
    }
}

impl<K: Keeper> Drop for Duty<K> {
    fn drop(&mut self) {
        self.settle(Err(JoinError::cancelled()));
    }
}
