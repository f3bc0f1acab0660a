use std::{
    fmt,
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering, fence},
    },
    time::{Duration, Instant},
};

use thrasks_sched::{Batch, Reason, Rejected, Scheduler, Wake};

use crate::{
    Builder, JoinHandle, LoopHandle, LoopThread, PoolStats, Report, SpawnError, Task,
    permits::{Permit, Permits},
    spawn::launch,
    sync::lock,
};

/// How long after the deadline of a shutdown a thread may take to drop its tasks and end.
const GRACE: Duration = Duration::from_millis(500);

/// Loop threads that serve one scheduler.
///
/// With the driver of this crate it runs futures: [`spawn`](LoopPool::spawn),
/// [`try_spawn`](LoopPool::try_spawn), [`spawn_on`](LoopPool::spawn_on). With another driver
/// ([`Builder::build_with`]) it runs that one's jobs: [`submit`](LoopPool::submit).
///
/// A pool is a handle: clones share the threads. Dropping the last one stops them without waiting;
/// [`shutdown`](LoopPool::shutdown) waits.
///
/// # Examples
///
/// ```
/// use futures_lite::future::block_on;
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(2).build()?;
/// let sum = block_on(async {
///     let mut handles = Vec::new();
///     for i in 0..10u64 {
///         handles.push(pool.spawn(move || async move { i * i }).await?);
///     }
///     let mut sum = 0;
///     for handle in handles {
///         sum += handle.await?;
///     }
///     Ok::<_, Box<dyn std::error::Error>>(sum)
/// })?;
/// assert_eq!(sum, 285);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LoopPool<J: Send + 'static = Task> {
    inner: Arc<Inner<J>>,
}

struct Inner<J: Send + 'static> {
    scheduler: Arc<dyn Scheduler<J>>,
    loops: Vec<LoopHandle<J>>,
    /// Taken by whoever ends the pool.
    threads: Mutex<Vec<LoopThread<J>>>,
    permits: Option<Arc<Permits>>,
    closing: AtomicBool,
}

