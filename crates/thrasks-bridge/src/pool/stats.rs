/// What a pool of threads for blocking code does and has done: see
/// [`BlockingPool::stats`](crate::BlockingPool::stats).
///
/// # Examples
///
/// ```
/// use thrasks_bridge::BlockingPool;
///
/// let pool = BlockingPool::builder().max_threads(2).build()?;
/// let stats = pool.stats();
/// assert_eq!((stats.cap, stats.threads, stats.queued), (2, 0, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockingStats {
    /// The threads there are, those about to start included.
    pub threads: usize,
    /// The threads without a job, waiting for one or for their retirement.
    pub idle: usize,
    /// The jobs that no thread has begun.
    pub queued: usize,
    /// The jobs that threads are in, but for those that wait.
    pub running: usize,
    /// The jobs that are in a [`while_waiting`](crate::while_waiting).
    pub waiting: usize,
    /// The jobs that have ended on a thread, however they ended.
    pub completed: u64,
    /// The jobs among them that panicked.
    pub panicked: u64,
    /// How many jobs may run at once.
    pub cap: usize,
}
