use std::{fmt, io, num::NonZeroUsize, sync::Arc, thread, time::Duration};

use thrasks_loop::{Join, ThreadSpec};

use super::{BlockingPool, Inner, crew::IdleHook};
use crate::starter::Starter;

/// Describes a [`BlockingPool`]; see [`BlockingPool::builder`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use thrasks_bridge::BlockingPool;
///
/// let pool = BlockingPool::builder()
///     .max_threads(4)
///     .keep_alive(Duration::from_secs(1))
///     .name("files")
///     .build()?;
/// assert_eq!(pool.stats().cap, 4);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a builder does nothing before `build`"]
pub struct BlockingPoolBuilder {
    max_threads: usize,
    keep_alive: Duration,
    starter: Starter,
    idle_hook: Option<IdleHook>,
}

impl BlockingPoolBuilder {
    pub(super) fn new() -> Self {
        let parallelism = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            max_threads: (parallelism + 4).min(32),
            keep_alive: Duration::from_secs(10),
            starter: Starter::new("thrasks-blocking"),
            idle_hook: None,
        }
    }

    /// How many jobs may run at once. Without it: four more than the machine runs threads at once,
    /// and at most 32.
    ///
    /// Jobs that wait do not count: see [`while_waiting`](crate::while_waiting).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().max_threads(2).build()?;
    /// assert_eq!(pool.stats().cap, 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn max_threads(mut self, max_threads: usize) -> Self {
        self.max_threads = max_threads;
        self
    }

    /// How long a thread stays without a job before it retires. Without it: ten seconds.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().keep_alive(Duration::ZERO).build()?;
    /// futures_lite::future::block_on(pool.call(|| ()))?;
    /// while pool.stats().threads > 0 {
    ///     std::thread::yield_now();
    /// }
    /// assert!(!pool.is_closed(), "the next job starts a thread again");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// What the threads' names begin with: they are `name-0`, `name-1` and so on. Without it:
    /// `thrasks-blocking`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().name("files").build()?;
    /// let name = pool.call(|| std::thread::current().name().map(str::to_owned));
    /// assert_eq!(futures_lite::future::block_on(name)?.as_deref(), Some("files-0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.starter.name = name.into();
        self
    }

    /// The stack size of each thread, in bytes. Without it: the platform's default.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().stack_size(1 << 20).build()?;
    /// assert_eq!(futures_lite::future::block_on(pool.call(|| 1))?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.starter.stack_size = Some(bytes);
        self
    }

    /// Makes the threads, as in [`thrasks_loop::Builder::spawn_hook`]. Without it:
    /// [`spawn_std_thread`](thrasks_loop::spawn_std_thread).
    ///
    /// It is called by whoever pushes a job, waits in one or is about to run one, with no lock held.
    /// When it fails, or panics, and no other thread is there to run the job, the job is refused,
    /// and those that others have pushed meanwhile are cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
    /// use thrasks_bridge::BlockingPool;
    /// use thrasks_loop::spawn_std_thread;
    ///
    /// let count = Arc::new(AtomicUsize::new(0));
    /// let counted = count.clone();
    /// let pool = BlockingPool::builder()
    ///     .spawn_hook(move |spec| {
    ///         counted.fetch_add(1, Ordering::Relaxed);
    ///         spawn_std_thread(spec)
    ///     })
    ///     .build()?;
    /// assert_eq!(count.load(Ordering::Relaxed), 0);
    /// futures_lite::future::block_on(pool.call(|| ()))?;
    /// assert_eq!(count.load(Ordering::Relaxed), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn_hook(
        mut self,
        hook: impl Fn(ThreadSpec) -> io::Result<Join> + Send + Sync + 'static,
    ) -> Self {
        self.starter.hook = Arc::new(hook);
        self
    }

    /// Calls `hook` on each thread without a job, every so often, until it has one or retires. A
    /// panic of it goes no further than the process's panic hook.
    ///
    /// For threads that owe something to a runtime of theirs even while they do nothing. It had
    /// better be quick: a job for the thread waits until it has returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::mpsc, time::Duration};
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let pool = BlockingPool::builder()
    ///     .idle_hook(Duration::from_millis(1), move || drop(sender.send("idle")))
    ///     .build()?;
    /// futures_lite::future::block_on(pool.call(|| ()))?;
    /// assert_eq!(receiver.recv(), Ok("idle"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn idle_hook(mut self, every: Duration, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.idle_hook = Some(IdleHook { every, call: Box::new(hook) });
        self
    }

    /// Makes the pool. It has no thread yet.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a pool that may run no job.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::BlockingPool;
    ///
    /// assert!(BlockingPool::builder().max_threads(0).build().is_err());
    /// ```
    pub fn build(self) -> io::Result<BlockingPool> {
        if self.max_threads == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a pool of threads needs max_threads of at least 1, got 0",
            ));
        }
        let inner = Inner::new(self.max_threads, self.keep_alive, self.starter, self.idle_hook);
        Ok(BlockingPool::new(Arc::new(inner)))
    }
}

impl fmt::Debug for BlockingPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingPoolBuilder")
            .field("max_threads", &self.max_threads)
            .field("keep_alive", &self.keep_alive)
            .field("starter", &self.starter)
            .finish_non_exhaustive()
    }
}
