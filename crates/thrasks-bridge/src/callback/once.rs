use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use thrasks_loop::JoinError;

use crate::{
    Execute,
    quiet::{quietly, wake},
    stream::quick,
    sync::{Mutex, lock},
    unstarted::Unstarted,
};

/// Runs code on a thread that calls back once, and awaits what it is called back with.
///
/// `run` is given the resolver to call from its callback. The first value is the outcome. If there
/// will be none, because `run` has returned and all resolvers are gone, the outcome is an error:
/// [cancelled](JoinError::is_cancelled), or the panic of `run`.
///
/// # Cancel safety
///
/// That of the [`Once`].
///
/// # Examples
///
/// ```
/// use thrasks_bridge::{OwnThread, once_from_callback};
///
/// fn read(then: impl FnOnce(&str)) {
///     then("a line");
/// }
///
/// let line = once_from_callback(&OwnThread::new(), |resolver| {
///     read(|line| drop(resolver.resolve(line.to_owned())));
/// });
/// assert_eq!(futures_lite::future::block_on(line)?, "a line");
///
/// let never = once_from_callback::<u8, _>(&OwnThread::new(), drop);
/// assert!(futures_lite::future::block_on(never).unwrap_err().is_cancelled());
/// # Ok::<(), thrasks_bridge::JoinError>(())
/// ```
pub fn once_from_callback<T, F>(on: &(impl Execute + ?Sized), run: F) -> Once<T>
where
    F: FnOnce(Resolver<T>) + Send + 'static,
    T: Send + 'static,
{
    let cell = Arc::new(Cell(Mutex::new(State::Open { waiter: None })));
    let resolver = Resolver { promise: Arc::new(Promise(cell.clone())) };
    let job = move || {
        // Kept until the panic is there, which would else come after the cancellation.
        let kept = resolver.clone();
        if let Err(error) = quick(|| run(resolver)) {
            let _ = kept.promise.0.complete(Err(error));
        }
    };
    let unstarted = Unstarted::submit(on, job, |reason| {
        let _ = cell.complete(Err(JoinError::refused(reason)));
    });
    Once { cell, unstarted }
}

/// The future of a value that a callback will give: see [`once_from_callback`].
///
/// Dropping it cancels the call, if no thread has begun with it; otherwise the value is dropped.
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
/// use thrasks_bridge::{Once, OwnThread, once_from_callback};
///
/// let (sender, receiver) = std::sync::mpsc::channel();
/// let mut once: Once<u8> = once_from_callback(&OwnThread::new(), move |resolver| {
///     let _ = sender.send(resolver);
/// });
/// let resolver = receiver.recv()?;
/// assert!(block_on(poll_once(&mut once)).is_none());
/// assert_eq!(resolver.resolve(7), Ok(()));
/// assert_eq!(block_on(once)?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it gives up the value"]
pub struct Once<T> {
    cell: Arc<Cell<T>>,
    unstarted: Unstarted,
}

/// What a callback gives its value to: see [`once_from_callback`].
///
/// # Examples
///
/// ```
/// use thrasks_bridge::{OwnThread, Resolver, once_from_callback};
///
/// // It may be cloned, for callbacks of which only one is called.
/// let answer = once_from_callback(&OwnThread::new(), |resolver: Resolver<Result<u8, &str>>| {
///     let on_error = resolver.clone();
///     let (_on_success, on_error) =
///         (move |value| resolver.resolve(Ok(value)), move |why| on_error.resolve(Err(why)));
///     assert_eq!(on_error("no answer"), Ok(()));
/// });
/// assert_eq!(futures_lite::future::block_on(answer)?, Err("no answer"));
/// # Ok::<(), thrasks_bridge::JoinError>(())
/// ```
pub struct Resolver<T> {
    promise: Arc<Promise<T>>,
}

/// Where the value is left. Nothing of the user's runs, and nothing of it is dropped, with the lock
/// held (cloning the waiter's waker excepted).
struct Cell<T>(Mutex<State<T>>);

enum State<T> {
    Open {
        waiter: Option<Waker>,
    },
    Done(Result<T, JoinError>),
    /// The outcome was taken, or nobody wants it.
    Closed,
}

/// Shared by the resolvers: the last one to go leaves an outcome, if there is none.
struct Promise<T>(Arc<Cell<T>>);

impl<T> Cell<T> {
    /// Leaves the outcome. Gives it back if there is one, or nobody wants one.
    fn complete(&self, outcome: Result<T, JoinError>) -> Result<(), Result<T, JoinError>> {
        let mut state = lock(&self.0);
        let State::Open { waiter } = &mut *state else {
            drop(state);
            return Err(outcome);
        };
        let waiter = waiter.take();
        *state = State::Done(outcome);
        drop(state);
        wake(waiter);
        Ok(())
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let _ = self.0.complete(Err(JoinError::cancelled()));
    }
}

impl<T> Resolver<T> {
    /// Gives the value.
    ///
    /// # Errors
    ///
    /// Gives it back when another came first, or nobody wants one any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::{OwnThread, once_from_callback};
    ///
    /// let once = once_from_callback(&OwnThread::new(), |resolver| {
    ///     assert_eq!(resolver.resolve("first"), Ok(()));
    ///     assert_eq!(resolver.resolve("second"), Err("second"));
    /// });
    /// assert_eq!(futures_lite::future::block_on(once)?, "first");
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn resolve(&self, value: T) -> Result<(), T> {
        match self.promise.0.complete(Ok(value)) {
            Err(Ok(value)) => Err(value),
            _ => Ok(()),
        }
    }

    /// Whether a value would be given back.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::{OwnThread, once_from_callback};
    ///
    /// let once = once_from_callback(&OwnThread::new(), |resolver| {
    ///     resolver.resolve(1).unwrap();
    ///     assert!(resolver.is_closed());
    /// });
    /// assert_eq!(futures_lite::future::block_on(once)?, 1);
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        !matches!(*lock(&self.promise.0.0), State::Open { .. })
    }
}

impl<T> Clone for Resolver<T> {
    fn clone(&self) -> Self {
        Self { promise: self.promise.clone() }
    }
}

impl<T> Future for Once<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = lock(&self.cell.0);
        if let State::Open { waiter } = &mut *state {
            let old = waiter.replace(cx.waker().clone());
            drop(state);
            drop(old);
            return Poll::Pending;
        }
        match mem::replace(&mut *state, State::Closed) {
            State::Done(outcome) => Poll::Ready(outcome),
            _ => {
                drop(state);
                panic!("a Once was polled after it had given its outcome")
            }
        }
    }
}

impl<T> Drop for Once<T> {
    fn drop(&mut self) {
        let old = mem::replace(&mut *lock(&self.cell.0), State::Closed);
        self.unstarted.cancel();
        quietly(|| drop(old));
    }
}

impl<T> fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = matches!(*lock(&self.cell.0), State::Open { .. });
        f.debug_struct("Once").field("finished", &!open).finish()
    }
}

impl<T> fmt::Debug for Resolver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("closed", &self.is_closed()).finish()
    }
}