impl<J: Send + 'static> LoopPool<J> {
    /// A pool of threads that exist already: thread `i` becomes worker `i`.
    ///
    /// # Panics
    ///
    /// When the scheduler is for another number of workers.
    #[track_caller]
    pub fn from_threads(scheduler: Arc<dyn Scheduler<J>>, threads: Vec<LoopThread<J>>) -> Self {
        assert_eq!(
            scheduler.workers(),
            threads.len(),
            "the scheduler is for another number of workers than there are threads"
        );
        Self::new(scheduler, threads, None)
    }

    pub(crate) fn new(
        scheduler: Arc<dyn Scheduler<J>>,
        threads: Vec<LoopThread<J>>,
        permits: Option<Arc<Permits>>,
    ) -> Self {
        let alive = Arc::new(AtomicUsize::new(threads.len()));
        let loops: Vec<_> = threads.iter().map(LoopThread::handle).collect();
        if scheduler.is_shared() && scheduler.is_empty() {
            // The loops stand in line as idle from the start, so that the first jobs are handed to
            // all of them; otherwise the first loop to look would take the lot.
            for worker in 0..loops.len() {
                let none = scheduler.pop(worker);
                debug_assert!(none.is_none(), "an empty scheduler had a job");
            }
        }
        for (worker, handle) in loops.iter().enumerate() {
            handle.attach(scheduler.clone(), worker, alive.clone());
        }
        let closing = AtomicBool::new(false);
        Self {
            inner: Arc::new(Inner {
                scheduler,
                loops,
                threads: Mutex::new(threads),
                permits,
                closing,
            }),
        }
    }

    /// How many loops the pool has.
    pub fn workers(&self) -> usize {
        self.inner.loops.len()
    }

    /// The pool's loops, in the order of the workers.
    pub fn loops(&self) -> &[LoopHandle<J>] {
        &self.inner.loops
    }

    /// What decides which loop runs which job.
    pub fn scheduler(&self) -> &Arc<dyn Scheduler<J>> {
        &self.inner.scheduler
    }

    /// Gives a job to the scheduler, and wakes whoever it is for.
    ///
    /// # Errors
    ///
    /// Gives the job back, with the scheduler's reason, or [`Reason::Closed`].
    pub fn submit(&self, job: J) -> Result<(), Rejected<J>> {
        self.inner.check_open(job).and_then(|job| {
            let wake = self.inner.scheduler.push(job)?;
            self.inner.wake(&wake);
            Ok(())
        })
    }

    /// Gives many jobs to the scheduler, in order, and wakes each loop at most once.
    ///
    /// Stops at the first job that is rejected, which the answer holds; `jobs` still holds the rest.
    pub fn submit_batch(&self, jobs: &mut dyn Iterator<Item = J>) -> Result<usize, Rejected<J>> {
        if self.inner.closing.load(Ordering::Acquire) {
            return jobs.next().map_or(Ok(0), |job| Err(Rejected::new(job, Reason::Closed)));
        }
        let Batch { accepted, wake, rejected } = self.inner.scheduler.push_batch(jobs);
        self.inner.wake(&wake);
        rejected.map_or(Ok(accepted), Err)
    }

    /// Gives a job to one worker, whatever the scheduler would choose.
    ///
    /// A scheduler that cannot do this is passed by: the job then goes to the loop directly, and
    /// does not count in the scheduler's loads.
    ///
    /// # Errors
    ///
    /// Gives the job back, with [`Reason::Closed`] or [`Reason::OutOfRange`].
    pub fn submit_to(&self, worker: usize, job: J) -> Result<(), Rejected<J>> {
        let inner = &*self.inner;
        let job = inner.check_open(job)?;
        let Some(target) = inner.loops.get(worker) else {
            return Err(Rejected::new(
                job,
                Reason::OutOfRange { worker, workers: inner.loops.len() },
            ));
        };
        match inner.scheduler.push_to(worker, job) {
            Ok(wake) => {
                inner.wake(&wake);
                Ok(())
            }
            Err(rejected) => match rejected.into_parts() {
                (job, Reason::Unsupported) => {
                    target.post(job).map_err(|job| Rejected::new(job, Reason::Closed))
                }
                (job, reason) => Err(Rejected::new(job, reason)),
            },
        }
    }

    /// Refuses every later job and gives back those that no loop has taken. What runs goes on.
    pub fn close(&self) -> Vec<J> {
        self.inner.closing.store(true, Ordering::Release);
        let jobs = self.inner.scheduler.close();
        self.inner.wake_spawners();
        jobs
    }

    /// Whether jobs are refused.
    pub fn is_closed(&self) -> bool {
        self.inner.closing.load(Ordering::Acquire)
    }

    /// Closes the pool and gives its threads back, without a seat and running on. The jobs that no
    /// loop has taken are dropped.
    ///
    /// To be called when none of the pool's jobs runs any more; a loop that still runs one reports
    /// its end to nobody.
    pub fn dismiss(&self) -> Vec<LoopThread<J>> {
        drop(self.close());
        let threads = std::mem::take(&mut *lock(&self.inner.threads));
        for thread in &threads {
            thread.shared().set_seat(None);
        }
        threads
    }

    /// What the pool has done so far.
    pub fn stats(&self) -> PoolStats {
        let loops: Vec<_> = self.inner.loops.iter().map(LoopHandle::stats).collect();
        PoolStats {
            queued: self.inner.scheduler.len(),
            running: loops.iter().map(|l| l.running).sum(),
            done: loops.iter().map(|l| l.done).sum(),
            loops,
        }
    }

    /// Refuses new jobs, lets those it has go on for `patience`, then cancels what is left, stops
    /// the threads and joins them. Blocks the calling thread meanwhile.
    ///
    /// `Duration::ZERO` cancels at once. A thread in synchronous code cannot be stopped: half a
    /// second after the deadline it is reported and left to itself. Called on one of the pool's own
    /// loops, that loop cannot end before this returns; it is stopped and reported too.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// pool.try_spawn(|| async { 1 })?.detach();
    /// pool.try_spawn(std::future::pending::<()>)?.detach();
    /// let report = pool.shutdown(Duration::from_millis(50));
    /// assert_eq!((report.completed, report.cancelled), (1, 1));
    /// assert!(report.unstopped.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(&self, patience: Duration) -> Report {
        let inner = &*self.inner;
        let start = Instant::now();
        inner.closing.store(true, Ordering::SeqCst);
        inner.wake_spawners();
        let deadline = start + patience;
        for handle in &inner.loops {
            if !handle.is_this_thread() {
                handle.shared().wait_drained(deadline, || !inner.scheduler.is_empty());
            }
        }
        let queued = inner.scheduler.close();
        let stats = self.stats();
        let cancelled = queued.len() + stats.running;
        drop(queued);
        let threads = std::mem::take(&mut *lock(&inner.threads));
        threads.iter().for_each(LoopThread::stop);
        let deadline = Instant::now() + GRACE;
        let mut unstopped = Vec::new();
        for thread in threads {
            let name = thread.name().to_owned();
            if thread.handle().is_this_thread() || thread.join(Some(deadline)).is_err() {
                unstopped.push(name);
            }
        }
        Report { completed: stats.done, cancelled, unstopped, took: start.elapsed() }
    }
}

