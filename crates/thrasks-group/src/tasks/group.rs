use std::{fmt, future::Future, sync::Arc};

use thrasks_loop::{LoopPool, Task};

use super::{
    child::Child,
    core::Core,
    launch::{Launch, spawn},
    scope::Scope,
    spawn_error::Reason,
};
use crate::{Builder, GroupError, GroupHandle, SpawnError};

/// Tasks on the loops of a pool that end before the scope they were spawned in does, whatever
/// happens.
///
/// A group is a handle: clones are the same group, and can be used from any thread, by its children
/// too. The idea is that of trio's nurseries and asyncio's `TaskGroup`.
///
/// # What is promised
///
/// - **The scope ends last.** It is over when the body and every child have ended: their futures
///   are gone, and so is what groups inside of them had running.
/// - **The first failure cancels the rest**, siblings and body, unless the group is to
///   [collect errors](Builder::collect_errors). A panic in a child is a failure, too. Being
///   cancelled is none.
/// - **All failures are told**, in the order of the spawning, the body's last.
/// - **A panic of the body** cancels the children, waits for them, and then goes on.
///
/// Cancelling drops a future where it waits, on its own loop; one that never waits runs to its end.
///
/// # What a child may borrow
///
/// Nothing of its parent: it runs on another thread, and the parent's future can be leaked. Move
/// clones or `Arc`s into the factory.
///
/// ```compile_fail,E0373
/// # use thrasks_group::TaskGroup;
/// # use thrasks_loop::LoopPool;
/// async fn greet(pool: &LoopPool) {
///     let name = String::from("Ada");
///     let scope = TaskGroup::<String>::scope(pool, async |group| {
///         group.spawn(|| async { Ok(println!("hello, {name}")) }).unwrap();
///         Ok(())
///     });
///     scope.await.unwrap();
/// }
/// ```
///
/// # Examples
///
/// ```
/// use thrasks_group::TaskGroup;
/// use thrasks_loop::LoopPool;
///
/// type BoxError = Box<dyn std::error::Error + Send + Sync>;
///
/// let pool = LoopPool::builder().threads(2).build()?;
/// let total = futures_lite::future::block_on(TaskGroup::scope(&pool, async |group| {
///     let mut handles = Vec::new();
///     for text in ["1", "2", "3"] {
///         handles.push(group.spawn(move || async move { Ok::<u32, BoxError>(text.parse()?) })?);
///     }
///     let mut total = 0;
///     for handle in handles {
///         total += handle.await?;
///     }
///     Ok(total)
/// }))?;
/// assert_eq!(total, 6);
/// # Ok::<(), BoxError>(())
/// ```
pub struct TaskGroup<E> {
    core: Arc<Core<E>>,
    pool: LoopPool,
}

