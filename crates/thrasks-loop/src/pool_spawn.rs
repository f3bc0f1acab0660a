//! How a pool with the driver of this crate is given futures.

use std::future::Future;

use thrasks_sched::{Reason, Rejected};

use crate::{
    Builder, JoinHandle, LoopPool, SpawnError, Task,
    permits::{Permit, Permits},
    spawn::launch,
};

impl LoopPool {
    /// Starts to describe a pool that runs futures.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(2).name("render").build()?;
    /// assert_eq!((pool.workers(), pool.loops()[1].name()), (2, "render-1"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Calls `factory` on the loop that the scheduler picks and runs the future there, to its end.
    /// The future need not be `Send`.
    ///
    /// Waits while as many tasks wait to be started as [`Builder::capacity`] allows, first come
    /// first served.
    ///
    /// # Panics
    ///
    /// When the scheduler does, names a worker that does not exist, or gives back another task than
    /// it rejects.
    ///
    /// # Errors
    ///
    /// Gives the factory back when the pool is closed or its scheduler refuses.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing was spawned, and the next in line takes the place.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).capacity(1).build()?;
    /// let handles = futures_lite::future::block_on(async {
    ///     let mut handles = Vec::new();
    ///     for i in 0..100 {
    ///         // Never more than one waits to be started.
    ///         handles.push(pool.spawn(move || async move { i }).await?);
    ///     }
    ///     Ok::<_, Box<dyn std::error::Error>>(handles)
    /// })?;
    /// assert_eq!(handles.len(), 100);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn spawn<F, Fut, T>(&self, factory: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        let permit = match &self.crew().permits {
            None => None,
            Some(permits) => match permits.acquire().await {
                None => return Err(SpawnError::new(factory, Reason::Closed)),
                permit => permit,
            },
        };
        launch(factory, permit, |task| self.submit(task))
    }

    /// As [`spawn`](Self::spawn), without waiting.
    ///
    /// # Panics
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Errors
    ///
    /// Gives the factory back when the pool is full, closed, or its scheduler refuses.
    ///
    /// # Cancel safety
    ///
    /// That of the [`JoinHandle`].
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
    /// Gives the factory back when the pool is full or closed, has no such worker, or that loop has
    /// ended.
    ///
    /// # Cancel safety
    ///
    /// That of the [`JoinHandle`].
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
            Ok(permit) => {
                launch(factory, permit, |task| self.submit_to(worker, task.only_on(worker)))
            }
            Err(reason) => Err(SpawnError::new(factory, reason)),
        }
    }

    /// As [`try_spawn`](Self::try_spawn), for a future that exists already and is `Send`.
    ///
    /// # Errors
    ///
    /// Gives the future back, in a factory, when the pool is full, closed, or its scheduler refuses.
    ///
    /// # Cancel safety
    ///
    /// That of the [`JoinHandle`].
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

    /// Submits a task, unless as many wait to be started as may.
    ///
    /// [`submit`](Self::submit) asks no such question.
    ///
    /// # Errors
    ///
    /// Gives the task back; with [`Reason::Full`] when there is no room.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopPool, Task};
    ///
    /// let pool = LoopPool::builder().threads(1).capacity(0).build()?;
    /// let (task, _handle) = Task::new(|| async {});
    /// assert!(pool.try_submit(task).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_submit(&self, task: Task) -> Result<(), Rejected<Task>> {
        if self.crew().permits.is_none() {
            return self.submit(task);
        }
        match self.try_permit() {
            Ok(permit) => self.submit(task.with_permit(permit)),
            Err(reason) => Err(Rejected::new(task, reason)),
        }
    }

    /// As [`try_submit`](Self::try_submit), for a task that is to run on this worker's loop or not
    /// at all: as [`spawn_on`](Self::spawn_on) has it.
    ///
    /// # Errors
    ///
    /// As `try_submit`; also when there is no such worker, or its loop has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopPool, Task};
    ///
    /// let pool = LoopPool::builder().threads(2).build()?;
    /// let (task, handle) = Task::new(|| async { 7 });
    /// pool.try_submit_on(1, task)?;
    /// assert_eq!(futures_lite::future::block_on(handle)?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_submit_on(&self, worker: usize, task: Task) -> Result<(), Rejected<Task>> {
        match self.try_permit() {
            Ok(permit) => self.submit_to(worker, task.with_permit(permit).only_on(worker)),
            Err(reason) => Err(Rejected::new(task, reason)),
        }
    }

    fn try_permit(&self) -> Result<Option<Permit>, Reason> {
        if self.is_closed() {
            return Err(Reason::Closed);
        }
        Permits::try_acquire_of(self.crew().permits.as_ref())
    }
}
