use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use thrasks_sched::{Rejected, Scheduler};

use crate::{
    LoopHandle, LoopThread, PoolStats, Report, Task,
    crew::Crew,
    permits::Permits,
    quiet::{bury, quietly},
    sync::{AtomicBool, AtomicUsize, Mutex, Ordering, lock},
};

/// How long after the deadline of a shutdown a thread may take to drop its tasks and end.
const GRACE: Duration = Duration::from_millis(500);

/// Loop threads that serve one scheduler.
///
/// With the driver of this crate it runs futures: [`spawn`](LoopPool::spawn),
/// [`try_spawn`](LoopPool::try_spawn), [`spawn_on`](LoopPool::spawn_on). With another driver
/// ([`Builder::build_with`](crate::Builder::build_with)) it runs that one's jobs:
/// [`submit`](LoopPool::submit).
///
/// A pool is a handle: clones share the threads. Dropping the last one stops them without waiting;
/// [`shutdown`](LoopPool::shutdown) waits.
///
/// It goes on as long as one of its loops does. When a loop ends before the pool does (its driver or
/// a hook panicked, or it was [stopped](LoopHandle::stop)), what ran on it is cancelled, and what it
/// had not begun is given to the others; when the last one does, the pool is closed.
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
#[must_use = "dropping the last handle on a pool stops it"]
pub struct LoopPool<J: Send + 'static = Task> {
    inner: Arc<Inner<J>>,
}

struct Inner<J: Send + 'static> {
    crew: Arc<Crew<J>>,
    /// Taken by whoever ends the pool.
    threads: Mutex<Vec<LoopThread<J>>>,
    dismissed: AtomicBool,
    /// How many jobs a shutdown found in the scheduler.
    never_begun: AtomicUsize,
}

