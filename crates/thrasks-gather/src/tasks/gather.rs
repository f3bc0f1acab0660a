use std::{fmt, future::IntoFuture, marker::PhantomData};

use thrasks_loop::LoopPool;

use crate::{All, GatherFuture, Kind, Settled, Try};

/// Runs the futures that the factories make, on the loops of a pool, and gives their values, in the
/// order of the factories.
///
/// # Errors
///
/// When a task panics, or the pool does not take it or ends before it: with what came first. The
/// other tasks are cancelled then, and have ended when the error is there.
///
/// # Cancel safety
///
/// See [`GatherFuture`].
///
/// # Examples
///
/// ```
/// use thrasks_gather::gather;
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(2).build()?;
/// let squares = gather(&pool, (0..5u32).map(|i| move || async move { i * i }));
/// let squares = futures_lite::future::block_on(squares.into_future())?;
/// assert_eq!(squares, [0, 1, 4, 9, 16]);
///
/// let panicking = gather(&pool, [|| async { panic!("oops") }]);
/// let failure = futures_lite::future::block_on(panicking.into_future()).unwrap_err();
/// assert_eq!(failure.to_string(), "the task panicked: oops");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn gather<I, F, Fut, T>(pool: &LoopPool, factories: I) -> Gather<I::IntoIter, All>
where
    I: IntoIterator<Item = F>,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T> + 'static,
    T: Send + 'static,
{
    Gather::new(pool, factories.into_iter())
}

/// As [`gather`], for futures that yield a `Result`: the first error cancels the rest.
///
/// # Errors
///
/// When a task returns an error or panics, or the pool does not take it or ends before it: with what
/// came first. The other tasks are cancelled then, and have ended when the error is there.
///
/// # Cancel safety
///
/// See [`GatherFuture`].
///
/// # Examples
///
/// ```
/// use thrasks_gather::try_gather;
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(2).build()?;
/// let parse = |text: &'static str| move || async move { text.parse::<u32>() };
/// futures_lite::future::block_on(async {
///     assert_eq!(try_gather(&pool, ["1", "2"].map(parse)).await.unwrap(), [1, 2]);
///
///     let failure = try_gather(&pool, ["1", "two"].map(parse)).await.unwrap_err();
///     assert_eq!(failure.to_string(), "invalid digit found in string");
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn try_gather<I, F, Fut, T, E>(pool: &LoopPool, factories: I) -> Gather<I::IntoIter, Try>
where
    I: IntoIterator<Item = F>,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    Gather::new(pool, factories.into_iter())
}

/// As [`gather`], but gives every outcome: whatever fails, the others go on. As JavaScript's
/// `Promise.allSettled`, and asyncio's `gather` with `return_exceptions=True`.
///
/// # Cancel safety
///
/// See [`GatherFuture`].
///
/// # Examples
///
/// ```
/// use thrasks_gather::gather_settled;
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(2).build()?;
/// let half = |i: u32| move || async move { if i % 2 == 0 { i / 2 } else { panic!("{i} is odd") } };
/// let settled = gather_settled(&pool, [8, 7].map(half));
/// let outcomes = futures_lite::future::block_on(settled.into_future());
/// assert_eq!(*outcomes[0].as_ref().unwrap(), 4);
/// assert_eq!(outcomes[1].as_ref().unwrap_err().to_string(), "the task panicked: 7 is odd");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn gather_settled<I, F, Fut, T>(pool: &LoopPool, factories: I) -> Gather<I::IntoIter, Settled>
where
    I: IntoIterator<Item = F>,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T> + 'static,
    T: Send + 'static,
{
    Gather::new(pool, factories.into_iter())
}

/// A gather before its start: set a [`limit`](Self::limit), or await it.
///
/// # Cancel safety
///
/// Dropped before it is awaited, nothing was run; from then on see [`GatherFuture`].
///
/// # Examples
///
/// ```
/// use thrasks_gather::gather;
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(2).build()?;
/// let gather = gather(&pool, (0..100).map(|i| move || async move { i })).limit(8);
/// assert_eq!(futures_lite::future::block_on(gather.into_future())?.len(), 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a gather does nothing unless it is awaited"]
pub struct Gather<I, K> {
    pub(crate) pool: LoopPool,
    pub(crate) factories: I,
    pub(crate) limit: Option<usize>,
    kind: PhantomData<fn() -> K>,
}

impl<I, K> Gather<I, K> {
    fn new(pool: &LoopPool, factories: I) -> Self {
        Self { pool: pool.clone(), factories, limit: None, kind: PhantomData }
    }

    /// At most this many tasks are alive at a time, from the call of their factory until their
    /// future is gone.
    ///
    /// The factories are then taken from their iterator as the tasks go on, and at most as many
    /// ahead of them: an iterator that makes something large for each does not make it for all.
    ///
    /// # Panics
    ///
    /// When `tasks` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_gather::gather;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let gather = gather(&pool, (0..1000).map(|i| move || async move { i })).limit(2);
    /// assert_eq!(futures_lite::future::block_on(gather.into_future())?[999], 999);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn limit(mut self, tasks: usize) -> Self {
        assert!(tasks > 0, "limit(0) would never run a task: give it at least 1, or leave it out");
        self.limit = Some(tasks);
        self
    }
}

impl<I, F, Fut, K> IntoFuture for Gather<I, K>
where
    I: Iterator<Item = F>,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future + 'static,
    Fut::Output: Send + 'static,
    K: Kind<Fut::Output>,
{
    type Output = K::Output;
    type IntoFuture = GatherFuture<I, K, Fut::Output>;

    fn into_future(self) -> Self::IntoFuture {
        GatherFuture::new(self)
    }
}

impl<I, K> fmt::Debug for Gather<I, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("limit", &self.limit).finish_non_exhaustive()
    }
}
