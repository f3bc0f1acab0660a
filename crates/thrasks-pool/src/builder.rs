use std::sync::Arc;

use crate::{Kind, Spawn, TaskPool, shared::Shared};

/// Describes a [`TaskPool`].
///
/// # Examples
///
/// ```
/// use thrasks_loop::LoopPool;
/// use thrasks_pool::TaskPool;
///
/// let loops = LoopPool::builder().threads(2).build()?;
/// let pool = TaskPool::builder().max_workers(8).capacity(100).name("fetch").build(loops);
/// assert_eq!(pool.max_workers(), 8);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct PoolBuilder {
    max_workers: Option<usize>,
    capacity: usize,
    name: String,
}

impl PoolBuilder {
    /// One with the defaults.
    ///
    /// # Examples
    ///
    /// See [`PoolBuilder`].
    pub fn new() -> Self {
        Self { max_workers: None, capacity: usize::MAX, name: "tasks".to_owned() }
    }

    /// How many jobs run at a time, at most. By default as many as the machine runs threads in
    /// parallel.
    ///
    /// # Panics
    ///
    /// When it is 0.
    ///
    /// # Examples
    ///
    /// See [`PoolBuilder`].
    #[track_caller]
    pub fn max_workers(mut self, max_workers: usize) -> Self {
        assert!(max_workers > 0, "a pool needs at least one worker, got max_workers(0)");
        self.max_workers = Some(max_workers);
        self
    }

    /// How many jobs may wait while every worker is at work, before
    /// [`try_submit`](TaskPool::try_submit) refuses one. By default any number.
    ///
    /// # Examples
    ///
    /// See [`TaskPool::try_submit`].
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// What the [workers' names](crate::Worker::name) begin with. By default `tasks`.
    ///
    /// # Examples
    ///
    /// See [`PoolBuilder`].
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A pool whose workers this executor runs.
    ///
    /// # Examples
    ///
    /// See [`PoolBuilder`].
    pub fn build<K: Kind>(self, spawner: impl Spawn<K> + 'static) -> TaskPool<K> {
        let max_workers = self
            .max_workers
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let shared = Shared::new(Box::new(spawner), self.name, max_workers);
        TaskPool::from_shared(Arc::new(shared), self.capacity)
    }
}

impl Default for PoolBuilder {
    fn default() -> Self {
        Self::new()
    }
}
