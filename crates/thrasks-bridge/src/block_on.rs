use std::{any::Any, error::Error, fmt, future::Future};

use futures_lite::future::block_on;
use thrasks_loop::{JoinError, LoopHandle, LoopId, Task};

use crate::{Waits, WouldDeadlock, waiting::while_waiting};

/// Which loop's thread is in a `block_on_loop` for which loop.
static WAITS: Waits<LoopId> = Waits::new();

/// From a thread: runs a future on a loop, and blocks until it has ended, in a [`while_waiting`].
///
/// The future is made on the loop by `factory`, and need not be `Send`.
///
/// # Errors
///
/// - The caller is on the loop's own thread, or on that of a loop that it waits for: it would wait
///   for ever. Nothing is run.
/// - The loop has ended, or ends before the future does.
/// - The future, or the factory, panicked.
///
/// # Examples
///
/// A job that asks its loop for something:
///
/// ```
/// use thrasks_bridge::{OwnThread, block_on_loop};
/// use thrasks_loop::LoopThread;
///
/// let thread = LoopThread::builder().start()?;
/// let handle = thread.handle();
/// let answer = OwnThread::new().call(move || block_on_loop(&handle, || async { 6 * 7 }));
/// assert_eq!(futures_lite::future::block_on(answer)??, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// On a loop's own thread one awaits:
///
/// ```
/// use thrasks_bridge::block_on_loop;
/// use thrasks_loop::LoopThread;
///
/// let thread = LoopThread::builder().start()?;
/// let handle = thread.handle();
/// let refused = thread.spawn(|| async move { block_on_loop(&handle, || async { 1 }) })?;
/// let error = futures_lite::future::block_on(refused)?.unwrap_err();
/// assert!(error.would_deadlock());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn block_on_loop<F, Fut, T>(on: &LoopHandle<Task>, factory: F) -> Result<T, BlockOnError>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T> + 'static,
    T: Send + 'static,
{
    let _waiting = WAITS.begin(LoopId::current(), on.id()).map_err(Kind::Deadlock)?;
    let (task, handle) = Task::new(factory);
    if let Err(task) = on.post(task) {
        // Its handle hears of it below.
        drop(task);
    }
    Ok(while_waiting(|| block_on(handle)).map_err(Kind::Failed)?)
}

/// Why a thread has no result of a future on a loop: see [`block_on_loop`].
///
/// # Examples
///
/// ```
/// use thrasks_bridge::block_on_loop;
/// use thrasks_loop::LoopThread;
///
/// let thread = LoopThread::builder().start()?;
/// let handle = thread.handle();
/// thread.join(None).expect("nothing keeps it");
/// let error = block_on_loop(&handle, || async {}).unwrap_err();
/// assert!(error.is_stopped());
/// assert_eq!(error.to_string(), "the loop has ended before the future did");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct BlockOnError(Kind);

enum Kind {
    Deadlock(WouldDeadlock),
    Failed(JoinError),
}

impl BlockOnError {
    /// Whether the caller would have waited for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::block_on_loop;
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let handle = thread.handle();
    /// // From the loop's own thread.
    /// let refused = thread.spawn(|| async move { block_on_loop(&handle, || async {}) })?;
    /// assert!(futures_lite::future::block_on(refused)?.unwrap_err().would_deadlock());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn would_deadlock(&self) -> bool {
        matches!(self.0, Kind::Deadlock(_))
    }

    /// Whether the loop had ended, or did before the future.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::block_on_loop;
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let handle = thread.handle();
    /// drop(thread);
    /// // The loop has ended, or ends before a future that never does.
    /// let error = block_on_loop(&handle, std::future::pending::<()>).unwrap_err();
    /// assert!(error.is_stopped());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_stopped(&self) -> bool {
        matches!(&self.0, Kind::Failed(error) if !error.is_panic())
    }

    /// Whether the future, or its factory, panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::block_on_loop;
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let error = block_on_loop(&thread.handle(), || async { panic!("oops") }).unwrap_err();
    /// assert!(error.is_panic());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_panic(&self) -> bool {
        matches!(&self.0, Kind::Failed(error) if error.is_panic())
    }

    /// The payload of the panic, to be resumed with [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// Gives the error back when it is not a panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::block_on_loop;
    /// use thrasks_loop::LoopThread;
    ///
    /// let thread = LoopThread::builder().start()?;
    /// let error = block_on_loop(&thread.handle(), || async { panic!("oops") }).unwrap_err();
    /// assert!(error.is_panic());
    /// assert_eq!(error.try_into_panic()?.downcast_ref(), Some(&"oops"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.0 {
            Kind::Failed(error) => {
                error.try_into_panic().map_err(|error| Self(Kind::Failed(error)))
            }
            kind @ Kind::Deadlock(_) => Err(Self(kind)),
        }
    }
}

impl From<Kind> for BlockOnError {
    fn from(kind: Kind) -> Self {
        Self(kind)
    }
}

impl fmt::Debug for BlockOnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Deadlock(error) => write!(f, "BlockOnError({error:?})"),
            Kind::Failed(error) => write!(f, "BlockOnError({error:?})"),
        }
    }
}

impl fmt::Display for BlockOnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Deadlock(error) => {
                write!(f, "{error}: await the future instead, or call from a thread of no loop")
            }
            Kind::Failed(error) if error.is_panic() => write!(f, "{error}"),
            Kind::Failed(_) => f.write_str("the loop has ended before the future did"),
        }
    }
}

impl Error for BlockOnError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Kind::Deadlock(error) => Some(error),
            Kind::Failed(error) => Some(error),
        }
    }
}
