use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use crate::{JoinError, cell::Slot};

/// A task that was spawned. Await it, from anywhere, for its outcome.
///
/// Dropping it cancels the task; [`detach`](Self::detach) lets the task go on.
///
/// When the outcome is there, the future is gone: dropped, on its loop.
///
/// # Panics
///
/// When it is polled again after it was ready.
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
    /// `None` once detached, and when the outcome has been given.
    slot: Option<Arc<dyn Slot<T>>>,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(slot: Arc<dyn Slot<T>>) -> Self {
        Self { slot: Some(slot) }
    }

    /// Asks the task to end: it is dropped on its loop before its next poll, or never begun. The
    /// outcome then is an error for which [`JoinError::is_cancelled`] holds, unless the task ended
    /// first.
    ///
    /// The outcome of a task that no loop has begun with is there when this returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let handle = pool.try_spawn(std::future::pending::<()>)?;
    /// handle.cancel();
    /// assert!(futures_lite::future::block_on(handle).unwrap_err().is_cancelled());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&self) {
        if let Some(slot) = &self.slot {
            slot.cancel();
        }
    }

    /// Lets the task go on with nobody waiting for it. Its result, or its panic, is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let (send, receive) = mpsc::channel();
    /// pool.try_spawn(|| async move { send.send("done") })?.detach();
    /// assert_eq!(receive.recv(), Ok("done"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn detach(mut self) {
        self.slot = None;
    }

    /// Whether the task has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let mut handle = pool.try_spawn(|| async {})?;
    /// futures_lite::future::block_on(&mut handle)?;
    /// assert!(handle.is_finished());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_finished(&self) -> bool {
        self.slot.as_ref().is_none_or(|slot| slot.is_done())
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(slot) = &self.slot else {
            panic!("a JoinHandle was polled after it had given its outcome")
        };
        let outcome = ready!(slot.poll(cx));
        // There is nothing left to cancel, and nothing to keep.
        self.slot = None;
        Poll::Ready(outcome)
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
