use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use thrasks_loop::JoinError;

use crate::{Ticket, cell::Cell, shared::Withdraw};

/// A job that was submitted. Await it, from anywhere, for its outcome.
///
/// Dropping it cancels the job; [`detach`](Self::detach) lets the job go on.
///
/// When the outcome is there, the future is gone: dropped, where it ran.
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
/// use futures_lite::future::block_on;
/// use thrasks_loop::LoopPool;
/// use thrasks_pool::TaskPool;
///
/// let pool = TaskPool::new(LoopPool::builder().threads(1).build()?);
/// let panics = pool.submit(|| async { panic!("oops") });
/// let error: thrasks_pool::JoinError = block_on(panics).unwrap_err();
/// assert_eq!(error.panic_message().as_deref(), Some("oops"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a TaskHandle cancels its job; use detach() to let it go on"]
pub struct TaskHandle<T> {
    /// `None` once detached.
    cell: Option<Arc<Cell<T>>>,
    /// Its place in a queue. `None` if it never was in one.
    queued: Option<(Weak<dyn Withdraw>, Ticket)>,
}

impl<T> TaskHandle<T> {
    pub(crate) fn new(cell: Arc<Cell<T>>) -> Self {
        Self { cell: Some(cell), queued: None }
    }

    pub(crate) fn queued(mut self, queue: Weak<dyn Withdraw>, ticket: Ticket) -> Self {
        self.queued = Some((queue, ticket));
        self
    }

    /// Asks the job to end. One that no worker has begun with is dropped, and its outcome is there
    /// when this returns. Another is dropped, where it runs, before its next poll. The outcome is an
    /// error for which [`JoinError::is_cancelled`] holds, unless the job ended first.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let loops = LoopPool::builder().threads(1).build()?;
    /// let pool = TaskPool::builder().max_workers(1).build(loops);
    /// let forever = pool.submit(std::future::pending::<()>);
    /// let queued = pool.submit(|| async {});
    /// queued.cancel();
    /// assert!(queued.is_finished());
    /// forever.cancel();
    /// assert!(block_on(forever).unwrap_err().is_cancelled());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn cancel(&self) {
        let Some(cell) = &self.cell else { return };
        if cell.is_done() {
            return;
        }
        if let Some((queue, ticket)) = &self.queued {
            let queue = queue.upgrade();
            if queue.is_some_and(|queue| queue.withdraw(*ticket)) {
                return;
            }
        }
        // A worker has it.
        cell.cancel();
    }

    /// Lets the job go on with nobody waiting for it. Its result, or its panic, is dropped: where the
    /// job ran, or here if it has ended already.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(1).build()?);
    /// let (send, receive) = mpsc::channel();
    /// pool.submit(|| async move { send.send("done") }).detach();
    /// assert_eq!(receive.recv(), Ok("done"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn detach(mut self) {
        self.cell = None;
    }

    /// Whether the job has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(1).build()?);
    /// let mut handle = pool.submit(|| async {});
    /// futures_lite::future::block_on(&mut handle)?;
    /// assert!(handle.is_finished());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_finished(&self) -> bool {
        self.cell.as_ref().is_none_or(|cell| cell.is_done())
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.cell.as_ref().expect("detaching consumes the handle").poll(cx)
    }
}

impl<T> Drop for TaskHandle<T> {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<T> fmt::Debug for TaskHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
