use std::{
    any::Any,
    error::Error,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use async_executor::LocalExecutor;

use crate::{Work, permits::Permit, sync::lock};

/// A future that has not been made yet: what a pool with the driver of this crate is fed with.
///
/// Made by `spawn`; public so that a [`Scheduler`](thrasks_sched::Scheduler) of your own can hold
/// it and look at its [`tag`](Self::tag), and so that you can make one yourself and
/// [`submit`](crate::LoopPool::submit) it.
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
pub struct Task {
    start: Box<dyn Start>,
    tag: u64,
    permit: Option<Permit>,
}

/// What a task is started on, on the loop's thread.
pub(crate) struct Bench {
    pub(crate) executor: LocalExecutor<'static>,
    pub(crate) work: Rc<Work<Task>>,
}

/// Whom a started task tells that it has ended.
#[derive(Clone, Copy)]
pub(crate) enum Ending {
    Scheduled,
    Posted,
}

impl Task {
    /// A task that calls `factory` on the loop that runs it and runs the future to its end there,
    /// and the handle on its outcome.
    pub fn new<F, Fut, T>(factory: F) -> (Self, JoinHandle<T>)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        let cell = Arc::new(Cell::new());
        let start = Box::new(Starter { factory, promise: Promise { cell: cell.clone() } });
        (Self { start, tag: 0, permit: None }, JoinHandle { cell: Some(cell) })
    }

    /// The same task with a number on it, for a scheduler that sorts by it: a priority, or the hash
    /// of a key.
    #[must_use]
    pub fn with_tag(mut self, tag: u64) -> Self {
        self.tag = tag;
        self
    }

    /// The number on the task; 0 unless it was given one.
    pub fn tag(&self) -> u64 {
        self.tag
    }

    pub(crate) fn with_permit(mut self, permit: Option<Permit>) -> Self {
        self.permit = permit;
        self
    }

    pub(crate) fn start(self, bench: &Bench, ending: Ending) {
        drop(self.permit);
        self.start.start(bench, ending);
    }

    /// The factory that the task was made of.
    ///
    /// # Panics
    ///
    /// When it was made of another type: of a scheduler that gives back another task than it was
    /// given.
    pub(crate) fn into_factory<F, Fut, T>(self) -> F
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        match self.start.into_any().downcast::<Starter<F, T>>() {
            Ok(starter) => starter.factory,
            Err(_) => panic!("the scheduler gave back another task than the one it rejected"),
        }
    }
}

/// A task before its start, its types hidden.
trait Start: Send {
    fn start(self: Box<Self>, bench: &Bench, ending: Ending);
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

struct Starter<F, T> {
    factory: F,
    promise: Promise<T>,
}

impl<F, Fut, T> Start for Starter<F, T>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T> + 'static,
    T: Send + 'static,
{
    fn start(self: Box<Self>, bench: &Bench, ending: Ending) {
        // Told by a drop rather than by a call at the end of the future: a future may be dropped.
        let ended = Ended { work: bench.work.clone(), ending };
        if self.promise.cell.is_cancelled() {
            // The promise is dropped: the outcome is `Cancelled`, and the factory never runs.
            return;
        }
        let run = async move {
            let _ended = ended;
            self.promise.keep(self.factory).await;
        };
        bench.executor.spawn(run).detach();
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("tag", &self.tag).finish_non_exhaustive()
    }
}

impl Ending {
    fn tell(self, work: &Work<Task>) {
        match self {
            Self::Scheduled => work.finish(),
            Self::Posted => work.finish_posted(),
        }
    }
}

struct Ended {
    work: Rc<Work<Task>>,
    ending: Ending,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.ending.tell(&self.work);
    }
}

/// Where the loop leaves the outcome of a task and the handle finds it.
struct Cell<T> {
    state: Mutex<State<T>>,
}

enum State<T> {
    Pending { cancelled: bool, task: Option<Waker>, joiner: Option<Waker> },
    Done(Result<T, JoinError>),
    Taken,
}

impl<T> Cell<T> {
    fn new() -> Self {
        Self { state: Mutex::new(State::Pending { cancelled: false, task: None, joiner: None }) }
    }

    fn is_cancelled(&self) -> bool {
        matches!(*lock(&self.state), State::Pending { cancelled: true, .. })
    }

