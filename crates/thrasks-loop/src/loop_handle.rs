use std::{fmt, sync::Arc, time::Instant};

use crate::{LoopId, LoopStats, shared::Shared};

/// A reference to a loop, from any thread, that neither keeps it running nor stops it.
///
/// # Examples
///
/// ```
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(2).name("p").build()?;
/// let names: Vec<_> = pool.loops().iter().map(|handle| handle.name()).collect();
/// assert_eq!(names, ["p-0", "p-1"]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct LoopHandle<J> {
    shared: Arc<Shared<J>>,
}

impl<J> LoopHandle<J> {
    pub(crate) fn new(shared: Arc<Shared<J>>) -> Self {
        Self { shared }
    }

    /// The name of the loop's thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().name("solo").start()?;
    /// assert_eq!(thread.handle().name(), "solo");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// Gives a job to this loop, past any scheduler and any bound.
    ///
    /// The scheduler does not know of it: a loop that is kept busy by what was posted to it counts
    /// as free. For a message rather than for work; for work there is
    /// [`submit_to`](crate::LoopPool::submit_to).
    ///
    /// # Errors
    ///
    /// Gives the job back when the loop has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopPool, Task};
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let (task, handle) = Task::new(|| async { "posted" });
    /// pool.loops()[1].post(task).expect("it runs");
    /// assert_eq!(futures_lite::future::block_on(handle)?, "posted");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn post(&self, job: J) -> Result<(), J> {
        self.shared.inbox.push(job)
    }

    /// Wakes the loop, unless a wake-up is on its way already.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// // It looks for work, finds none, and sleeps again.
    /// thread.handle().notify();
    /// assert_eq!(thread.stats().done, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn notify(&self) {
        self.shared.inbox.notify();
    }

    /// Asks the loop to end. If it is one of a pool's, the others take over what it has not begun.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let handle = thread.handle();
    /// handle.stop();
    /// futures_lite::future::block_on(handle.exited());
    /// assert!(handle.has_exited());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Whether the loop's thread has ended, its exit hook included.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let handle = thread.handle();
    /// assert!(!handle.has_exited());
    /// thread.join(None).expect("nothing keeps it");
    /// assert!(handle.has_exited());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn has_exited(&self) -> bool {
        self.shared.has_exited()
    }

    /// Whether the loop was asked to end.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// assert!(!thread.handle().is_stopping());
    /// thread.stop();
    /// assert!(thread.handle().is_stopping());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// How many jobs the loop has started so far.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// futures_lite::future::block_on(thread.spawn(|| async {})?)?;
    /// assert_eq!(thread.handle().started(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn started(&self) -> u64 {
        self.shared.counters.started()
    }

    /// Blocks until the loop's thread has ended, or `deadline` has passed; with `None`, for as long as
    /// it takes. Returns whether it has ended. It does not ask the loop to end: [`stop`](Self::stop)
    /// does.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// assert!(!thread.handle().wait_exit(Some(Instant::now())));
    /// thread.stop();
    /// assert!(thread.handle().wait_exit(None));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait_exit(&self, deadline: Option<Instant>) -> bool {
        self.shared.wait_exit(deadline)
    }

    /// Completes when the loop's thread has ended.
    ///
    /// # Cancel safety
    ///
    /// It only watches.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let handle = pool.loops()[0].clone();
    /// drop(pool);
    /// futures_lite::future::block_on(handle.exited());
    /// assert!(handle.has_exited());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn exited(&self) {
        self.shared.exited().await;
    }

    /// Whether the caller is on the loop's thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let handle = thread.handle();
    /// assert!(!handle.is_this_thread());
    /// let inside = thread.spawn(move || async move { handle.is_this_thread() })?;
    /// assert!(futures_lite::future::block_on(inside)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_this_thread(&self) -> bool {
        self.shared.is_this_thread()
    }

    /// What tells the loop from all others there ever were.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopId, LoopThread};
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let inside = thread.spawn(|| async { LoopId::current() })?;
    /// assert_eq!(futures_lite::future::block_on(inside)?, Some(thread.handle().id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn id(&self) -> LoopId {
        self.shared.id()
    }

    /// Whether both refer to the same loop.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let [a, b] = pool.loops() else { unreachable!() };
    /// assert!(a.is_same(&a.clone()));
    /// assert!(!a.is_same(b));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// What the loop has done so far.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// assert_eq!(pool.loops()[0].stats().done, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stats(&self) -> LoopStats {
        self.shared.stats()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<J>> {
        &self.shared
    }
}

impl<J> Clone for LoopHandle<J> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<J> fmt::Debug for LoopHandle<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopHandle").field("stats", &self.stats()).finish()
    }
}
