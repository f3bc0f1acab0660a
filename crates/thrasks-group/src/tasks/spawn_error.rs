use std::{
    error::Error,
    fmt,
    sync::{Mutex, PoisonError},
};

use crate::Refusal;

/// A child that was not spawned: the factory, given back, and why.
///
/// # Examples
///
/// ```
/// use thrasks_group::{Refusal, TaskGroup};
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(1).build()?;
/// let group = TaskGroup::<String>::new(&pool);
/// let error = group.spawn(|| async { Ok(7) }).unwrap_err();
/// assert_eq!(error.refusal(), Some(Refusal::NotEntered));
/// assert_eq!(
///     error.to_string(),
///     "the child was not spawned: its group is not running yet; spawn in the body of its scope",
/// );
/// let factory = error.into_factory();
/// assert_eq!(futures_lite::future::block_on(factory()), Ok(7));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct SpawnError<F> {
    /// In a mutex to make the error `Sync` with a factory that is only `Send`, so that `?` makes
    /// any boxed error of it.
    factory: Mutex<F>,
    reason: Reason,
}

pub(crate) enum Reason {
    Refused(Refusal),
    Closed,
    Full,
    OutOfRange { worker: usize, workers: usize },
    Pool(String),
}

impl Reason {
    pub(crate) fn of(reason: &thrasks_sched::Reason) -> Self {
        match reason {
            thrasks_sched::Reason::Closed => Self::Closed,
            thrasks_sched::Reason::Full => Self::Full,
            other => Self::Pool(other.to_string()),
        }
    }
}

impl<F> SpawnError<F> {
    pub(crate) fn new(factory: F, reason: Reason) -> Self {
        Self { factory: Mutex::new(factory), reason }
    }

    /// The factory, given back.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let group = TaskGroup::<String>::new(&pool);
    /// let error = group.spawn(|| async { Ok(7) }).unwrap_err();
    /// let factory = error.into_factory();
    /// assert_eq!(futures_lite::future::block_on(factory()), Ok(7));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_factory(self) -> F {
        self.factory.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the group refused the child; `None` if it was the pool that did not take it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::{Refusal, TaskGroup};
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let group = TaskGroup::<String>::new(&pool);
    /// let error = group.spawn(|| async { Ok(7) }).unwrap_err();
    /// assert_eq!(error.refusal(), Some(Refusal::NotEntered));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn refusal(&self) -> Option<Refusal> {
        match self.reason {
            Reason::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether the pool is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// pool.close();
    /// futures_lite::future::block_on(TaskGroup::scope(&pool, async |group| {
    ///     let error = group.spawn(|| async { Ok(()) }).unwrap_err();
    ///     assert!(error.is_closed());
    ///     Ok::<_, String>(())
    /// })).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        matches!(self.reason, Reason::Closed)
    }

    /// Whether as many tasks wait in the pool as its capacity allows.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).capacity(0).build()?;
    /// futures_lite::future::block_on(TaskGroup::scope(&pool, async |group| {
    ///     assert!(group.spawn(|| async { Ok(()) }).unwrap_err().is_full());
    ///     Ok::<_, String>(())
    /// })).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_full(&self) -> bool {
        matches!(self.reason, Reason::Full)
    }
}

impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpawnError({self})")
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match &self.reason {
            Reason::Refused(Refusal::NotEntered) => {
                "its group is not running yet; spawn in the body of its scope"
            }
            Reason::Refused(Refusal::Finished) => "its group is finished",
            Reason::Refused(Refusal::ShuttingDown) => {
                "its group is shutting down, after a failure or because it was cancelled"
            }
            Reason::Closed => "the pool is closed",
            Reason::Full => "as many tasks wait in the pool as its capacity allows",
            Reason::OutOfRange { worker, workers } => {
                return write!(
                    f,
                    "the child was not spawned: there is no worker {worker}, the pool has \
                     {workers}, numbered from 0"
                );
            }
            Reason::Pool(text) => return write!(f, "the task was not spawned: {text}"),
        };
        write!(f, "the child was not spawned: {why}")
    }
}

impl<F> Error for SpawnError<F> {}