    /// Asks the task to end, if it has not. The waker it leaves is woken outside the lock.
    fn cancel(&self) {
        let waker = match &mut *lock(&self.state) {
            State::Pending { cancelled, task, .. } => {
                *cancelled = true;
                task.take()
            }
            _ => None,
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The task is about to be polled with this waker. Returns whether it was cancelled.
    fn enlist(&self, waker: &Waker) -> bool {
        match &mut *lock(&self.state) {
            State::Pending { cancelled, task, .. } => {
                if !task.as_ref().is_some_and(|old| old.will_wake(waker)) {
                    *task = Some(waker.clone());
                }
                *cancelled
            }
            _ => false,
        }
    }

    /// Leaves the outcome, if there is none yet.
    fn complete(&self, outcome: Result<T, JoinError>) {
        let mut state = lock(&self.state);
        let State::Pending { task, joiner, .. } = &mut *state else { return };
        let (task, joiner) = (task.take(), joiner.take());
        *state = State::Done(outcome);
        drop(state);
        drop(task);
        if let Some(waker) = joiner {
            waker.wake();
        }
    }
}

/// The duty to leave an outcome: dropped without one, it leaves `Cancelled`.
struct Promise<T> {
    cell: Arc<Cell<T>>,
}

impl<T> Promise<T> {
    /// Makes the future, runs it and leaves its outcome. A panic of either is the outcome.
    async fn keep<Fut: Future<Output = T>>(self, factory: impl FnOnce() -> Fut) {
        let future = match catch_unwind(AssertUnwindSafe(factory)) {
            Ok(future) => future,
            Err(payload) => return self.cell.complete(Err(JoinError::panicked(payload))),
        };
        let outcome = {
            let mut future = pin!(future);
            std::future::poll_fn(|cx| {
                if self.cell.enlist(cx.waker()) {
                    return Poll::Ready(Err(JoinError(Kind::Cancelled)));
                }
                match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                    Ok(Poll::Pending) => Poll::Pending,
                    Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
                    Err(payload) => Poll::Ready(Err(JoinError::panicked(payload))),
                }
            })
            .await
        };
        // The future is gone by now: whoever sees the outcome finds nothing of the task left.
        self.cell.complete(outcome);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.cell.complete(Err(JoinError(Kind::Cancelled)));
    }
}

/// A task that was spawned. Await it, from anywhere, for its outcome.
///
/// Dropping it cancels the task; [`detach`](Self::detach) lets the task go on.
///
/// # Cancel safety
///
/// Awaiting `&mut handle` is cancel safe: the outcome stays until it is taken.
///
/// # Examples
///
/// ```
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(1).build()?;
/// let handle = pool.try_spawn(|| async { panic!("oops") })?;
/// let error: thrasks_loop::JoinError = futures_lite::future::block_on(handle).unwrap_err();
/// assert!(error.is_panic());
///
/// let forever = pool.try_spawn(std::future::pending::<()>)?;
/// forever.cancel();
/// assert!(futures_lite::future::block_on(forever).unwrap_err().is_cancelled());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a JoinHandle cancels its task; use detach() to let it go on"]
pub struct JoinHandle<T> {
    /// `None` once detached.
    cell: Option<Arc<Cell<T>>>,
}

impl<T> JoinHandle<T> {
    /// Asks the task to end: it is dropped on its loop before its next poll. The outcome then is an
    /// error for which [`JoinError::is_cancelled`] holds, unless the task ended first.
    pub fn cancel(&self) {
        if let Some(cell) = &self.cell {
            cell.cancel();
        }
    }

    /// Lets the task go on with nobody waiting for it.
    pub fn detach(mut self) {
        self.cell = None;
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.cell.as_ref().is_none_or(|cell| !matches!(*lock(&cell.state), State::Pending { .. }))
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    ///
    /// When polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let cell = self.cell.as_ref().expect("a detached handle is gone");
        let mut state = lock(&cell.state);
        match &mut *state {
            State::Pending { joiner, .. } => {
                let old = if joiner.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
                    None
                } else {
                    joiner.replace(cx.waker().clone())
                };
                drop(state);
                drop(old);
                Poll::Pending
            }
            State::Done(_) => match std::mem::replace(&mut *state, State::Taken) {
                State::Done(outcome) => Poll::Ready(outcome),
                _ => unreachable!("matched just above"),
            },
            State::Taken => panic!("a JoinHandle was polled after it had given its outcome"),
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

/// Why a task has no result.
pub struct JoinError(Kind);

enum Kind {
    Cancelled,
    Panicked(Mutex<Box<dyn Any + Send>>),
}

impl JoinError {
    fn panicked(payload: Box<dyn Any + Send>) -> Self {
        // In a mutex to make the error `Sync`, which a payload need not be.
        Self(Kind::Panicked(Mutex::new(payload)))
    }

    /// Whether the task was cancelled, or dropped because its loop ended.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Kind::Cancelled)
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0, Kind::Panicked(_))
    }

    /// The payload of the task's panic, to be resumed with [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// Gives the error back when it is not a panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.0 {
            Kind::Panicked(payload) => {
                Ok(payload.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
            }
            kind @ Kind::Cancelled => Err(Self(kind)),
        }
    }

    /// The text of the panic, if the task panicked with one.
    pub fn panic_message(&self) -> Option<String> {
        let Kind::Panicked(payload) = &self.0 else { return None };
        let payload = lock(payload);
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned())
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cancelled => f.write_str("JoinError::Cancelled"),
            Kind::Panicked(_) => write!(f, "JoinError::Panicked({:?})", self.panic_message()),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cancelled => f.write_str("the task was cancelled"),
            Kind::Panicked(_) => match self.panic_message() {
                Some(text) => write!(f, "the task panicked: {text}"),
                None => f.write_str("the task panicked"),
            },
        }
    }
}

impl Error for JoinError {}
