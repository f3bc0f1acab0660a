use std::{
    fmt,
    future::Future,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use thrasks_loop::JoinError;

use crate::{
    Execute,
    quiet::{quietly, wake},
    sync::{Mutex, MutexGuard, lock},
    waiting::note_panic,
};

/// Calls `f` on a thread.
///
/// It is queued now, awaited or not. A panic of it is its outcome.
///
/// # Cancel safety
///
/// That of the [`Call`].
///
/// # Examples
///
/// ```
/// use thrasks_bridge::{OwnThread, call};
///
/// futures_lite::future::block_on(async {
///     assert_eq!(call(&OwnThread::new(), || 6 * 7).await.unwrap(), 42);
///     let panic = call(&OwnThread::new(), || -> u8 { panic!("oops") });
///     assert_eq!(panic.await.unwrap_err().panic_message().as_deref(), Some("oops"));
/// });
/// ```
pub fn call<T, F>(on: &(impl Execute + ?Sized), f: F) -> Call<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let cell = Arc::new(Cell(Mutex::new(State::Queued { f, joiner: None })));
    let duty = Duty(cell.clone());
    if let Err(refused) = on.execute(Box::new(move || duty.0.run())) {
        let (job, reason) = refused.into_parts();
        cell.end_queued(|| Err(JoinError::refused(reason)));
        quietly(|| drop(job));
    }
    Call { cell: Some(cell) }
}

/// A call on a thread: the future of its result.
///
/// Dropping it cancels the call if no thread has begun with it, and otherwise lets it go on, its
/// result dropped; [`detach`](Self::detach) lets it go on in either case.
///
/// The error is a panic of the closure, a cancellation (by [`cancel`](Self::cancel), or by the pool
/// of threads, which dropped it), or the reason why no thread took it.
///
/// # Panics
///
/// When polled after it has given its outcome.
///
/// # Cancel safety
///
/// Awaited by reference, it can be awaited again.
///
/// # Examples
///
/// ```
/// use futures_lite::future::{block_on, poll_once};
/// use thrasks_bridge::{Call, OwnThread};
///
/// let mut call: Call<u8> = OwnThread::new().call(|| 7);
/// let outcome = block_on(async {
///     // Given up for now, and asked again.
///     match poll_once(&mut call).await {
///         Some(outcome) => outcome,
///         None => call.await,
///     }
/// });
/// assert_eq!(outcome?, 7);
/// # Ok::<(), thrasks_bridge::JoinError>(())
/// ```
#[must_use = "dropping a Call cancels it, if no thread has begun with it: await it, or detach it"]
pub struct Call<T> {
    /// Given away by `detach`.
    cell: Option<Arc<dyn Outcome<T>>>,
}