impl<J: Send + 'static> Inner<J> {
    fn check_open(&self, job: J) -> Result<J, Rejected<J>> {
        if self.closing.load(Ordering::Acquire) {
            return Err(Rejected::new(job, Reason::Closed));
        }
        Ok(job)
    }

    fn wake(&self, wake: &Wake) {
        wake.each(|worker| {
            let target = &self.loops[worker];
            target.notify();
            // Pairs with the store in `Shared::exit`: a loop that died saw the job, or is seen dead.
            fence(Ordering::SeqCst);
            if target.has_exited() {
                target.shared().bury();
            }
        });
    }

    fn wake_spawners(&self) {
        if let Some(permits) = &self.permits {
            permits.wake_all();
        }
    }
}

impl<J: Send + 'static> Drop for Inner<J> {
    fn drop(&mut self) {
        // The threads stop as they are dropped after this; none is waited for.
        drop(self.scheduler.close());
        self.wake_spawners();
    }
}

impl LoopPool {
    /// Starts to describe a pool that runs futures.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Calls `factory` on the loop that the scheduler picks and runs the future there, to its end.
    /// The future need not be `Send`.
    ///
    /// Waits while as many tasks wait to be started as [`Builder::capacity`] allows.
    ///
    /// # Errors
    ///
    /// Gives the factory back when the pool is closed or its scheduler refuses.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing was spawned.
    pub async fn spawn<F, Fut, T>(&self, factory: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        let permit = match &self.inner.permits {
            None => None,
            Some(permits) => match permits.acquire(|| self.is_closed()).await {
                None => return Err(SpawnError::new(factory, Reason::Closed)),
                permit => permit,
            },
        };
        launch(factory, permit, |task| self.submit(task))
    }

    /// As [`spawn`](Self::spawn), without waiting.
    ///
    /// # Errors
    ///
    /// Gives the factory back when the pool is full, closed, or its scheduler refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).capacity(0).build()?;
    /// let error = pool.try_spawn(|| async { 7 }).unwrap_err();
    /// assert!(error.is_full());
    /// let factory = error.into_factory();
    /// assert_eq!(futures_lite::future::block_on(factory()), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_spawn<F, Fut, T>(&self, factory: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        match self.try_permit() {
            Ok(permit) => launch(factory, permit, |task| self.submit(task)),
            Err(reason) => Err(SpawnError::new(factory, reason)),
        }
    }

    /// As [`try_spawn`](Self::try_spawn), on a loop of the caller's choice.
    ///
    /// # Errors
    ///
    /// Gives the factory back when the pool is full or closed, or has no such worker.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(3).name("p").build()?;
    /// let name = || async { std::thread::current().name().map(str::to_owned) };
    /// let handle = pool.spawn_on(2, name)?;
    /// assert_eq!(futures_lite::future::block_on(handle)?.as_deref(), Some("p-2"));
    /// assert!(pool.spawn_on(3, name).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn_on<F, Fut, T>(
        &self,
        worker: usize,
        factory: F,
    ) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        match self.try_permit() {
            Ok(permit) => launch(factory, permit, |task| self.submit_to(worker, task)),
            Err(reason) => Err(SpawnError::new(factory, reason)),
        }
    }

    /// As [`try_spawn`](Self::try_spawn), for a future that exists already and is `Send`.
    ///
    /// # Errors
    ///
    /// Gives the future back, in a factory, when the pool is full, closed, or its scheduler refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let handle = pool.spawn_future(async { "sent" }).ok().unwrap();
    /// assert_eq!(futures_lite::future::block_on(handle)?, "sent");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn_future<Fut, T>(
        &self,
        future: Fut,
    ) -> Result<JoinHandle<T>, SpawnError<impl FnOnce() -> Fut + Send + use<Fut, T>>>
    where
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.try_spawn(move || future)
    }

    fn try_permit(&self) -> Result<Option<Permit>, Reason> {
        if self.is_closed() {
            return Err(Reason::Closed);
        }
        Permits::try_acquire_of(self.inner.permits.as_ref())
    }
}

impl<J: Send + 'static> Clone for LoopPool<J> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<J: Send + 'static> fmt::Debug for LoopPool<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopPool")
            .field("closed", &self.is_closed())
            .field("stats", &self.stats())
            .finish()
    }
}
