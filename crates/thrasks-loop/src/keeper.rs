use std::{future::Future, sync::Arc, task::Waker};

use crate::JoinError;

/// Who keeps tasks: makes their futures, cancels them, and is told how they ended.
///
/// A [`Task::new`](crate::Task::new) keeps itself, in an allocation of its own, and its
/// [`JoinHandle`](crate::JoinHandle) cancels it. What has many tasks, or keeps more of each (a group,
/// a gather), is their keeper itself, and [`Task::kept`](crate::Task::kept) allocates nothing: the
/// factories, the wakers and the outcomes lie where the keeper wants them, under a key of its choice.
///
/// Each task goes through this, on the loop that runs it: [`begin`](Self::begin); when it has to wait,
/// [`waits`](Self::waits) before each poll but the first; and [`ended`](Self::ended), once. One that is
/// dropped before a loop begins with it has an `ended` only, on the thread that drops it.
///
/// # Panics
///
/// One of `begin` is the task's outcome. The other two are not to panic: what they throw is lost.
///
/// # Examples
///
/// Numbers, each computed by a task:
///
/// ```
/// use std::{future::{Ready, ready}, sync::{Arc, mpsc, Mutex}, task::Waker};
/// use thrasks_loop::{JoinError, Keeper, LoopPool, Task};
///
/// struct Squares {
///     numbers: Vec<u64>,
///     done: Mutex<mpsc::Sender<(usize, u64)>>,
/// }
///
/// impl Keeper for Squares {
///     type Output = u64;
///     type Future = Ready<u64>;
///
///     fn begin(self: &Arc<Self>, key: usize) -> Option<Ready<u64>> {
///         Some(ready(self.numbers[key].pow(2)))
///     }
///
///     fn waits(self: &Arc<Self>, _key: usize, _waker: &Waker) -> bool {
///         false
///     }
///
///     fn ended(self: Arc<Self>, key: usize, outcome: Result<u64, JoinError>) {
///         if let Ok(square) = outcome {
///             let _ = self.done.lock().unwrap().send((key, square));
///         }
///     }
/// }
///
/// let pool = LoopPool::builder().threads(2).build()?;
/// let (send, squares) = mpsc::channel();
/// let keeper = Arc::new(Squares { numbers: vec![3, 4], done: Mutex::new(send) });
/// pool.submit_batch(&mut (0..2).map(|key| Task::kept(keeper.clone(), key)))?;
/// drop(keeper);
/// let mut squares: Vec<_> = squares.into_iter().collect();
/// squares.sort();
/// assert_eq!(squares, [(0, 9), (1, 16)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Keeper: Send + Sync + 'static {
    /// What the futures yield.
    type Output: 'static;

    /// What the loops run. It need not be `Send`.
    type Future: Future<Output = Self::Output> + 'static;

    /// Makes the future of a task that a loop begins with; `None` if it is not to run any more, and
    /// has ended, cancelled, by that.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::{future::{Ready, ready}, sync::{Arc, Mutex}, task::Waker};
    /// # use thrasks_loop::{JoinError, Keeper};
    /// /// Has one task, until somebody takes it back.
    /// #[derive(Default)]
    /// struct One {
    ///     taken_back: bool,
    ///     outcome: Mutex<Option<Result<u8, JoinError>>>,
    /// }
    ///
    /// impl Keeper for One {
    ///     type Output = u8;
    ///     type Future = Ready<u8>;
    ///
    ///     fn begin(self: &Arc<Self>, key: usize) -> Option<Ready<u8>> {
    ///         (!self.taken_back).then(|| ready(key as u8))
    ///     }
    /// #
    /// #   fn waits(self: &Arc<Self>, _key: usize, _waker: &Waker) -> bool {
    /// #       self.taken_back
    /// #   }
    /// #
    /// #   fn ended(self: Arc<Self>, _key: usize, outcome: Result<u8, JoinError>) {
    /// #       *self.outcome.lock().unwrap() = Some(outcome);
    /// #   }
    /// }
    ///
    /// assert!(Arc::new(One::default()).begin(7).is_some());
    /// assert!(Arc::new(One { taken_back: true, ..One::default() }).begin(7).is_none());
    /// ```
    fn begin(self: &Arc<Self>, key: usize) -> Option<Self::Future>;

    /// The task has waited, or is about to; `waker` makes its loop come to it again. Returns whether
    /// it was cancelled: its future is dropped then, and not polled.
    ///
    /// To cancel a task is to remember that, and to call the waker it was told of last. It is told
    /// before it is asked, so no request is missed between the two.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{future::{Pending, pending}, sync::{Arc, Mutex}, task::Waker};
    /// use thrasks_loop::{JoinError, Keeper};
    ///
    /// /// Has one task, which waits until it is cancelled.
    /// #[derive(Default)]
    /// struct Waiting(Mutex<(bool, Option<Waker>)>);
    ///
    /// impl Waiting {
    ///     fn cancel(&self) {
    ///         let waker = {
    ///             let mut state = self.0.lock().unwrap();
    ///             state.0 = true;
    ///             state.1.take()
    ///         };
    ///         waker.map(Waker::wake);
    ///     }
    /// }
    ///
    /// impl Keeper for Waiting {
    /// #   type Output = ();
    /// #   type Future = Pending<()>;
    /// #
    /// #   fn begin(self: &Arc<Self>, _key: usize) -> Option<Pending<()>> {
    /// #       Some(pending())
    /// #   }
    /// #
    ///     fn waits(self: &Arc<Self>, _key: usize, waker: &Waker) -> bool {
    ///         let mut state = self.0.lock().unwrap();
    ///         state.1 = Some(waker.clone());
    ///         state.0
    ///     }
    /// #
    /// #   fn ended(self: Arc<Self>, _key: usize, _outcome: Result<(), JoinError>) {}
    /// }
    ///
    /// let waiting = Arc::new(Waiting::default());
    /// assert!(!waiting.waits(0, Waker::noop()));
    /// waiting.cancel();
    /// assert!(waiting.waits(0, Waker::noop()));
    /// ```
    fn waits(self: &Arc<Self>, key: usize, waker: &Waker) -> bool;

    /// The task has ended, and nothing is left of its future.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{future::{Ready, ready}, sync::{Arc, mpsc}, task::Waker};
    /// use thrasks_loop::{JoinError, Keeper, Task};
    ///
    /// /// Tells how its tasks ended.
    /// struct Telling(mpsc::Sender<(usize, bool)>);
    ///
    /// impl Keeper for Telling {
    /// #   type Output = ();
    /// #   type Future = Ready<()>;
    /// #
    /// #   fn begin(self: &Arc<Self>, _key: usize) -> Option<Ready<()>> {
    /// #       Some(ready(()))
    /// #   }
    /// #
    /// #   fn waits(self: &Arc<Self>, _key: usize, _waker: &Waker) -> bool {
    /// #       false
    /// #   }
    /// #
    ///     fn ended(self: Arc<Self>, key: usize, outcome: Result<(), JoinError>) {
    ///         let cancelled = outcome.is_err_and(|error| error.is_cancelled());
    ///         let _ = self.0.send((key, cancelled));
    ///     }
    /// }
    ///
    /// let (send, told) = mpsc::channel();
    /// drop(Task::kept(Arc::new(Telling(send)), 3));
    /// assert_eq!(told.recv()?, (3, true));
    /// # Ok::<(), mpsc::RecvError>(())
    /// ```
    fn ended(self: Arc<Self>, key: usize, outcome: Result<Self::Output, JoinError>);
}