impl<J: Send + 'static> LoopPool<J> {
    /// A pool of threads that exist already: thread `i` becomes worker `i`.
    ///
    /// # Panics
    ///
    /// When there are no threads, or the scheduler is for another number of workers.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use thrasks_loop::{LoopPool, LoopThread};
    /// use thrasks_sched::RoundRobin;
    ///
    /// let threads = vec![LoopThread::builder().start()?, LoopThread::builder().start()?];
    /// let pool = LoopPool::from_threads(Arc::new(RoundRobin::new(2)), threads);
    /// assert_eq!(futures_lite::future::block_on(pool.try_spawn(|| async { 1 })?)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn from_threads(scheduler: Arc<dyn Scheduler<J>>, threads: Vec<LoopThread<J>>) -> Self {
        assert!(!threads.is_empty(), "a pool needs at least one thread, got none");
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
        let loops = threads.iter().map(LoopThread::handle).collect();
        Self {
            inner: Arc::new(Inner {
                crew: Crew::new(scheduler, loops, permits),
                threads: Mutex::new(threads),
                dismissed: AtomicBool::new(false),
                never_begun: AtomicUsize::new(0),
            }),
        }
    }

    pub(crate) fn crew(&self) -> &Crew<J> {
        &self.inner.crew
    }

    /// How many loops the pool has.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// assert_eq!(LoopPool::builder().threads(3).build()?.workers(), 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn workers(&self) -> usize {
        self.crew().loops.len()
    }

    /// The pool's loops, in the order of the workers.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).name("p").build()?;
    /// assert_eq!(pool.loops()[1].name(), "p-1");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn loops(&self) -> &[LoopHandle<J>] {
        &self.crew().loops
    }

    /// What decides which loop runs which job.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// assert_eq!(pool.scheduler().workers(), 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn scheduler(&self) -> &Arc<dyn Scheduler<J>> {
        &self.crew().scheduler
    }

    /// Gives a job to the scheduler, and wakes whoever it is for.
    ///
    /// # Panics
    ///
    /// When the scheduler does, or names a worker that does not exist.
    ///
    /// # Errors
    ///
    /// Gives the job back, with the scheduler's reason, or
    /// [`Reason::Closed`](thrasks_sched::Reason::Closed).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopPool, Task};
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let (task, handle) = Task::new(|| async { 1 });
    /// pool.submit(task.with_tag(7))?;
    /// assert_eq!(futures_lite::future::block_on(handle)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit(&self, job: J) -> Result<(), Rejected<J>> {
        self.crew().submit(job)
    }

    /// Gives many jobs to the scheduler, in order, and wakes each loop at most once. Returns how
    /// many there were.
    ///
    /// The loops are woken when `jobs` has ended: see
    /// [`push_batch`](thrasks_sched::Scheduler::push_batch).
    ///
    /// # Panics
    ///
    /// When `jobs` does; those before are submitted. When the scheduler does.
    ///
    /// # Errors
    ///
    /// Stops at the first job that is rejected, which the error holds; `jobs` still holds the rest.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopPool, Task};
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let (tasks, handles): (Vec<_>, Vec<_>) =
    ///     (0..3).map(|i| Task::new(move || async move { i * 10 })).unzip();
    /// assert_eq!(pool.submit_batch(&mut tasks.into_iter())?, 3);
    /// for (i, handle) in handles.into_iter().enumerate() {
    ///     assert_eq!(futures_lite::future::block_on(handle)?, i * 10);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit_batch(&self, jobs: &mut dyn Iterator<Item = J>) -> Result<usize, Rejected<J>> {
        self.crew().submit_batch(jobs)
    }

    /// Gives a job to one worker, whatever the scheduler would choose.
    ///
    /// A scheduler that cannot do this is passed by: the job then goes to the loop directly, and
    /// does not count in the scheduler's loads.
    ///
    /// # Errors
    ///
    /// Gives the job back, with [`Reason::Closed`](thrasks_sched::Reason::Closed), also when that
    /// loop has ended, or [`Reason::OutOfRange`](thrasks_sched::Reason::OutOfRange).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopPool, Task};
    ///
    /// let pool = LoopPool::builder().threads(2).name("p").build()?;
    /// let (task, handle) = Task::new(|| async { std::thread::current().name() == Some("p-1") });
    /// pool.submit_to(1, task)?;
    /// assert!(futures_lite::future::block_on(handle)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit_to(&self, worker: usize, job: J) -> Result<(), Rejected<J>> {
        self.crew().submit_to(worker, job)
    }

    /// Refuses every later job and gives back those that no loop has taken. What runs goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// assert!(pool.close().is_empty());
    /// assert!(pool.try_spawn(|| async {}).unwrap_err().is_closed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(&self) -> Vec<J> {
        self.crew().close()
    }

    /// Whether jobs are refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// assert!(!pool.is_closed());
    /// pool.close();
    /// assert!(pool.is_closed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        self.crew().is_closed()
    }

    /// Closes the pool and gives its threads back, without a seat and running on. The jobs that no
    /// loop has taken are dropped.
    ///
    /// To be called when none of the pool's jobs runs any more; a loop that still runs one reports
    /// its end to nobody.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use thrasks_loop::LoopPool;
    /// use thrasks_sched::RoundRobin;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// // The same threads, under another scheduler.
    /// let pool = LoopPool::from_threads(Arc::new(RoundRobin::new(2)), pool.dismiss());
    /// assert_eq!(futures_lite::future::block_on(pool.try_spawn(|| async { 1 })?)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "dropping a LoopThread stops it"]
    pub fn dismiss(&self) -> Vec<LoopThread<J>> {
        bury(self.close());
        self.inner.dismissed.store(true, Ordering::SeqCst);
        let threads = std::mem::take(&mut *lock(&self.inner.threads));
        for thread in &threads {
            thread.shared().leave_seat();
        }
        threads
    }

    /// What the pool has done so far.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// futures_lite::future::block_on(pool.try_spawn(|| async {})?)?;
    /// assert_eq!(pool.stats().done, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stats(&self) -> PoolStats {
        self.crew().stats()
    }

    /// Refuses new jobs, lets those it has go on for `patience`, then cancels what is left, stops
    /// the threads and joins them. Blocks the calling thread meanwhile.
    ///
    /// `Duration::ZERO` cancels at once, `Duration::MAX` waits as long as it takes. A thread in
    /// synchronous code cannot be stopped: half a second after the deadline it is reported and left
    /// to itself. Called on one of the pool's own loops, that loop cannot end before this returns;
    /// it is stopped and reported too.
    ///
    /// Called again, it waits for what is left and reports all of it. Called after [`dismiss`](Self::dismiss), it stops nothing.
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
        let crew = self.crew();
        let start = Instant::now();
        crew.refuse();
        // A deadline beyond what the clock can count is none.
        crew.wait_drained(start.checked_add(patience));
        let queued = crew.close();
        let never_begun = &self.inner.never_begun;
        let cancelled = never_begun.fetch_add(queued.len(), Ordering::SeqCst) + queued.len();
        bury(queued);
        if !self.inner.dismissed.load(Ordering::SeqCst) {
            crew.loops.iter().for_each(LoopHandle::stop);
        }
        let unstopped = self.wait_stopped(Instant::now() + GRACE);
        let (completed, cut_off) = crew.tally();
        Report { completed, cancelled: cancelled + cut_off, unstopped, took: start.elapsed() }
    }

    /// Joins the threads, and names those that have not exited by the deadline.
    fn wait_stopped(&self, deadline: Instant) -> Vec<String> {
        // Whoever comes first joins them; another caller waits just as long.
        let threads = std::mem::take(&mut *lock(&self.inner.threads));
        for thread in threads {
            if !thread.shared().is_this_thread() {
                let _ = thread.join(Some(deadline));
            }
        }
        if self.inner.dismissed.load(Ordering::SeqCst) {
            return Vec::new();
        }
        let unstopped = |handle: &&LoopHandle<J>| {
            handle.is_this_thread() || !handle.shared().wait_exit(Some(deadline))
        };
        let loops = self.crew().loops.iter();
        loops.filter(unstopped).map(|handle| handle.name().to_owned()).collect()
    }
}

impl<J: Send + 'static> Drop for Inner<J> {
    fn drop(&mut self) {
        // The threads stop as they are dropped after this; none is waited for, since this may be
        // one of them.
        quietly(|| bury(self.crew.close()));
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
