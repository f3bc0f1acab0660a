use std::time::Duration;

use crate::LoopStats;

/// What a pool has done so far.
///
/// # Examples
///
/// ```
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(2).build()?;
/// futures_lite::future::block_on(pool.try_spawn(|| async {})?)?;
/// let stats = pool.stats();
/// assert_eq!((stats.queued, stats.running, stats.done), (0, 0, 1));
/// assert_eq!(stats.loops.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Jobs that wait to be started.
    pub queued: usize,
    /// Jobs started and not ended.
    pub running: usize,
    /// Jobs ended, however they ended.
    pub done: u64,
    /// Each loop's own numbers, in the order of the workers.
    pub loops: Vec<LoopStats>,
}

/// What became of a pool's jobs and threads in a [`shutdown`](crate::LoopPool::shutdown).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(2).build()?;
/// pool.try_spawn(|| async {})?.detach();
/// let report = pool.shutdown(Duration::from_secs(1));
/// assert_eq!((report.completed, report.cancelled), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Jobs that had ended when the loops were stopped, over the life of the pool, however they
    /// ended.
    pub completed: u64,
    /// Jobs that the shutdown dropped before they started, or while they ran; and those that still
    /// run on threads that did not stop.
    pub cancelled: usize,
    /// The names of the threads that did not stop: they are in synchronous code, and end when that
    /// returns.
    pub unstopped: Vec<String>,
    /// How long the shutdown took.
    pub took: Duration,
}

impl Report {
    /// Whether every job ended before the loops were stopped, and every thread has been joined.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// assert!(pool.shutdown(Duration::ZERO).is_clean());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_clean(&self) -> bool {
        self.cancelled == 0 && self.unstopped.is_empty()
    }
}
