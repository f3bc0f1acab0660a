use std::{error::Error, fmt};

use crate::Refusal;

/// A job that was not submitted: the factory, given back, and why.
///
/// # Examples
///
/// ```
/// use thrasks_loop::LoopPool;
/// use thrasks_pool::TaskPool;
///
/// let pool = TaskPool::new(LoopPool::builder().threads(1).build()?);
/// pool.close(false);
/// let error = pool.try_submit(|| async { 7 }).unwrap_err();
/// assert_eq!(error.to_string(), "the job was not submitted: the pool is closed");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TrySubmitError<F> {
    factory: F,
    refusal: Refusal,
}

impl<F> TrySubmitError<F> {
    pub(crate) fn new(factory: F, refusal: Refusal) -> Self {
        Self { factory, refusal }
    }

    /// The factory, given back.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(1).build()?);
    /// pool.close(false);
    /// let factory = pool.try_submit(|| async { 7 }).unwrap_err().into_factory();
    /// assert_eq!(futures_lite::future::block_on(factory()), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_factory(self) -> F {
        self.factory
    }

    /// Why.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::{Refusal, TaskPool};
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(1).build()?);
    /// pool.close(false);
    /// assert_eq!(pool.try_submit(|| async {}).unwrap_err().refusal(), Refusal::Closed);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }
}

impl<F> fmt::Debug for TrySubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrySubmitError").field("refusal", &self.refusal).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for TrySubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the job was not submitted: {}", self.refusal)
    }
}

impl<F> Error for TrySubmitError<F> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.refusal)
    }
}
