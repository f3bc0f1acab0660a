use std::time::Duration;

use crate::LoopStats;

/// What a pool has done so far.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Jobs that wait to be started.
    pub queued: usize,
    /// Jobs started and not ended.
    pub running: usize,
    /// Jobs ended.
    pub done: u64,
    /// Each loop's own numbers, in the order of the workers.
    pub loops: Vec<LoopStats>,
}

/// What became of a pool's jobs and threads in a [`shutdown`](crate::LoopPool::shutdown).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Jobs that ended on their own, over the life of the pool.
    pub completed: u64,
    /// Jobs that were dropped before they started, or while they ran.
    pub cancelled: usize,
    /// The names of the threads that did not stop: they are in synchronous code, and end when that
    /// returns.
    pub unstopped: Vec<String>,
    /// How long the shutdown took.
    pub took: Duration,
}

impl Report {
    /// Whether every job ended on its own and every thread has been joined.
    pub fn is_clean(&self) -> bool {
        self.cancelled == 0 && self.unstopped.is_empty()
    }
}
