use std::{fmt, marker::PhantomData};

use thrasks_loop::LoopPool;

use crate::{GroupError, TaskGroup};

/// How a [`TaskGroup`] is made.
///
/// # Examples
///
/// ```
/// use thrasks_group::TaskGroup;
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(2).build()?;
/// let scope = TaskGroup::builder(&pool).max_concurrency(8).scope(async |group| {
///     for i in 0..100 {
///         group.spawn(move || async move { Ok::<_, String>(i) }).unwrap();
///     }
///     Ok("done")
/// });
/// assert_eq!(futures_lite::future::block_on(scope).unwrap(), "done");
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct Builder<E> {
    pool: LoopPool,
    cancel_on_failure: bool,
    limit: Option<usize>,
    error: PhantomData<fn() -> E>,
}

impl<E: Send + 'static> Builder<E> {
    pub(crate) fn new(pool: &LoopPool) -> Self {
        Self { pool: pool.clone(), cancel_on_failure: true, limit: None, error: PhantomData }
    }

    /// Lets the siblings and the body go on when a child fails, and the children when the body
    /// does; the group's error then holds all that failed. (A panic of the body still cancels.)
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let scope = TaskGroup::builder(&pool).collect_errors().scope(async |group| {
    ///     group.spawn(|| async { Err::<(), _>("a") }).unwrap();
    ///     group.spawn(|| async { Err::<(), _>("b") }).unwrap();
    ///     Ok(())
    /// });
    /// let error = futures_lite::future::block_on(scope).unwrap_err();
    /// assert_eq!(error.failures().len(), 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn collect_errors(mut self) -> Self {
        self.cancel_on_failure = false;
        self
    }

    /// At most this many children are alive at a time, from the call of their factory until their
    /// future is gone. The others wait in the group, and start in the order of their spawning.
    ///
    /// A child that waits for others which cannot start before it ends waits for ever.
    ///
    /// # Panics
    ///
    /// When `children` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let scope = TaskGroup::<String>::builder(&pool).max_concurrency(1).scope(async |group| {
    ///     group.spawn(|| async { Ok(println!("first")) }).unwrap();
    ///     group.spawn(|| async { Ok(println!("then, when that has ended")) }).unwrap();
    ///     Ok(())
    /// });
    /// assert!(futures_lite::future::block_on(scope).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn max_concurrency(mut self, children: usize) -> Self {
        assert!(
            children > 0,
            "max_concurrency(0) would never run a child: give it at least 1, or leave it out"
        );
        self.limit = Some(children);
        self
    }

    /// The group, to be [`run`](TaskGroup::run).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let group = TaskGroup::<String>::builder(&pool).collect_errors().build();
    /// assert_eq!(futures_lite::future::block_on(group.run(async |_group| Ok(7))).unwrap(), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn build(self) -> TaskGroup<E> {
        TaskGroup::from_parts(self.pool, self.cancel_on_failure, self.limit)
    }

    /// Makes the group and runs `body` in it: the short form of [`TaskGroup::run`].
    ///
    /// # Panics
    ///
    /// As [`TaskGroup::run`]: the future panics when the body did.
    ///
    /// # Errors
    ///
    /// As [`TaskGroup::run`].
    ///
    /// # Cancel safety
    ///
    /// That of [`TaskGroup::run`].
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let scope = TaskGroup::<String>::builder(&pool).scope(async |_group| Ok(7));
    /// assert_eq!(futures_lite::future::block_on(scope).unwrap(), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn scope<T, B, Fut>(
        self,
        body: B,
    ) -> impl Future<Output = Result<T, GroupError<E>>> + use<T, B, Fut, E>
    where
        B: FnOnce(TaskGroup<E>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.build().run(body)
    }
}

impl<E> fmt::Debug for Builder<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("collect_errors", &!self.cancel_on_failure)
            .field("max_concurrency", &self.limit)
            .finish_non_exhaustive()
    }
}
