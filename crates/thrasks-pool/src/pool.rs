use std::{fmt, future::Future, sync::Arc};

use thrasks_loop::JoinError;

use crate::{
    Job, Kind, Local, Place, PoolBuilder, Shutdown, Spawn, Stats, TaskHandle, TrySubmitError,
    cell::{Cell, Promise},
    channel::Channel,
    job::{Start, Starter},
    shared::{Shared, Withdraw},
};

/// Runs jobs on an executor, at most so many at a time.
///
/// A job is a factory that makes a future: it is called, and the future runs, when a worker is free.
/// The workers are futures that the executor runs (see [`Spawn`]): they are made when there are jobs
/// and end when there are none, so a pool that has nothing to do costs nothing.
///
/// It is a handle: clones are the same pool. When the last one is dropped the pool closes, and jobs
/// that no worker has begun with are cancelled; those that run are their handles' concern. That does
/// not wait: [`shutdown`](Self::shutdown) does.
///
/// # Examples
///
/// ```
/// use futures_lite::{StreamExt, future::block_on};
/// use thrasks_loop::LoopPool;
/// use thrasks_pool::TaskPool;
///
/// let loops = LoopPool::builder().threads(2).build()?;
/// let pool = TaskPool::builder().max_workers(4).build(loops);
/// let handle = pool.submit(|| async { 6 * 7 });
/// assert_eq!(block_on(handle)?, 42);
///
/// let squares: Vec<u64> = block_on(pool.map(1..=4, 8, async |i| i * i).try_collect())?;
/// assert_eq!(squares, [1, 4, 9, 16]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping the last handle closes the pool"]
pub struct TaskPool<K: Kind = Local> {
    owner: Arc<Owner<K>>,
    capacity: usize,
}

/// What the handles hold: its drop closes the pool. The workers hold what is in it.
struct Owner<K: Kind>(Arc<Shared<K>>);

impl<K: Kind> Drop for Owner<K> {
    fn drop(&mut self) {
        self.0.close(true);
    }
}

impl TaskPool {
    /// Starts to describe a pool, of any kind.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let loops = LoopPool::builder().threads(2).build()?;
    /// assert_eq!(TaskPool::builder().max_workers(3).build(loops).max_workers(), 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> PoolBuilder {
        PoolBuilder::new()
    }
}

