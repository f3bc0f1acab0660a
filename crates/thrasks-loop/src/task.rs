use std::{
    any::Any,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::{
    JoinError, JoinHandle, Keeper,
    cell::Cell,
    permits::Permit,
    run::{Bench, Duty, Ended, Ending},
    traced::Traced,
};

/// A future that has not been made yet: what a pool with the driver of this crate is fed with.
///
/// Made by `spawn`; public so that a [`Scheduler`](thrasks_sched::Scheduler) of your own can hold
/// it and look at its [`tag`](Self::tag), and so that you can make one yourself and
/// [`submit`](crate::LoopPool::submit) it.
///
/// Dropping it before a loop has begun with it cancels it.
///
/// # Examples
///
/// ```
/// use thrasks_loop::{LoopPool, Task};
///
/// let pool = LoopPool::builder().threads(1).build()?;
/// let (task, handle) = Task::new(|| async { 6 * 7 });
/// let task = task.with_tag(3);
/// assert_eq!(task.tag(), 3);
/// pool.submit(task)?;
/// assert_eq!(futures_lite::future::block_on(handle)?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a Task cancels it; submit it to a pool"]
pub struct Task {
    start: Unbegun,
    tag: u64,
    /// The worker that it was spawned on, by name.
    only: Option<usize>,
    permit: Option<Permit>,
}

impl Task {
    /// A task that calls `factory` on the loop that runs it and runs the future to its end there,
    /// and the handle on its outcome.
    ///
    /// # Cancel safety
    ///
    /// That of the [`JoinHandle`].
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::Task;
    ///
    /// let (task, handle) = Task::new(|| async { 1 });
    /// drop(task);
    /// assert!(futures_lite::future::block_on(handle).unwrap_err().is_cancelled());
    /// ```
    pub fn new<F, Fut, T>(factory: F) -> (Self, JoinHandle<T>)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        let cell = Arc::new(Cell::new(factory));
        let traced = cell.traced();
        (Self::traced(cell.clone(), 0, traced), JoinHandle::new(cell))
    }

    /// The task that `keeper` knows by this key. It has no handle, and no allocation of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{future::{Ready, ready}, sync::{Arc, mpsc, Mutex}, task::Waker};
    /// use thrasks_loop::{JoinError, Keeper, LoopPool, Task};
    ///
    /// struct Doubles(Mutex<mpsc::Sender<usize>>);
    ///
    /// impl Keeper for Doubles {
    ///     type Output = usize;
    ///     type Future = Ready<usize>;
    ///
    ///     fn begin(self: &Arc<Self>, key: usize) -> Option<Ready<usize>> {
    ///         Some(ready(2 * key))
    ///     }
    /// #
    /// #   fn waits(self: &Arc<Self>, _key: usize, _waker: &Waker) -> bool {
    /// #       false
    /// #   }
    ///
    ///     fn ended(self: Arc<Self>, _key: usize, outcome: Result<usize, JoinError>) {
    ///         let _ = outcome.map(|double| self.0.lock().unwrap().send(double));
    ///     }
    /// }
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let (send, doubles) = mpsc::channel();
    /// pool.submit(Task::kept(Arc::new(Doubles(Mutex::new(send))), 21))?;
    /// assert_eq!(doubles.recv()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn kept<K: Keeper>(keeper: Arc<K>, key: usize) -> Self {
        Self::traced(keeper, key, Traced::accept())
    }

    fn traced<K: Keeper>(keeper: Arc<K>, key: usize, traced: Traced) -> Self {
        let start = Unbegun { keeper: Some(keeper), key, traced };
        Self { start, tag: 0, only: None, permit: None }
    }

    /// The same task with a number on it, for a scheduler that sorts by it: a priority, or the hash
    /// of a key.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::Task;
    ///
    /// let (task, _handle) = Task::new(|| async {});
    /// assert_eq!(task.with_tag(9).tag(), 9);
    /// ```
    pub fn with_tag(mut self, tag: u64) -> Self {
        self.tag = tag;
        self
    }

    /// The number on the task; 0 unless it was given one.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::Task;
    ///
    /// let (task, _handle) = Task::new(|| async {});
    /// assert_eq!(task.tag(), 0);
    /// ```
    pub fn tag(&self) -> u64 {
        self.tag
    }

    #[inline]
    pub(crate) fn with_permit(mut self, permit: Option<Permit>) -> Self {
        self.permit = permit;
        self
    }

    pub(crate) fn only_on(mut self, worker: usize) -> Self {
        self.only = Some(worker);
        self
    }

    /// Starts the task on the loop of this bench, unless it was meant for another one: a task that
    /// was spawned on a loop which died is cancelled rather than run elsewhere.
    pub(crate) fn start(mut self, bench: &Bench, ending: Ending) {
        drop(self.permit);
        let ended = Ended::new(bench, ending);
        if matches!(ending, Ending::Scheduled)
            && self.only.is_some_and(|only| Some(only) != bench.work.worker())
        {
            return;
        }
        let (key, traced) = (self.start.key, self.start.traced);
        if let Some(keeper) = self.start.keeper.take() {
            keeper.start(key, traced, bench, ended);
        }
    }

    /// The factory that the task was made of.
    ///
    /// # Panics
    ///
    /// When it was made of another type: of a scheduler that gives back another task than it was
    /// given.
    pub(crate) fn into_factory<F, Fut, T>(mut self) -> F
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        let cell =
            self.start.keeper.take().map(|keeper| keeper.into_any().downcast::<Cell<F, T>>());
        let Some(Ok(cell)) = cell else {
            panic!("the scheduler gave back another task than the one it rejected")
        };
        let factory = cell.take_factory().expect("no loop has begun with it");
        cell.ended(0, Err(JoinError::cancelled()));
        factory
    }
}

/// A keeper, its types hidden.
trait Start: Send + Sync {
    fn start(self: Arc<Self>, key: usize, traced: Traced, bench: &Bench, ended: Ended);
    fn give_up(self: Arc<Self>, key: usize, traced: Traced);
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// Dropped with a keeper in it, it tells that the task has ended, cancelled.
struct Unbegun {
    keeper: Option<Arc<dyn Start>>,
    key: usize,
    traced: Traced,
}

impl Drop for Unbegun {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.give_up(self.key, self.traced);
        }
    }
}

impl<K: Keeper> Start for K {
    fn start(self: Arc<Self>, key: usize, traced: Traced, bench: &Bench, ended: Ended) {
        let begun = catch_unwind(AssertUnwindSafe(|| self.begin(key)));
        let mut duty = Duty::new(self, key, traced, ended);
        let outcome = match begun {
            Ok(Some(future)) => {
                if let Some(traced) = traced.told_by_loop() {
                    traced.begin::<K::Future>();
                }
                bench.run(future, duty);
                return;
            }
            Ok(None) => {
                if let Some(traced) = traced.told_by_loop() {
                    traced.request_cancel();
                }
                Err(JoinError::cancelled())
            }
            Err(payload) => Err(JoinError::panicked(payload)),
        };
        if let Some(traced) = traced.told_by_loop() {
            traced.rename::<K::Future>();
        }
        duty.settle(outcome);
    }

    fn give_up(self: Arc<Self>, key: usize, traced: Traced) {
        if let Some(traced) = traced.told_by_loop() {
            traced.rename::<K::Future>();
            traced.end::<K::Output>(&Err(JoinError::cancelled()));
        }
        self.ended(key, Err(JoinError::cancelled()));
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("tag", &self.tag).finish_non_exhaustive()
    }
}
