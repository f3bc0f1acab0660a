use std::{error::Error, fmt, future::Future};

use thrasks_sched::{Reason, Rejected};

use crate::{JoinHandle, Task, permits::Permit};

/// A task that was not spawned: the factory, given back, and why.
///
/// # Examples
///
/// ```
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(1).build()?;
/// pool.close();
/// let error = pool.try_spawn(|| async { 7 }).unwrap_err();
/// assert_eq!(error.to_string(), "the task was not spawned: the pool is closed");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct SpawnError<F> {
    factory: F,
    reason: Reason,
}

impl<F> SpawnError<F> {
    pub(crate) fn new(factory: F, reason: Reason) -> Self {
        Self { factory, reason }
    }

    /// The factory, given back.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// pool.close();
    /// let error = pool.try_spawn(|| async { 7 }).unwrap_err();
    /// let factory = error.into_factory();
    /// assert_eq!(futures_lite::future::block_on(factory()), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_factory(self) -> F {
        self.factory
    }

    /// Whether as many tasks wait to be started as may.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).capacity(0).build()?;
    /// assert!(pool.try_spawn(|| async {}).unwrap_err().is_full());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_full(&self) -> bool {
        matches!(self.reason, Reason::Full)
    }

    /// Whether the pool or the loop is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// pool.close();
    /// assert!(pool.try_spawn(|| async {}).unwrap_err().is_closed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        matches!(self.reason, Reason::Closed)
    }
}

impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Closed => f.write_str("the task was not spawned: the pool is closed"),
            Reason::Full => f.write_str(
                "the task was not spawned: as many tasks wait to be started as the capacity allows",
            ),
            reason => write!(f, "the task was not spawned: {reason}"),
        }
    }
}

impl<F> Error for SpawnError<F> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.reason {
            Reason::Policy(error) => Some(&**error),
            _ => None,
        }
    }
}

/// Makes a task of the factory and sends it off.
pub(crate) fn launch<F, Fut, T>(
    factory: F,
    permit: Option<Permit>,
    submit: impl FnOnce(Task) -> Result<(), Rejected<Task>>,
) -> Result<JoinHandle<T>, SpawnError<F>>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T> + 'static,
    T: Send + 'static,
{
    let (task, handle) = Task::new(factory);
    match submit(task.with_permit(permit)) {
        Ok(()) => Ok(handle),
        Err(rejected) => {
            let (task, reason) = rejected.into_parts();
            Err(SpawnError::new(task.into_factory(), reason))
        }
    }
}
