use std::{fmt, io, sync::Arc};

use thrasks_loop::{Join, ThreadSpec};

use crate::{
    Call, Execute, Job, Refused, ThreadStream, call,
    quiet::quietly,
    starter::Starter,
    stream,
    sync::{Mutex, lock},
};

/// A new thread for each job.
///
/// For what blocks so long that it would keep a place in a [`BlockingPool`](crate::BlockingPool)
/// from others, or for what wants a fresh thread. Nothing bounds how many there are.
///
/// # Examples
///
/// ```
/// use thrasks_bridge::OwnThread;
///
/// let own = OwnThread::new().name("reader");
/// let name = own.call(|| std::thread::current().name().map(str::to_owned));
/// assert_eq!(futures_lite::future::block_on(name)?.as_deref(), Some("reader"));
/// # Ok::<(), thrasks_bridge::JoinError>(())
/// ```
#[derive(Clone)]
pub struct OwnThread {
    starter: Starter,
}

impl OwnThread {
    /// Threads with the platform's stack size and the name `thrasks-own`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::OwnThread;
    ///
    /// assert_eq!(futures_lite::future::block_on(OwnThread::new().call(|| 1))?, 1);
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    #[must_use = "it makes no thread before it is given a job"]
    pub fn new() -> Self {
        Self { starter: Starter::new("thrasks-own") }
    }

    /// The name of each thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::OwnThread;
    ///
    /// let name = OwnThread::new().name("x").call(|| std::thread::current().name() == Some("x"));
    /// assert!(futures_lite::future::block_on(name)?);
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    #[must_use = "it gives the threads of this value a name"]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.starter.name = name.into();
        self
    }

    /// The stack size of each thread, in bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::OwnThread;
    ///
    /// let own = OwnThread::new().stack_size(1 << 20);
    /// assert_eq!(futures_lite::future::block_on(own.call(|| 1))?, 1);
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    #[must_use = "it gives the threads of this value a stack size"]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.starter.stack_size = Some(bytes);
        self
    }

    /// Makes the threads: [`spawn_std_thread`](thrasks_loop::spawn_std_thread) unless another is
    /// set. The [`Join`] that it returns is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::OwnThread;
    ///
    /// let none = OwnThread::new().spawn_hook(|_spec| Err(std::io::Error::other("not today")));
    /// let error = futures_lite::future::block_on(none.call(|| 1)).unwrap_err();
    /// assert_eq!(error.to_string(), "nobody ran the task: not today");
    /// ```
    #[must_use = "it has the threads of this value made another way"]
    pub fn spawn_hook(
        mut self,
        hook: impl Fn(ThreadSpec) -> io::Result<Join> + Send + Sync + 'static,
    ) -> Self {
        self.starter.hook = Arc::new(hook);
        self
    }

    /// [`call`](crate::call()) on a thread of its own.
    ///
    /// # Cancel safety
    ///
    /// That of the [`Call`].
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::OwnThread;
    ///
    /// let here = std::thread::current().id();
    /// let there = OwnThread::new().call(|| std::thread::current().id());
    /// assert_ne!(futures_lite::future::block_on(there)?, here);
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn call<T, F>(&self, f: F) -> Call<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        call(self, f)
    }

    /// [`stream`](crate::stream()) from a thread of its own.
    ///
    /// # Panics
    ///
    /// When `capacity` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::{StreamExt, future::block_on};
    /// use thrasks_bridge::OwnThread;
    ///
    /// let numbers: Vec<_> = block_on(OwnThread::new().stream(8, || 0..3).try_collect())?;
    /// assert_eq!(numbers, [0, 1, 2]);
    /// # Ok::<(), thrasks_bridge::JoinError>(())
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
}

impl Default for OwnThread {
    fn default() -> Self {
        Self::new()
    }
}

impl Execute for OwnThread {
    fn execute(&self, job: Job) -> Result<(), Refused> {
        // The job waits outside of the thread's `main`, which a hook that fails drops.
        let slot = Arc::new(Mutex::new(Some(job)));
        let taken = slot.clone();
        let main = move || {
            let job = lock(&taken).take();
            // The thread's `main` must not panic.
            quietly(|| job.into_iter().for_each(|job| job()));
        };
        let result = self.starter.start(self.starter.name.clone(), Box::new(main));
        let Err(error) = result else { return Ok(()) };
        let job = lock(&slot).take();
        // A hook that fails, but has the job run all the same, has not failed.
        job.map_or(Ok(()), |job| Err(Refused::new(job, error)))
    }
}

impl fmt::Debug for OwnThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnThread")
            .field("name", &self.starter.name)
            .field("stack_size", &self.starter.stack_size)
            .finish_non_exhaustive()
    }
}
