use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicUsize},
    time::Instant,
};

use thrasks_sched::{Reason, Rejected, Scheduler};

use crate::{
    Builder, Driver, Join, JoinHandle, LoopStats, SpawnError, Task, Work,
    builder::Hooks,
    permits::Permits,
    shared::{Seat, Shared},
    spawn::launch,
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
        let on_thread = shared.clone();
        let observers = hooks.observers.clone();
        let main = Box::new(move || {
            on_thread.entered();
            let work = Work::new(on_thread.clone());
            // A hook that panics is reported like a driver that does, and ends the loop.
            let result = catch_unwind(AssertUnwindSafe(|| {
                observers.start(index);
                driver.run(work);
            }));
            if let Err(payload) = result {
                observers.panic(index, &*payload);
            }
            on_thread.exit();
            observers.exit(index);
        });
        let join = hooks.spawn(name, main)?;
        Ok(Self { shared, join: Some(join), permits })
    }

    /// The name of the thread.
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// A reference to the loop that neither keeps it running nor stops it.
    pub fn handle(&self) -> LoopHandle<J> {
        LoopHandle { shared: self.shared.clone() }
    }

    /// Gives a job to this loop, past any scheduler.
    ///
    /// # Errors
    ///
    /// Gives the job back when the loop has ended.
    pub fn post(&self, job: J) -> Result<(), J> {
        self.shared.inbox.push(job)
    }

    /// What the loop has done so far.
    pub fn stats(&self) -> LoopStats {
        self.shared.stats()
    }

    /// Asks the loop to end. What runs on it is dropped, on its thread.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Whether the thread has ended.
    pub fn has_exited(&self) -> bool {
        self.shared.has_exited()
    }

    /// Stops the loop and blocks until its thread has ended, or `deadline` has passed.
    ///
    /// # Errors
    ///
    /// Gives the thread back when it has not ended in time: its driver is in synchronous code. It
    /// ends when that returns.
    ///
    /// # Panics
    ///
    /// When called on the loop's own thread, which would wait for itself.
    #[track_caller]
    pub fn join(mut self, deadline: Option<Instant>) -> Result<(), Self> {
        assert!(!self.shared.is_this_thread(), "a loop cannot join its own thread");
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

/// A reference to a loop, from any thread, that neither keeps it running nor stops it.
pub struct LoopHandle<J> {
    shared: Arc<Shared<J>>,
}

impl<J> LoopHandle<J> {
    /// The name of the loop's thread.
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// Gives a job to this loop, past any scheduler.
    ///
    /// # Errors
    ///
    /// Gives the job back when the loop has ended.
    pub fn post(&self, job: J) -> Result<(), J> {
        self.shared.inbox.push(job)
    }

    /// Wakes the loop, unless a wake-up is on its way already.
    pub fn notify(&self) {
        self.shared.inbox.notify();
    }

    /// Asks the loop to end.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Whether the loop's thread has ended.
    pub fn has_exited(&self) -> bool {
        self.shared.has_exited()
    }

    /// Whether the loop was asked to end.
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// How many jobs the loop has started so far.
    pub fn started(&self) -> u64 {
        self.shared.counters.started()
    }

    /// Blocks until the loop's thread has ended, or `deadline` has passed. Returns whether it has
    /// ended. It does not ask the loop to end: [`stop`](Self::stop) does.
    pub fn wait_exit(&self, deadline: Option<std::time::Instant>) -> bool {
        self.shared.wait_exit(deadline)
    }

    /// Completes when the loop's thread has ended.
    pub async fn exited(&self) {
        self.shared.exited().await;
    }

    /// Whether the caller is on the loop's thread.
    pub fn is_this_thread(&self) -> bool {
        self.shared.is_this_thread()
    }

    /// Whether both refer to the same loop.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// What the loop has done so far.
    pub fn stats(&self) -> LoopStats {
        self.shared.stats()
    }

    /// Seats the loop at a scheduler: from now on it takes that one's jobs, as `worker`.
    ///
    /// Only a loop that has no job of its former scheduler running may be moved.
    pub(crate) fn attach(
        &self,
        scheduler: Arc<dyn Scheduler<J>>,
        worker: usize,
        alive: Arc<AtomicUsize>,
    ) {
        self.shared.set_seat(Some(Seat { scheduler, worker, alive }));
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
