use std::{fmt, sync::Arc, time::Instant};

use super::{BlockingPoolBuilder, BlockingStats, Inner};
use crate::{Call, Execute, Job, Refused, ThreadStream, call, stream};

/// Threads for blocking code, started as they are needed and kept for a while.
///
/// A job runs on an idle thread, the one that had a job last; without one, on a new thread, unless
/// as many jobs as may are running: then it waits for its turn, first in, first out. A thread
/// without a job retires after a while. Jobs that wait for something else do not count: see
/// [`while_waiting`](crate::while_waiting).
///
/// It is a handle: clones are the same pool. When the last one is dropped the pool closes, as by
/// [`close`](Self::close), which does not block.
///
/// # Examples
///
/// ```
/// use thrasks_bridge::BlockingPool;
///
/// let pool = BlockingPool::builder().max_threads(4).build()?;
/// let text = pool.call(|| std::fs::read_to_string("Cargo.toml"));
/// let text = futures_lite::future::block_on(text)??;
/// assert!(text.contains("thrasks-bridge"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "dropping the last handle closes the pool"]
pub struct BlockingPool {
    handle: Arc<Handle>,
}

/// What the handles share, and the threads do not.
struct Handle(Arc<Inner>);

impl BlockingPool {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { handle: Arc::new(Handle(inner)) }
    }

    /// Starts to describe a pool.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().name("files").build()?;
    /// assert_eq!(pool.stats().threads, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> BlockingPoolBuilder {
        BlockingPoolBuilder::new()
    }

    /// [`call`](crate::call()) on this pool.
    ///
    /// # Cancel safety
    ///
    /// That of the [`Call`].
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().build()?;
    /// assert_eq!(futures_lite::future::block_on(pool.call(|| 6 * 7))?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn call<T, F>(&self, f: F) -> Call<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        call(self, f)
    }

    /// [`stream`](crate::stream()) from a thread of this pool.
    ///
    /// # Panics
    ///
    /// When `capacity` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::{StreamExt, future::block_on};
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().build()?;
    /// let numbers: Vec<_> = block_on(pool.stream(8, || 0..3).try_collect())?;
    /// assert_eq!(numbers, [0, 1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn stream<I, F>(&self, capacity: impl Into<Option<usize>>, make: F) -> ThreadStream<I::Item>
    where
        F: FnOnce() -> I + Send + 'static,
        I: IntoIterator,
        I::Item: Send + 'static,
    {
        stream(self, capacity, make)
    }

    /// What the pool does and has done.
    ///
    /// A job counts as completed when its thread looks for the next: a moment after whoever waits
    /// for it may have heard of its end.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().build()?;
    /// futures_lite::future::block_on(pool.call(|| ()))?;
    /// pool.close();
    /// pool.wait_closed(None);
    /// assert_eq!(pool.stats().completed, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stats(&self) -> BlockingStats {
        self.handle.0.stats()
    }

    /// The names of the threads that are in a job, waiting or not, or on their way to one: for a
    /// report on what keeps a pool from its end.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().name("files").build()?;
    /// let (sender, receiver) = mpsc::channel::<()>();
    /// let running = pool.call(move || receiver.recv());
    /// assert_eq!(pool.running_threads(), ["files-0"]);
    /// drop(sender);
    /// # drop(running);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn running_threads(&self) -> Vec<String> {
        self.handle.0.running_threads()
    }

    /// Takes no more jobs. Those that are queued or running go on to their end; idle threads end
    /// at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().build()?;
    /// let taken = pool.call(|| 1);
    /// pool.close();
    /// assert_eq!(futures_lite::future::block_on(taken)?, 1);
    /// assert!(futures_lite::future::block_on(pool.call(|| 2)).unwrap_err().is_refused());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) {
        self.handle.0.close(false);
    }

    /// Takes no more jobs, and drops those that are queued: they are cancelled. Those that are
    /// running go on to their end; idle threads end at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().max_threads(1).build()?;
    /// let (sender, receiver) = mpsc::channel::<()>();
    /// let running = pool.call(move || receiver.recv());
    /// let queued = pool.call(|| ());
    /// while !running.is_started() {
    ///     std::thread::yield_now();
    /// }
    /// pool.close_now();
    /// assert!(futures_lite::future::block_on(queued).unwrap_err().is_cancelled());
    /// drop(sender);
    /// assert!(futures_lite::future::block_on(running)?.is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close_now(&self) {
        self.handle.0.close(true);
    }

    /// Whether the pool takes no more jobs.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().build()?;
    /// assert!(!pool.is_closed());
    /// pool.close();
    /// assert!(pool.is_closed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        self.handle.0.is_closed()
    }

    /// Blocks until the pool is closed and its threads have ended, or `deadline` has passed (with
    /// `None`, for as long as it takes); joins the threads. Returns whether they have ended. It does
    /// not close the pool: [`close`](Self::close) does.
    ///
    /// On a thread of the pool, which would wait for itself, it returns `false` at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().build()?;
    /// assert!(!pool.wait_closed(Some(Instant::now())));
    /// pool.close();
    /// assert!(pool.wait_closed(None));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait_closed(&self, deadline: Option<Instant>) -> bool {
        self.handle.0.wait_closed(deadline)
    }

    /// Completes when the pool is closed and its threads have said their last word: what they ran
    /// has ended. It does not join them.
    ///
    /// # Cancel safety
    ///
    /// It only watches.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().build()?;
    /// pool.call(|| ()).detach();
    /// pool.close();
    /// futures_lite::future::block_on(pool.closed());
    /// assert_eq!(pool.stats().completed, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn closed(&self) {
        self.handle.0.closed().await;
    }
}

impl Execute for BlockingPool {
    fn execute(&self, job: Job) -> Result<(), Refused> {
        self.handle.0.execute(job)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close(false);
    }
}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingPool").field("stats", &self.stats()).finish()
    }
}