impl<T> Call<T> {
    /// Cancels the call, if no thread has begun with it: its closure is dropped now, and never
    /// called. Returns whether that is so.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use thrasks_bridge::BlockingPool;
    ///
    /// let pool = BlockingPool::builder().max_threads(1).build()?;
    /// let (sender, receiver) = mpsc::channel::<()>();
    /// let first = pool.call(move || receiver.recv());
    /// let second = pool.call(|| unreachable!());
    /// assert!(second.cancel());
    /// assert!(futures_lite::future::block_on(second).unwrap_err().is_cancelled());
    /// # drop(sender);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn cancel(&self) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.cancel())
    }

    /// Whether a thread has begun with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::OwnThread;
    ///
    /// let mut call = OwnThread::new().call(|| 1);
    /// futures_lite::future::block_on(&mut call)?;
    /// assert!(call.is_started());
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn is_started(&self) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.look().started)
    }

    /// Whether it has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::OwnThread;
    ///
    /// let mut call = OwnThread::new().call(|| 1);
    /// futures_lite::future::block_on(&mut call)?;
    /// assert!(call.is_finished());
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn is_finished(&self) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.look().finished)
    }

    /// Lets the call go on with nobody waiting for it. Its result, or its panic, is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use thrasks_bridge::OwnThread;
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// OwnThread::new().call(move || sender.send("done")).detach();
    /// assert_eq!(receiver.recv(), Ok("done"));
    /// ```
    pub fn detach(mut self) {
        self.cell = None;
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.cell.as_ref().expect("detaching consumes the call").poll(cx)
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("started", &self.is_started())
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// Where the closure waits for its thread, and its outcome for whoever awaits it.
///
/// One lock over one state: a thread takes the closure out, to call it, or a cancellation does, to
/// drop it, and whoever comes second finds that it is gone. Nothing of the user's runs, and nothing
/// of it is dropped, with the lock held (cloning the joiner's waker excepted).
struct Cell<F, T>(Mutex<State<F, T>>);

enum State<F, T> {
    Queued { f: F, joiner: Option<Waker> },
    Running { joiner: Option<Waker> },
    Done { outcome: Result<T, JoinError>, started: bool },
    Taken { started: bool },
}

struct Look {
    started: bool,
    finished: bool,
}

/// A [`Cell`], its closure's type hidden.
trait Outcome<T>: Send + Sync {
    fn cancel(&self) -> bool;
    fn look(&self) -> Look;
    #[track_caller]
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>>;
}

impl<T, F: FnOnce() -> T> Cell<F, T> {
    fn run(&self) {
        let mut state = lock(&self.0);
        let old = mem::replace(&mut *state, State::Taken { started: true });
        let State::Queued { f, joiner } = old else {
            *state = old;
            return;
        };
        *state = State::Running { joiner };
        drop(state);
        let outcome = catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
            note_panic();
            JoinError::panicked(payload)
        });
        self.end(lock(&self.0), outcome, true);
    }
}

impl<F, T> Cell<F, T> {
    /// Ends the call, if no thread has begun with it. Returns whether it did.
    fn end_queued(&self, outcome: impl FnOnce() -> Result<T, JoinError>) -> bool {
        let mut state = lock(&self.0);
        let old = mem::replace(&mut *state, State::Taken { started: false });
        let State::Queued { f, joiner } = old else {
            *state = old;
            return false;
        };
        *state = State::Running { joiner };
        self.end(state, outcome(), false);
        // A closure's captures that panic when dropped: not a loss of who cancels, nor of a
        // thread that drops what is queued.
        quietly(|| drop(f));
        true
    }

    fn end(
        &self,
        mut state: MutexGuard<'_, State<F, T>>,
        outcome: Result<T, JoinError>,
        started: bool,
    ) {
        let old = mem::replace(&mut *state, State::Done { outcome, started });
        drop(state);
        if let State::Running { joiner } = old {
            wake(joiner);
        }
    }
}

impl<T: Send, F: FnOnce() -> T + Send> Outcome<T> for Cell<F, T> {
    fn cancel(&self) -> bool {
        self.end_queued(|| Err(JoinError::cancelled()))
    }

    fn look(&self) -> Look {
        match &*lock(&self.0) {
            State::Queued { .. } => Look { started: false, finished: false },
            State::Running { .. } => Look { started: true, finished: false },
            State::Done { started, .. } | State::Taken { started } => {
                Look { started: *started, finished: true }
            }
        }
    }

    #[track_caller]
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let mut state = lock(&self.0);
        let started = match &mut *state {
            State::Queued { joiner, .. } | State::Running { joiner } => {
                let old = if joiner.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
                    None
                } else {
                    joiner.replace(cx.waker().clone())
                };
                drop(state);
                drop(old);
                return Poll::Pending;
            }
            State::Done { started, .. } | State::Taken { started } => *started,
        };
        match mem::replace(&mut *state, State::Taken { started }) {
            State::Done { outcome, .. } => Poll::Ready(outcome),
            _ => {
                drop(state);
                panic!("a Call was polled after it had given its outcome")
            }
        }
    }
}

/// What the job holds: dropped without having run, it cancels the call.
struct Duty<F, T>(Arc<Cell<F, T>>);

impl<F, T> Drop for Duty<F, T> {
    fn drop(&mut self) {
        self.0.end_queued(|| Err(JoinError::cancelled()));
    }
}
