use std::{
    cell::Cell,
    collections::VecDeque,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use thrasks_loop::{LoopPool, QuietWaker, Task};

use super::{
    batch::{Batch, Gathered, Outcome},
    common::Common,
};
use crate::{Gather, Kind, sync::EventListener};

/// How many tasks are made between two looks at whether one failed. As many share a batch of slots,
/// and wake each idle loop at most once.
const CHUNK: usize = 1024;

/// A gather that runs, from its first poll on.
///
/// It takes the factories from their iterator where it is polled. A gather without a limit makes
/// all tasks in its first poll, and is woken once, at the end or by the failure that ends it.
///
/// # Cancel safety
///
/// A drop cannot wait. Dropping the future cancels every task; those that run end shortly after,
/// each on its loop. Dropped by a task of a surrounding group, or of another gather, they are
/// still waited for by that one. The values that were there are lost.
///
/// # Examples
///
/// ```
/// use futures_lite::future::{block_on, pending, poll_once};
/// use thrasks_gather::gather;
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(1).build()?;
/// let gather = gather(&pool, [pending::<()>]);
/// // Dropped by `poll_once`, and thus cancelled.
/// assert!(block_on(poll_once(gather.into_future())).is_none());
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a gather does nothing unless it is awaited"]
pub struct GatherFuture<I, K: Kind<O>, O> {
    pool: LoopPool,
    /// `None` once there are no more.
    factories: Option<I>,
    limit: Option<usize>,
    /// Made in the first poll.
    common: Option<Arc<Common>>,
    listener: Option<EventListener>,
    quiet: QuietWaker,
    /// How many tasks have been made.
    made: usize,
    /// The batches that have tasks which have not ended.
    running: VecDeque<Arc<dyn Gathered<Outcome<O, K>>>>,
    /// The outcomes of the batches before those.
    outcomes: Vec<Outcome<O, K>>,
    cancelled: bool,
    over: bool,
}

impl<I, K: Kind<O>, O> GatherFuture<I, K, O> {
    pub(crate) fn new(gather: Gather<I, K>) -> Self {
        let Gather { pool, factories, limit, .. } = gather;
        Self {
            pool,
            factories: Some(factories),
            limit,
            common: None,
            listener: None,
            quiet: QuietWaker::new(),
            made: 0,
            running: VecDeque::new(),
            outcomes: Vec::new(),
            cancelled: false,
            over: false,
        }
    }

    /// Takes what the batches at the front have left.
    fn retire(&mut self) {
        while self.running.front().is_some_and(|first| first.left() == 0)
            && let Some(batch) = self.running.pop_front()
        {
            batch.take_into(&mut self.outcomes);
        }
    }

    /// Gives tasks to the pool, whether it takes them or not.
    fn submit(&self, common: &Common, tasks: impl Iterator<Item = (usize, Task)>) {
        let last = Cell::new(0);
        let mut tasks = tasks.map(|(index, task)| {
            last.set(index);
            task
        });
        while let Err(rejected) = self.pool.submit_batch(&mut tasks) {
            let (task, reason) = rejected.into_parts();
            common.note(last.get(), reason);
            drop(task);
        }
    }
}

impl<I, F, Fut, K> GatherFuture<I, K, Fut::Output>
where
    I: Iterator<Item = F>,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future + 'static,
    Fut::Output: Send + 'static,
    K: Kind<Fut::Output>,
{
    /// Makes tasks of as many factories as may run or wait now.
    fn refill(&mut self, common: &Arc<Common>) {
        while let Some(factories) = self.factories.as_mut().filter(|_| !common.is_stopped()) {
            let room = common.room().unwrap_or(CHUNK);
            if room == 0 {
                return;
            }
            let chunk: Vec<_> = factories.by_ref().take(room).collect();
            if chunk.len() < room {
                self.factories = None;
                common.set_exhausted();
            }
            if !chunk.is_empty() {
                self.launch(common, chunk);
            }
            // The memory of tasks that have ended is reused for the next ones.
            self.retire();
        }
    }

    fn launch(&mut self, common: &Arc<Common>, chunk: Vec<F>) {
        let (offset, len) = (self.made, chunk.len());
        let batch = Arc::new(Batch::<F, _, K>::new(common.clone(), offset, chunk));
        let tasks = (0..len).map(|key| (offset + key, Task::kept(batch.clone(), key)));
        match &common.gate {
            None => self.submit(common, tasks),
            Some(gate) => {
                let first: Vec<_> = tasks.filter_map(|task| gate.limit.enter(task)).collect();
                self.submit(common, first.into_iter());
            }
        }
        self.made += len;
        self.running.push_back(batch);
    }

    /// Does what there is to do now. Returns whether everything has ended.
    fn advance(&mut self, common: &Arc<Common>) -> bool {
        self.retire();
        self.refill(common);
        if common.is_stopped() && !mem::replace(&mut self.cancelled, true) {
            self.factories = None;
            common.set_exhausted();
            self.running.iter().for_each(|batch| batch.cancel());
            common.drop_backlog();
        }
        self.factories.is_none() && common.all_closed()
    }
}

impl<I, F, Fut, K> Future for GatherFuture<I, K, Fut::Output>
where
    I: Iterator<Item = F>,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future + 'static,
    Fut::Output: Send + 'static,
    K: Kind<Fut::Output>,
{
    type Output = K::Output;

    /// # Panics
    ///
    /// When polled again after it was ready, and when the iterator of the factories panics.
    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<K::Output> {
        let this = self.get_mut();
        assert!(!this.over, "a gather was polled after it was ready");
        let common = match &this.common {
            Some(common) => common.clone(),
            None => this.common.insert(Arc::new(Common::new(&this.pool, this.limit))).clone(),
        };
        loop {
            // Listened to before anything is looked at: what happens in between is not missed.
            let mut listener = this.listener.take().unwrap_or_else(|| common.wake.listen());
            if this.advance(&common) {
                break;
            }
            let waker = this.quiet.cover(cx.waker());
            if Pin::new(&mut listener).poll(&mut Context::from_waker(waker)).is_pending() {
                this.listener = Some(listener);
                return Poll::Pending;
            }
        }
        this.over = true;
        this.retire();
        Poll::Ready(K::collect(mem::take(&mut this.outcomes).into_iter(), common.first_failure()))
    }
}

/// Nothing in it is ever pinned.
impl<I, K: Kind<O>, O> Unpin for GatherFuture<I, K, O> {}

impl<I, K: Kind<O>, O> Drop for GatherFuture<I, K, O> {
    fn drop(&mut self) {
        if let Some(common) = self.common.take().filter(|_| !self.over) {
            common.stop();
            self.running.drain(..).for_each(|batch| batch.cancel());
            common.drop_backlog();
        }
    }
}

impl<I, K: Kind<O>, O> fmt::Debug for GatherFuture<I, K, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatherFuture")
            .field("limit", &self.limit)
            .field("made", &self.made)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}
