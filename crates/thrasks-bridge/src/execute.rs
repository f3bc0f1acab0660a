use std::{error::Error, fmt, sync::Arc};

/// A piece of blocking code, to be run once, on a thread. One that is dropped unrun is cancelled.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use thrasks_bridge::{Execute, Job, OwnThread};
///
/// let (sender, receiver) = mpsc::channel();
/// let job: Job = Box::new(move || sender.send("from a thread of its own").unwrap());
/// OwnThread::new().execute(job)?;
/// assert_eq!(receiver.recv(), Ok("from a thread of its own"));
/// # Ok::<(), thrasks_bridge::Refused>(())
/// ```
pub type Job = Box<dyn FnOnce() + Send>;

/// Where blocking code runs: on which threads.
///
/// The crate has two: a [`BlockingPool`](crate::BlockingPool), and a thread for each job,
/// [`OwnThread`](crate::OwnThread). Any other thread pool becomes one with the one method.
///
/// A job may block for as long as it likes, so `execute` must not run it on the caller's thread. A
/// job that will not be run after all has only to be dropped: whoever waits for it hears that it
/// was cancelled.
///
/// # Examples
///
/// A single thread of one's own that runs one job after another:
///
/// ```
/// use std::sync::mpsc;
/// use thrasks_bridge::{Execute, Job, Refused, call};
///
/// struct One(mpsc::Sender<Job>);
///
/// impl Execute for One {
///     fn execute(&self, job: Job) -> Result<(), Refused> {
///         self.0.send(job).map_err(|back| Refused::new(back.0, "the thread has ended"))
///     }
/// }
///
/// let (sender, jobs) = mpsc::channel::<Job>();
/// let thread = std::thread::spawn(move || jobs.into_iter().for_each(|job| job()));
/// let one = One(sender);
/// assert_eq!(futures_lite::future::block_on(call(&one, || 6 * 7))?, 42);
/// drop(one);
/// thread.join().unwrap();
/// # Ok::<(), thrasks_bridge::JoinError>(())
/// ```
pub trait Execute: Send + Sync {
    /// Has the job run on a thread, soon.
    ///
    /// # Errors
    ///
    /// Gives the job back when no thread will run it, and says why.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::{BlockingPool, Execute};
    ///
    /// let pool = BlockingPool::builder().build()?;
    /// pool.close();
    /// assert!(pool.execute(Box::new(|| ())).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn execute(&self, job: Job) -> Result<(), Refused>;
}

impl<E: Execute + ?Sized> Execute for &E {
    fn execute(&self, job: Job) -> Result<(), Refused> {
        (**self).execute(job)
    }
}

impl<E: Execute + ?Sized> Execute for Arc<E> {
    fn execute(&self, job: Job) -> Result<(), Refused> {
        (**self).execute(job)
    }
}

impl<E: Execute + ?Sized> Execute for Box<E> {
    fn execute(&self, job: Job) -> Result<(), Refused> {
        (**self).execute(job)
    }
}

/// A job that no thread took, and why.
///
/// # Examples
///
/// ```
/// use thrasks_bridge::{BlockingPool, Execute};
///
/// let pool = BlockingPool::builder().build()?;
/// pool.close();
/// let refused = pool.execute(Box::new(|| ())).unwrap_err();
/// assert_eq!(refused.to_string(), "no thread took the job: the pool of threads is closed");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Refused {
    job: Job,
    reason: Box<dyn Error + Send + Sync>,
}

impl Refused {
    /// A job that is given back, and the reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::Refused;
    ///
    /// let refused = Refused::new(Box::new(|| ()), "out of threads");
    /// assert_eq!(refused.to_string(), "no thread took the job: out of threads");
    /// ```
    pub fn new(job: Job, reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { job, reason: reason.into() }
    }

    /// The job, and the reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::Refused;
    ///
    /// let (job, reason) = Refused::new(Box::new(|| ()), "out of threads").into_parts();
    /// job();
    /// assert_eq!(reason.to_string(), "out of threads");
    /// ```
    pub fn into_parts(self) -> (Job, Box<dyn Error + Send + Sync>) {
        (self.job, self.reason)
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no thread took the job: {}", self.reason)
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.reason)
    }
}