impl<K: Kind> TaskPool<K> {
    /// A pool whose workers this executor runs, as many as the machine runs threads in parallel.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::{Local, TaskPool, Worker};
    ///
    /// // The loops of a pool ...
    /// let pool = TaskPool::new(LoopPool::builder().threads(2).build()?);
    /// assert_eq!(futures_lite::future::block_on(pool.submit(|| async { 1 }))?, 1);
    ///
    /// // ... or whatever runs a future: here, whoever submits.
    /// let pool = TaskPool::new(|worker: Worker<Local>| futures_lite::future::block_on(worker.run()));
    /// assert!(pool.submit(|| async { 2 }).is_finished());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(spawner: impl Spawn<K> + 'static) -> Self {
        PoolBuilder::new().build(spawner)
    }

    pub(crate) fn from_shared(shared: Arc<Shared<K>>, capacity: usize) -> Self {
        Self { owner: Arc::new(Owner(shared)), capacity }
    }

    fn shared(&self) -> &Arc<Shared<K>> {
        &self.owner.0
    }

    /// Submits a job: `factory` is called on a worker, and the future runs there, to its end. Jobs
    /// begin in the order in which they came.
    ///
    /// It may be called from a job. A job that awaits others of its pool keeps its worker meanwhile.
    ///
    /// If the pool is closed, or its executor refuses to run a worker for it, the job is
    /// [refused](JoinError::is_refused): that is its outcome.
    ///
    /// # Cancel safety
    ///
    /// That of the [`TaskHandle`].
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(2).build()?);
    /// let handles: Vec<_> = (0..10u64).map(|i| pool.submit(move || async move { i * i })).collect();
    /// let mut sum = 0;
    /// for handle in handles {
    ///     sum += block_on(handle)?;
    /// }
    /// assert_eq!(sum, 285);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit<F, Fut>(&self, factory: F) -> TaskHandle<Fut::Output>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Job<K>,
        Fut::Output: Send + 'static,
    {
        self.launch(factory, None).0
    }

    /// As [`submit`](Self::submit), unless all workers are at work and as many jobs as the pool's
    /// [capacity](PoolBuilder::capacity) wait for them.
    ///
    /// # Errors
    ///
    /// Gives the factory back when as many jobs wait, or the pool is closed.
    ///
    /// # Cancel safety
    ///
    /// That of the [`TaskHandle`].
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::{Refusal, TaskPool};
    ///
    /// let loops = LoopPool::builder().threads(1).build()?;
    /// let pool = TaskPool::builder().max_workers(1).capacity(1).build(loops);
    /// let _runs = pool.try_submit(std::future::pending::<()>)?;
    /// let _waits = pool.try_submit(std::future::pending::<()>)?;
    /// let error = pool.try_submit(|| async { 7 }).unwrap_err();
    /// assert_eq!(error.refusal(), Refusal::Full);
    /// assert_eq!(futures_lite::future::block_on(error.into_factory()()), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_submit<F, Fut>(
        &self,
        factory: F,
    ) -> Result<TaskHandle<Fut::Output>, TrySubmitError<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Job<K>,
        Fut::Output: Send + 'static,
    {
        let (job, handle) = job(factory, None);
        match self.shared().roster.try_submit(job, self.capacity) {
            Ok(submitted) => {
                self.shared().act(submitted.act);
                Ok(self.tie(handle, submitted.ticket))
            }
            Err(refused) => {
                let starter = refused.job.into_any().downcast::<Starter<F, Fut::Output>>();
                let Ok(starter) = starter else { unreachable!("the job that was just made") };
                let factory = starter.into_factory();
                Err(TrySubmitError::new(factory, refused.refusal))
            }
        }
    }

    /// Submits a job, whose outcome goes to the place, if there is one. Returns whether it was taken.
    pub(crate) fn launch<F, Fut>(
        &self,
        factory: F,
        place: Option<(Arc<Channel<Fut::Output>>, Place)>,
    ) -> (TaskHandle<Fut::Output>, bool)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Job<K>,
        Fut::Output: Send + 'static,
    {
        let (job, handle) = job(factory, place);
        match self.shared().roster.submit(job) {
            Ok(submitted) => {
                self.shared().act(submitted.act);
                (self.tie(handle, submitted.ticket), true)
            }
            Err(refused) => {
                refused.job.refuse(JoinError::refused(refused.refusal));
                (handle, false)
            }
        }
    }

    fn tie<T>(&self, handle: TaskHandle<T>, ticket: crate::Ticket) -> TaskHandle<T> {
        let queue: Arc<dyn Withdraw> = self.shared().clone();
        handle.queued(Arc::downgrade(&queue), ticket)
    }

    /// Refuses every later job. Those that no worker has begun with are cancelled if
    /// `cancel_pending` says so; else they still run. It may be called again, to cancel them after all.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(1).build()?);
    /// pool.close(false);
    /// assert!(block_on(pool.submit(|| async {})).unwrap_err().is_refused());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(&self, cancel_pending: bool) {
        self.shared().close(cancel_pending);
    }

    /// [Closes](Self::close) the pool, now, and gives a future that completes when no job is left, each
    /// has ended, and its outcome is there; without `wait`, one that completes at once, and that need
    /// not be awaited.
    ///
    /// A job that awaits the end of its own pool waits for ever.
    ///
    /// # Cancel safety
    ///
    /// The pool is closed when this returns; the future only watches.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let loops = LoopPool::builder().threads(1).build()?;
    /// let pool = TaskPool::builder().max_workers(1).build(loops);
    /// let handles = [pool.submit(|| async { 1 }), pool.submit(|| async { 2 })];
    /// block_on(pool.shutdown(true, false));
    /// assert!(handles.iter().all(|handle| handle.is_finished()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, wait: bool, cancel_pending: bool) -> Shutdown<K> {
        self.close(cancel_pending);
        Shutdown::new(wait.then(|| self.shared().clone()))
    }

    /// Whether jobs are refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(1).build()?);
    /// assert!(!pool.is_closed());
    /// pool.close(false);
    /// assert!(pool.is_closed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared().roster.is_closed()
    }

    /// How many jobs run at a time, at most.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::builder().max_workers(8).build(LoopPool::builder().threads(2).build()?);
    /// assert_eq!(pool.max_workers(), 8);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn max_workers(&self) -> usize {
        self.shared().roster.max_workers()
    }

    /// What there is now, and what there has been. A job's outcome is told after it was counted.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(1).build()?);
    /// futures_lite::future::block_on(pool.submit(|| async {}))?;
    /// let stats = pool.stats();
    /// assert_eq!((stats.submitted, stats.completed, stats.running), (1, 1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stats(&self) -> Stats {
        self.shared().roster.stats()
    }
}

/// A job and what is left of it on this side.
fn job<K, F, Fut>(
    factory: F,
    place: Option<(Arc<Channel<Fut::Output>>, Place)>,
) -> (Box<dyn Start<K>>, TaskHandle<Fut::Output>)
where
    K: Kind,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Job<K> + Future,
    Fut::Output: Send + 'static,
{
    let cell = Arc::new(Cell::new());
    let job = Box::new(Starter::new(factory, Promise::new(cell.clone(), place)));
    (job, TaskHandle::new(cell))
}

impl<K: Kind> Clone for TaskPool<K> {
    fn clone(&self) -> Self {
        Self { owner: self.owner.clone(), capacity: self.capacity }
    }
}

impl<K: Kind> fmt::Debug for TaskPool<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskPool")
            .field("name", &self.shared().name())
            .field("max_workers", &self.max_workers())
            .field("closed", &self.is_closed())
            .field("stats", &self.stats())
            .finish()
    }
}
