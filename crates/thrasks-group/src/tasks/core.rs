use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Context,
};

use thrasks_loop::QuietWaker;
use thrasks_sched::{Limit, Reason};

use crate::{
    Failure, GroupState, Hold, Panic,
    sync::{AtomicBool, Event, Mutex, Ordering, lock},
};

/// What the handles, the children and the scope of one group share.
pub(crate) struct Core<E> {
    pub(crate) state: GroupState<Arc<dyn Member>, Failure<E>>,
    cancel_on_failure: bool,
    limit: Option<Limit<Box<dyn Waiting>>>,
    /// Tells the scope that the body is to be dropped.
    pub(crate) aborted: Event,
    finished: Event,
    /// Set when all is over, just before `finished` is told: later than the state says so, by what
    /// is dropped then.
    over: AtomicBool,
    /// Nobody will ask for the failures: the scope was dropped.
    disowned: AtomicBool,
    /// Why the pool did not take some children, by their order, until those are dropped. Here, since
    /// there are few, and a child is small.
    rejections: Mutex<Vec<(u64, Reason)>>,
    /// What the scope runs in: it has not ended before the group is finished.
    enclosing: Mutex<Option<Hold>>,
}

/// What a group keeps of a member that waits for something: how to cancel it.
pub(crate) trait Member: Send + Sync {
    fn cancel(&self);
}

/// A child that waits until fewer others are alive.
pub(crate) trait Waiting: Send {
    /// Gives it to the pool, and to the limit's count. Where that is not to be or fails, it ends
    /// uncounted, and the answer is `false`. Does not panic.
    fn start(self: Box<Self>) -> bool;

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any>;
}

impl<E> Core<E> {
    pub(crate) fn new(cancel_on_failure: bool, limit: Option<usize>) -> Self {
        Self {
            state: GroupState::new(),
            cancel_on_failure,
            limit: limit.map(Limit::new),
            aborted: Event::new(),
            finished: Event::new(),
            over: AtomicBool::new(false),
            disowned: AtomicBool::new(false),
            rejections: Mutex::new(Vec::new()),
            enclosing: Mutex::new(None),
        }
    }

    pub(crate) fn limit(&self) -> Option<&Limit<Box<dyn Waiting>>> {
        self.limit.as_ref()
    }

    /// Cancels every member, once. Those that wait for something are listed; the others find, when
    /// they begin or before they wait, that the group is aborting.
    pub(crate) fn abort(&self) {
        let Some(members) = self.state.abort() else { return };
        self.aborted.notify(usize::MAX);
        for member in &members {
            member.cancel();
        }
        if let Some(limit) = &self.limit {
            // They end as they are dropped. One that gets in after this was admitted before the
            // abort: it finds itself cancelled when its turn comes.
            drop(limit.drain());
        }
    }

    /// Something went wrong.
    pub(crate) fn fail(&self) {
        if self.cancel_on_failure {
            self.abort();
        }
    }

    /// A child that counted for the limit has ended: the next one may start.
    pub(crate) fn start_next(&self) {
        // A loop, not a recursion: each one that does not start makes room for another.
        while let Some(waiting) = self.limit.as_ref().and_then(Limit::leave) {
            if waiting.start() {
                break;
            }
        }
    }

    /// The pool did not take this child, which is about to be dropped.
    pub(crate) fn reject(&self, order: u64, reason: Reason) {
        lock(&self.rejections).push((order, reason));
    }

    /// Why the pool did not take this child, if that is how it ended.
    pub(crate) fn rejection(&self, order: u64) -> Option<Reason> {
        let mut rejections = lock(&self.rejections);
        let at = rejections.iter().position(|(of, _)| *of == order)?;
        Some(rejections.swap_remove(at).1)
    }

    /// A member has gone, or a hold on one.
    pub(crate) fn leave(&self) {
        if self.state.count_out().finished {
            self.finish();
        }
    }

    /// The body is over. Its own seat is a member, too: this finishes only a group that had no body.
    pub(crate) fn begin_exit(&self) {
        if self.state.begin_exit() {
            self.finish();
        }
    }

    /// The scope begins, inside of this.
    pub(crate) fn set_enclosing(&self, hold: Option<Hold>) {
        *lock(&self.enclosing) = hold;
    }

    /// The scope was dropped: what fails from now on, or failed before, is dropped at the end.
    pub(crate) fn disown(&self) {
        self.disowned.store(true, Ordering::SeqCst);
        if self.state.is_finished() {
            drop(self.state.take_errors());
        }
    }

    /// Called once, by who finds the group finished.
    fn finish(&self) {
        if self.disowned.load(Ordering::SeqCst) {
            // A panic in there has nobody left to go to, and who waits is still to be told.
            let _ = Panic::catch(|| drop(self.state.take_errors()));
        }
        self.over.store(true, Ordering::Release);
        self.finished.notify(usize::MAX);
        let enclosing = lock(&self.enclosing).take();
        drop(enclosing);
    }

    /// Completes when the group is finished, or was never run.
    pub(crate) async fn ended(&self) {
        let mut quiet = QuietWaker::new();
        while self.state.is_entered() && !self.over.load(Ordering::Acquire) {
            let mut listener = self.finished.listen();
            if !self.over.load(Ordering::Acquire) {
                poll_fn(|cx| {
                    let waker = quiet.cover(cx.waker());
                    Pin::new(&mut listener).poll(&mut Context::from_waker(waker))
                })
                .await;
            }
        }
    }
}

impl<E> fmt::Debug for Core<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.fmt(f)
    }
}
