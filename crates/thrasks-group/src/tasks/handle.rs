use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::child::Handle;

/// A child of a [`TaskGroup`](crate::TaskGroup). Await it, from anywhere, for its value.
///
/// Dropping it does not cancel the child, which is the group's; only the value is then dropped as
/// soon as it is there.
///
/// # Cancel safety
///
/// Awaiting `&mut handle` is cancel safe: the value stays until it is taken.
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
/// let sum = futures_lite::future::block_on(TaskGroup::scope(&pool, async |group| {
///     let a = group.spawn(|| async { Ok::<_, BoxError>(1) })?;
///     let b = group.spawn(|| async { Ok(2) })?;
///     Ok(a.await? + b.await?)
/// }))?;
/// assert_eq!(sum, 3);
/// # Ok::<(), BoxError>(())
/// ```
pub struct GroupHandle<T> {
    child: Arc<dyn Handle<T>>,
}

impl<T> GroupHandle<T> {
    pub(crate) fn new(child: Arc<dyn Handle<T>>) -> Self {
        Self { child }
    }

    /// Asks the child to end. It is dropped before its next poll, or before its start, on its loop;
    /// its siblings go on, and the group does not take it for a failure. One that has ended stays
    /// as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::{ChildError, TaskGroup};
    /// use thrasks_loop::LoopPool;
    ///
    /// type BoxError = Box<dyn std::error::Error + Send + Sync>;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// futures_lite::future::block_on(TaskGroup::scope(&pool, async |group| {
    ///     let child = group.spawn(std::future::pending::<Result<(), BoxError>>)?;
    ///     child.cancel();
    ///     assert_eq!(child.await, Err(ChildError::Cancelled));
    ///     Ok(())
    /// }))?;
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn cancel(&self) {
        self.child.cancel();
    }

    /// Whether the child has ended. Each one has when the group's scope is over.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::TaskGroup;
    /// use thrasks_loop::LoopPool;
    ///
    /// type BoxError = Box<dyn std::error::Error + Send + Sync>;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let handle = futures_lite::future::block_on(TaskGroup::scope(&pool, async |group| {
    ///     Ok(group.spawn(|| async { Ok::<_, BoxError>(7) })?)
    /// }))?;
    /// assert!(handle.is_finished());
    /// assert_eq!(futures_lite::future::block_on(handle), Ok(7));
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn is_finished(&self) -> bool {
        self.child.is_finished()
    }
}

impl<T> Future for GroupHandle<T> {
    type Output = Result<T, ChildError>;

    /// # Panics
    ///
    /// When polled again after it was ready.
    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.child.poll(cx)
    }
}

impl<T> Drop for GroupHandle<T> {
    fn drop(&mut self) {
        self.child.disown();
    }
}

impl<T> fmt::Debug for GroupHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupHandle").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

/// Why a child has no value. What went wrong in it is in the group's
/// [`GroupError`](crate::GroupError).
///
/// # Examples
///
/// ```
/// use thrasks_group::ChildError;
///
/// assert_eq!(ChildError::Cancelled.to_string(), "the child was cancelled");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildError {
    /// It returned an error.
    Failed,
    /// It panicked.
    Panicked,
    /// It was cancelled, by its handle or with its group.
    Cancelled,
    /// The pool did not take it, or ended before it did.
    Lost,
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "the child failed; its group has the error",
            Self::Panicked => "the child panicked; its group has the panic",
            Self::Cancelled => "the child was cancelled",
            Self::Lost => "the pool or its loop ended before the child did",
        })
    }
}

impl Error for ChildError {}
