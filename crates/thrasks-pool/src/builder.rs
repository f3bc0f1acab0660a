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
    /// ```
    /// use thrasks_pool::{Local, PoolBuilder, Worker};
    ///
    /// let pool = PoolBuilder::new().build(|_refused: Worker<Local>| ());
    /// assert!(pool.max_workers() > 0);
    /// ```
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
    /// ```
    /// use thrasks_pool::{Local, TaskPool, Worker};
    ///
    /// let pool = TaskPool::builder().max_workers(2).build(|_refused: Worker<Local>| ());
    /// assert_eq!(pool.max_workers(), 2);
    /// ```
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
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::{Refusal, TaskPool};
    ///
    /// let loops = LoopPool::builder().threads(1).build()?;
    /// let pool = TaskPool::builder().max_workers(1).capacity(1).build(loops);
    /// let runs = pool.try_submit(std::future::pending::<()>)?;
    /// let waits = pool.try_submit(|| async {})?;
    /// assert_eq!(pool.try_submit(|| async {}).unwrap_err().refusal(), Refusal::Full);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// What the [workers' names](crate::Worker::name) begin with. By default `tasks`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Local, TaskPool, Worker};
    ///
    /// let pool = TaskPool::builder().name("fetch").build(|worker: Worker<Local>| {
    ///     assert_eq!(worker.name(), "fetch-0");
    ///     futures_lite::future::block_on(worker.run());
    /// });
    /// assert!(pool.submit(|| async {}).is_finished());
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A pool whose workers this executor runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::PoolBuilder;
    ///
    /// let pool = PoolBuilder::new().build(LoopPool::builder().threads(2).build()?);
    /// assert_eq!(futures_lite::future::block_on(pool.submit(|| async { 7 }))?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
