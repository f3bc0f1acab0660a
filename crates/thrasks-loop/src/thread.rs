use std::{fmt, future::Future, io, sync::Arc, time::Instant};

use thrasks_sched::{Reason, Rejected};

use crate::{
    Builder, Driver, Join, JoinHandle, LoopHandle, LoopStats, SpawnError, Task, builder::Hooks,
    life::Life, permits::Permits, shared::Shared, spawn::launch,
};

/// One thread that runs one loop.
///
/// This is the part under [`LoopPool`](crate::LoopPool): a thread with a driver and an inbox of its
/// own. With the driver of this crate it runs futures ([`LoopThread::spawn`]); with another one
/// ([`Builder::start_with`]) it runs that driver's jobs ([`LoopThread::post`]).
///
/// Dropping it stops the loop and does not wait: what ran on it is dropped on its thread.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use thrasks_loop::LoopThread;
///
/// let thread = LoopThread::builder().name("solo").start()?;
/// // The future is made on the loop's thread, so it may hold what is not `Send`.
/// let handle = thread.spawn(|| async {
///     let shared = Rc::new(20);
///     *shared.clone() + 22
/// })?;
/// assert_eq!(futures_lite::future::block_on(handle)?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a LoopThread stops it"]
pub struct LoopThread<J: Send + 'static = Task> {
    shared: Arc<Shared<J>>,
    join: Option<Join>,
    permits: Option<Arc<Permits>>,
}

impl<J: Send + 'static> LoopThread<J> {
    /// Makes the thread and lets it run `driver`.
    pub(crate) fn launch<D>(
        driver: D,
        name: String,
        index: usize,
        hooks: &Hooks,
        permits: Option<Arc<Permits>>,
    ) -> io::Result<Self>
    where
        D: Driver<Job = J>,
    {
        let shared = Arc::new(Shared::new(name.clone(), driver.waker()));
        let life = Life::new(shared.clone(), hooks.observers.clone(), index);
        let join = hooks.spawn(name, Box::new(move || life.live(driver)))?;
        Ok(Self { shared, join: Some(join), permits })
    }

    /// The name of the thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().name("solo").start()?;
    /// assert_eq!(thread.name(), "solo");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// A reference to the loop that neither keeps it running nor stops it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let handle = thread.handle();
    /// assert!(!handle.has_exited());
    /// drop(thread);
    /// futures_lite::future::block_on(handle.exited());
    /// assert!(handle.has_exited());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn handle(&self) -> LoopHandle<J> {
        LoopHandle::new(self.shared.clone())
    }

    /// Gives a job to this loop, past any scheduler and any bound.
    ///
    /// # Errors
    ///
    /// Gives the job back when the loop has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopThread, Task};
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let (task, handle) = Task::new(|| async { "posted" });
    /// thread.post(task).expect("it runs");
    /// assert_eq!(futures_lite::future::block_on(handle)?, "posted");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn post(&self, job: J) -> Result<(), J> {
        self.shared.inbox.push(job)
    }

    /// What the loop has done so far.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// futures_lite::future::block_on(thread.spawn(|| async {})?)?;
    /// assert_eq!(thread.stats().done, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stats(&self) -> LoopStats {
        self.shared.stats()
    }

    /// Asks the loop to end. What runs on it is dropped, on its thread, and so is what was posted
    /// and not begun.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let forever = thread.spawn(std::future::pending::<()>)?;
    /// thread.stop();
    /// assert!(futures_lite::future::block_on(forever).unwrap_err().is_cancelled());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Whether the thread has ended, its exit hook included.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// assert!(!thread.has_exited());
    /// thread.stop();
    /// futures_lite::future::block_on(thread.handle().exited());
    /// assert!(thread.has_exited());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn has_exited(&self) -> bool {
        self.shared.has_exited()
    }

    /// Stops the loop and blocks until its thread has ended, or `deadline` has passed; with `None`,
    /// for as long as it takes.
    ///
    /// # Panics
    ///
    /// When called on the loop's own thread, which would wait for itself.
    ///
    /// # Errors
    ///
    /// Gives the thread back when it has not ended in time: its driver, or its exit hook, is in
    /// synchronous code. It ends when that returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let handle = thread.handle();
    /// thread.join(None).expect("nothing keeps it");
    /// assert!(handle.has_exited());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn join(mut self, deadline: Option<Instant>) -> Result<(), Self> {
        assert!(
            !self.shared.is_this_thread(),
            "the loop {} cannot join its own thread: it would wait for itself",
            self.name()
        );
        self.shared.stop();
        if !self.shared.wait_exit(deadline) {
            return Err(self);
        }
        if let Some(join) = self.join.take() {
            join();
        }
        Ok(())
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<J>> {
        &self.shared
    }
}

impl LoopThread {
    /// Starts to describe a loop thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().name("solo").start()?;
    /// assert_eq!(thread.name(), "solo");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Calls `factory` on the loop's thread and runs the future there, to its end. The future need
    /// not be `Send`.
    ///
    /// # Errors
    ///
    /// Gives the factory back when the loop has ended, or as many tasks wait to be started as
    /// [`Builder::capacity`] allows.
    ///
    /// # Cancel safety
    ///
    /// That of the [`JoinHandle`].
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let handle = thread.spawn(|| async { 6 * 7 })?;
    /// assert_eq!(futures_lite::future::block_on(handle)?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn<F, Fut, T>(&self, factory: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        match Permits::try_acquire_of(self.permits.as_ref()) {
            Ok(permit) => launch(factory, permit, |task| {
                self.post(task).map_err(|task| Rejected::new(task, Reason::Closed))
            }),
            Err(reason) => Err(SpawnError::new(factory, reason)),
        }
    }
}

impl<J: Send + 'static> Drop for LoopThread<J> {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl<J: Send + 'static> fmt::Debug for LoopThread<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopThread").field("stats", &self.stats()).finish()
    }
}
