use std::{error::Error, fmt, sync::Arc};

use thrasks_loop::{LoopPool, Task};

use crate::{Kind, Local, Worker};

/// What runs the workers of a [`TaskPool`](crate::TaskPool): an executor.
///
/// A [`LoopPool`] is one, for [`Local`] jobs: its scheduler chooses the loop, for each job anew, but
/// for jobs that take microseconds and do not wait, of which some in a row stay together. So
/// is every function that spawns what it is given. Dropping a worker refuses it.
///
/// The workers hold what spawned them. An executor that may be dropped before they have ended, and
/// drops its tasks then, should be held weakly: else each keeps the other alive.
///
/// # Examples
///
/// An executor of one thread, its own:
///
/// ```
/// use async_executor::LocalExecutor;
/// use futures_lite::future::block_on;
/// use thrasks_pool::{Local, TaskPool, Worker};
///
/// // Workers may be spawned from other threads, which a LocalExecutor does not allow: they are
/// // sent to its thread.
/// let (send, workers) = std::sync::mpsc::channel();
/// let pool = TaskPool::new(move |worker: Worker<Local>| send.send(worker).unwrap());
/// let handle = pool.submit(|| async { "on this thread" });
///
/// let executor = LocalExecutor::new();
/// for worker in workers.try_iter() {
///     executor.spawn(worker.run()).detach();
/// }
/// assert_eq!(block_on(executor.run(handle))?, "on this thread");
/// # Ok::<(), thrasks_pool::JoinError>(())
/// ```
pub trait Spawn<K: Kind>: Send + Sync {
    /// Runs the worker to its end, soon, or at once. It may be called from any thread, also from
    /// within a worker and from the drop of one.
    ///
    /// # Errors
    ///
    /// Gives the worker back when it cannot be run. The jobs it was for are then left to the
    /// other workers; if there are none, this is their [outcome](crate::JoinError::is_refused).
    ///
    /// # Examples
    ///
    /// A thread for each worker:
    ///
    /// ```
    /// use std::thread::Builder;
    /// use futures_lite::future::block_on;
    /// use thrasks_pool::{NotSpawned, Sendable, Spawn, TaskPool, Worker};
    ///
    /// struct Threads;
    /// impl Spawn<Sendable> for Threads {
    ///     fn spawn(&self, worker: Worker<Sendable>) -> Result<(), NotSpawned<Sendable>> {
    ///         let (send, receive) = std::sync::mpsc::channel::<Worker<Sendable>>();
    ///         let main = move || receive.into_iter().for_each(|worker| block_on(worker.run()));
    ///         match Builder::new().name(worker.name()).spawn(main) {
    ///             Ok(_detached) => send.send(worker).map_err(|back| NotSpawned::new(back.0, "it ended")),
    ///             Err(error) => Err(NotSpawned::new(worker, error)),
    ///         }
    ///     }
    /// }
    ///
    /// assert_eq!(block_on(TaskPool::new(Threads).submit(|| async { 7 }))?, 7);
    /// # Ok::<(), thrasks_pool::JoinError>(())
    /// ```
    fn spawn(&self, worker: Worker<K>) -> Result<(), NotSpawned<K>>;

    /// Whether a worker is to be spawned anew for each job, rather than to go on where it is: for
    /// an executor whose tasks stay where they were spawned, so that the job goes to a thread that
    /// is free for it. After a job that was done at once and soon it goes on all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::Spawn;
    ///
    /// // Its scheduler picks a loop for each job anew.
    /// assert!(LoopPool::builder().threads(1).build()?.respawns());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn respawns(&self) -> bool {
        false
    }
}

/// A worker that was not spawned, and why.
///
/// # Examples
///
/// ```
/// use thrasks_pool::{Local, NotSpawned, Spawn, TaskPool, Worker};
///
/// struct Nobody;
/// impl Spawn<Local> for Nobody {
///     fn spawn(&self, worker: Worker<Local>) -> Result<(), NotSpawned<Local>> {
///         Err(NotSpawned::new(worker, "out of workers"))
///     }
/// }
///
/// let error = futures_lite::future::block_on(TaskPool::new(Nobody).submit(|| async {})).unwrap_err();
/// assert!(error.is_refused());
/// assert_eq!(error.to_string(), "nobody ran the task: out of workers");
/// ```
pub struct NotSpawned<K: Kind> {
    worker: Worker<K>,
    reason: Box<dyn Error + Send + Sync>,
}

impl<K: Kind> NotSpawned<K> {
    /// A worker that is given back.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{NotSpawned, TaskPool, Worker};
    ///
    /// let pool = TaskPool::new(|worker: Worker<thrasks_pool::Local>| {
    ///     let refused = NotSpawned::new(worker, "out of threads");
    ///     assert_eq!(refused.to_string(), "the worker was not spawned: out of threads");
    /// });
    /// assert!(futures_lite::future::block_on(pool.submit(|| async {})).unwrap_err().is_refused());
    /// ```
    pub fn new(worker: Worker<K>, reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { worker, reason: reason.into() }
    }

    pub(crate) fn into_parts(self) -> (Worker<K>, Box<dyn Error + Send + Sync>) {
        (self.worker, self.reason)
    }
}

impl<K: Kind> fmt::Debug for NotSpawned<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotSpawned")
            .field("worker", &self.worker)
            .field("reason", &self.reason)
            .finish()
    }
}

impl<K: Kind> fmt::Display for NotSpawned<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the worker was not spawned: {}", self.reason)
    }
}

impl<K: Kind> Error for NotSpawned<K> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.reason)
    }
}

impl<K: Kind, F: Fn(Worker<K>) + Send + Sync> Spawn<K> for F {
    fn spawn(&self, worker: Worker<K>) -> Result<(), NotSpawned<K>> {
        self(worker);
        Ok(())
    }
}

impl<K: Kind, S: Spawn<K> + ?Sized> Spawn<K> for Arc<S> {
    fn spawn(&self, worker: Worker<K>) -> Result<(), NotSpawned<K>> {
        (**self).spawn(worker)
    }

    fn respawns(&self) -> bool {
        (**self).respawns()
    }
}

/// The workers do not count against the pool's capacity: they are bounded anyway.
impl Spawn<Local> for LoopPool {
    fn spawn(&self, worker: Worker<Local>) -> Result<(), NotSpawned<Local>> {
        if self.is_closed() {
            return Err(NotSpawned::new(worker, "the pool of loops is closed"));
        }
        let (task, handle) = Task::new(move || worker.run());
        handle.detach();
        // A task that is refused is dropped, with its worker, which says so to its pool.
        drop(self.submit(task));
        Ok(())
    }

    fn respawns(&self) -> bool {
        true
    }
}