impl<E: Send + 'static> TaskGroup<E> {
    /// A group that is not running yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let group = TaskGroup::<String>::new(&pool);
    /// let scope = group.run(async |_group| Ok(7));
    /// assert_eq!(futures_lite::future::block_on(scope).unwrap(), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "a group takes no child until it is run"]
    pub fn new(pool: &LoopPool) -> Self {
        Self::builder(pool).build()
    }

    /// Starts to describe a group.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let group = TaskGroup::<String>::builder(&pool).collect_errors().max_concurrency(8).build();
    /// assert!(!group.is_cancelled());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder(pool: &LoopPool) -> Builder<E> {
        Builder::new(pool)
    }

    pub(crate) fn from_parts(
        pool: LoopPool,
        cancel_on_failure: bool,
        limit: Option<usize>,
    ) -> Self {
        Self { core: Arc::new(Core::new(cancel_on_failure, limit)), pool }
    }

    /// Makes a group and runs `body` in it: the short form of [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run): the future panics when the body did.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// That of [`run`](Self::run).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let scope = TaskGroup::<String>::scope(&pool, async |group| {
    ///     group.spawn(|| async { Ok(println!("from a loop of the pool")) }).unwrap();
    ///     Ok(7)
    /// });
    /// assert_eq!(futures_lite::future::block_on(scope).unwrap(), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn scope<T, B, Fut>(
        pool: &LoopPool,
        body: B,
    ) -> impl Future<Output = Result<T, GroupError<E>>> + use<T, B, Fut, E>
    where
        B: FnOnce(Self) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        Self::new(pool).run(body)
    }

    /// Runs `body`, which spawns children into the group it is given, and waits for the end of all
    /// of them. Completes with the body's value.
    ///
    /// The body runs where the returned future is polled. Children may be spawned until the last of
    /// them has ended and the body too.
    ///
    /// # Panics
    ///
    /// When the group was run before. The future panics when the body did, after every child has
    /// ended; failures of the children are then lost.
    ///
    /// # Errors
    ///
    /// When the body or a child failed, with all failures; or without any, when the group was
    /// [cancelled](Self::cancel) before its body had ended.
    ///
    /// # Cancel safety
    ///
    /// A drop cannot wait. Dropping the future drops the body and cancels every child; those end
    /// shortly after, each on its loop, and [`ended`](Self::ended) waits for that. Dropped by a
    /// task of a surrounding group, or of a gather, those children are still waited for by that
    /// one. To stop a scope and wait for it, don't drop it: [`cancel`](Self::cancel) the group and
    /// await it to its end.
    ///
    /// # Examples
    ///
    /// A group that is cancelled from outside, when it takes too long:
    ///
    /// ```
    /// use futures_lite::future::{block_on, or, pending, ready};
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let group = TaskGroup::<String>::new(&pool);
    /// let scope = group.run(async |group| {
    ///     group.spawn(pending::<Result<(), _>>).unwrap();
    ///     Ok(())
    /// });
    /// let too_long = async {
    ///     // A timer in real life.
    ///     ready(()).await;
    ///     group.cancel();
    ///     pending().await
    /// };
    /// // The body had ended: its value is what the scope gives. The child ended as cancelled.
    /// assert!(block_on(or(scope, too_long)).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn run<T, B, Fut>(
        &self,
        body: B,
    ) -> impl Future<Output = Result<T, GroupError<E>>> + use<T, B, Fut, E>
    where
        B: FnOnce(Self) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let Some(scope) = Scope::enter(self.core.clone()) else {
            panic!("the task group was run before: make a new one for each run");
        };
        let group = self.clone();
        async move { scope.run(move || body(group)).await }
    }

    /// Spawns a child: calls `factory` on the loop that the pool's scheduler picks, and runs the
    /// future there, to its end. The future need not be `Send`.
    ///
    /// The handle gives the child's value; what goes wrong in it is the group's.
    ///
    /// It never waits: children that are spawned faster than the loops run them pile up, in the pool
    /// up to its [capacity](thrasks_loop::Builder::capacity), or in the group that has a
    /// [`max_concurrency`](Builder::max_concurrency). A child needs memory until it has ended and its
    /// handle is gone, so who awaits the handles in waves needs that of one wave.
    ///
    /// # Errors
    ///
    /// Gives the factory back when the group is not running or shutting down, and when the pool is
    /// closed, full, or its scheduler refuses.
    ///
    /// # Cancel safety
    ///
    /// That of the [`GroupHandle`].
    ///
    /// # Examples
    ///
    /// Children may spawn, too:
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// type BoxError = Box<dyn std::error::Error + Send + Sync>;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let answer = futures_lite::future::block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
    ///     let siblings = group.clone();
    ///     let child = group.spawn(move || async move {
    ///         let child_of_a_child = siblings.spawn(|| async { Ok(42) })?;
    ///         Ok(child_of_a_child.await?)
    ///     })?;
    ///     Ok(child.await?)
    /// }))?;
    /// assert_eq!(answer, 42);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn spawn<F, Fut, T>(&self, factory: F) -> Result<GroupHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + 'static,
        T: Send + 'static,
    {
        self.launch(None, factory)
    }

    /// As [`spawn`](Self::spawn), on one loop of the pool, whatever the scheduler would pick.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn), and when there is no such worker.
    ///
    /// # Cancel safety
    ///
    /// That of the [`GroupHandle`].
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// type BoxError = Box<dyn std::error::Error + Send + Sync>;
    ///
    /// let pool = LoopPool::builder().threads(2).name("p").build()?;
    /// let name = || async { Ok::<_, BoxError>(std::thread::current().name().map(str::to_owned)) };
    /// let name = futures_lite::future::block_on(TaskGroup::scope(&pool, async |group| {
    ///     assert!(group.spawn_on(2, name).is_err());
    ///     Ok(group.spawn_on(1, name)?.await?)
    /// }))?;
    /// assert_eq!(name.as_deref(), Some("p-1"));
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn spawn_on<F, Fut, T>(
        &self,
        worker: usize,
        factory: F,
    ) -> Result<GroupHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + 'static,
        T: Send + 'static,
    {
        self.launch(Some(worker), factory)
    }

    fn launch<F, Fut, T>(
        &self,
        worker: Option<usize>,
        factory: F,
    ) -> Result<GroupHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + 'static,
        T: Send + 'static,
    {
        let core = &self.core;
        let order = match core.state.count_in() {
            Ok(order) => order,
            Err(refusal) => return Err(SpawnError::new(factory, Reason::Refused(refusal))),
        };
        // Looked at here already: a child that is to wait for its turn could only fail later.
        let workers = self.pool.workers();
        let out_of_range = worker.filter(|worker| *worker >= workers);
        let reason = match out_of_range {
            _ if self.pool.is_closed() => Some(Reason::Closed),
            Some(worker) => Some(Reason::OutOfRange { worker, workers }),
            None => None,
        };
        if let Some(reason) = reason {
            core.leave();
            return Err(SpawnError::new(factory, reason));
        }
        let child = Arc::new(Child::new(core.clone(), order, factory));
        let task = Task::kept(child.clone(), 0);
        let spawned = match core.limit() {
            None => spawn(task, &child, &self.pool, worker),
            Some(limit) => {
                let pool = self.pool.clone();
                let launch = Launch { task, child: child.clone(), pool, worker };
                let Some(waiting) = limit.enter(Box::new(launch)) else {
                    return Ok(GroupHandle::new(child));
                };
                let Ok(launch) = waiting.into_any().downcast::<Launch<F, T, E>>() else {
                    unreachable!("a limit gives back what was put in");
                };
                child.count();
                let Launch { task, pool, .. } = *launch;
                spawn(task, &child, &pool, worker)
            }
        };
        match spawned {
            Ok(()) => Ok(GroupHandle::new(child)),
            Err((factory, reason)) => Err(SpawnError::new(factory, reason)),
        }
    }

    /// Cancels the body and every child that has not ended, and refuses new ones. Does not wait;
    /// the scope does. Allowed from any thread, at any time, any number of times.
    ///
    /// Cancelling is not a failure: the scope gives the body's value if that had ended, and
    /// otherwise an error for which [`GroupError::is_cancelled`] holds.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// type BoxError = Box<dyn std::error::Error + Send + Sync>;
    ///
    /// // The first that is done, of two.
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let first = futures_lite::future::block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
    ///     let fast = group.spawn(|| async { Ok("fast") })?;
    ///     group.spawn(std::future::pending::<Result<&str, _>>)?;
    ///     let first = fast.await?;
    ///     group.cancel();
    ///     Ok(first)
    /// }))?;
    /// assert_eq!(first, "fast");
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn cancel(&self) {
        self.core.abort();
    }

    /// Whether the group is shutting down: it was cancelled, or something in it failed.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let group = TaskGroup::<String>::new(&pool);
    /// assert!(!group.is_cancelled());
    /// group.cancel();
    /// assert!(group.is_cancelled());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.core.state.is_aborting()
    }

    /// Waits until the group has ended: its body and every child. Completes at once for a group
    /// that has not been run.
    ///
    /// For those who dropped the scope's future and still want to wait. Waiting for it inside of
    /// the group would wait for itself.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::{block_on, pending, poll_once};
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let group = TaskGroup::<String>::new(&pool);
    /// let scope = group.run(async |group| {
    ///     group.spawn(pending::<Result<(), _>>).unwrap();
    ///     Ok(())
    /// });
    /// block_on(async {
    ///     assert!(poll_once(scope).await.is_none());
    ///     // The future is dropped by now; the child may still be there for a moment.
    ///     group.ended().await;
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn ended(&self) {
        self.core.ended().await;
    }

    /// The pool that the children run on.
    ///
    /// # Examples
    ///
    /// A group inside a child:
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// type BoxError = Box<dyn std::error::Error + Send + Sync>;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let answer = futures_lite::future::block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
    ///     let pool = group.pool().clone();
    ///     let child = group.spawn(move || async move {
    ///         let inner = TaskGroup::<BoxError>::scope(&pool, async |group| {
    ///             Ok(group.spawn(|| async { Ok(42) })?.await?)
    ///         });
    ///         Ok(inner.await?)
    ///     })?;
    ///     Ok(child.await?)
    /// }))?;
    /// assert_eq!(answer, 42);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn pool(&self) -> &LoopPool {
        &self.pool
    }
}

impl<E> Clone for TaskGroup<E> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), pool: self.pool.clone() }
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup").field("state", &self.core).finish_non_exhaustive()
    }
}
