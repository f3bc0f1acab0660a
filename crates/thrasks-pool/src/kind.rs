use std::{future::Future, pin::Pin};

use crate::job::{Duty, Guarded, run};

/// Futures that are made by the worker that runs them and stay where it is: they need not be
/// `Send`. The kind of a pool over loop threads, or over an executor of one thread.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use thrasks_loop::LoopPool;
/// use thrasks_pool::{Local, TaskPool};
///
/// let pool: TaskPool<Local> = TaskPool::new(LoopPool::builder().threads(2).build()?);
/// let handle = pool.submit(|| async {
///     let here = Rc::new(7);
///     std::future::ready(()).await;
///     *here
/// });
/// assert_eq!(futures_lite::future::block_on(handle)?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Local;

/// Futures that are `Send`: their workers may move between threads. The kind of a pool over an
/// executor of many threads, such as `async_executor::Executor` or tokio's.
///
/// A future that is not `Send` is none of theirs:
///
/// ```compile_fail
/// use std::{future::ready, rc::Rc};
/// use thrasks_pool::{Sendable, TaskPool, Worker};
///
/// let pool = TaskPool::new(|worker: Worker<Sendable>| drop(worker.run()));
/// let _handle = pool.submit(|| async {
///     let here = Rc::new(7);
///     ready(()).await;
///     *here
/// });
/// ```
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use async_executor::Executor;
/// use thrasks_pool::{Sendable, TaskPool, Worker};
///
/// let executor = Arc::new(Executor::new());
/// let runner = executor.clone();
/// let pool: TaskPool<Sendable> = TaskPool::new(move |worker: Worker<Sendable>| {
///     executor.spawn(worker.run()).detach();
/// });
/// let handle = pool.submit(|| async { 6 * 7 });
/// assert_eq!(futures_lite::future::block_on(runner.run(handle))?, 42);
/// # Ok::<(), thrasks_pool::JoinError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Sendable;

/// Which futures a pool runs: [`Local`] or [`Sendable`].
///
/// # Examples
///
/// ```
/// use thrasks_pool::{Job, Kind, Local, Sendable, TaskPool, Worker};
///
/// /// For a pool of either kind.
/// async fn answer<K: Kind>(pool: &TaskPool<K>) -> u32
/// where
///     std::future::Ready<u32>: Job<K>,
/// {
///     pool.submit(|| std::future::ready(42)).await.unwrap()
/// }
///
/// # use futures_lite::future::block_on;
/// let local = TaskPool::new(|worker: Worker<Local>| block_on(worker.run()));
/// let sendable = TaskPool::new(|worker: Worker<Sendable>| block_on(worker.run()));
/// assert_eq!(block_on(async { answer(&local).await + answer(&sendable).await }), 84);
/// ```
pub trait Kind: sealed::Boxed + Send + Sync + 'static {}

impl Kind for Local {}
impl Kind for Sendable {}

/// A future that a pool of this kind runs. All are, that are `Send` if the kind is [`Sendable`].
///
/// # Examples
///
/// ```
/// use thrasks_loop::LoopPool;
/// use thrasks_pool::{Job, Local, TaskPool};
///
/// /// Runs a factory's future on a pool of loops.
/// fn on_loops<T: Send + 'static, Fut: Job<Local> + Future<Output = T>>(
///     pool: &TaskPool,
///     factory: impl FnOnce() -> Fut + Send + 'static,
/// ) -> T {
///     futures_lite::future::block_on(pool.submit(factory)).unwrap()
/// }
///
/// let pool = TaskPool::new(LoopPool::builder().threads(1).build()?);
/// assert_eq!(on_loops(&pool, || async { 7 }), 7);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Job<K: Kind>: Future + Sized + 'static {
    #[doc(hidden)]
    fn run<F>(factory: Guarded<F>, duty: Duty<K, Self::Output>) -> K::Future
    where
        F: FnOnce() -> Self + Send + 'static,
        Self::Output: Send + 'static;
}

impl<Fut: Future + 'static> Job<Local> for Fut {
    fn run<F>(factory: Guarded<F>, duty: Duty<Local, Self::Output>) -> LocalFuture
    where
        F: FnOnce() -> Self + Send + 'static,
        Self::Output: Send + 'static,
    {
        Box::pin(run(factory, duty))
    }
}

impl<Fut: Future + Send + 'static> Job<Sendable> for Fut {
    fn run<F>(factory: Guarded<F>, duty: Duty<Sendable, Self::Output>) -> SendFuture
    where
        F: FnOnce() -> Self + Send + 'static,
        Self::Output: Send + 'static,
    {
        Box::pin(run(factory, duty))
    }
}

type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;
type SendFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

mod sealed {
    use std::future::Future;

    /// The future of a job that runs.
    pub trait Boxed {
        type Future: Future<Output = ()> + Unpin + 'static;
    }

    impl Boxed for super::Local {
        type Future = super::LocalFuture;
    }

    impl Boxed for super::Sendable {
        type Future = super::SendFuture;
    }
}
