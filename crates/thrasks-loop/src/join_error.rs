use std::{any::Any, error::Error, fmt};

use crate::sync::{Mutex, lock};

/// Why a task has no result.
///
/// # Examples
///
/// ```
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(1).build()?;
/// let handle = pool.try_spawn(|| async { panic!("oops") })?;
/// let error: thrasks_loop::JoinError = futures_lite::future::block_on(handle).unwrap_err();
/// assert_eq!(error.to_string(), "the task panicked: oops");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JoinError(Kind);

enum Kind {
    Cancelled,
    Panicked(Mutex<Box<dyn Any + Send>>),
}

impl JoinError {
    pub(crate) fn cancelled() -> Self {
        Self(Kind::Cancelled)
    }

    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        // In a mutex to make the error `Sync`, which a payload need not be.
        Self(Kind::Panicked(Mutex::new(payload)))
    }

    /// Whether the task was cancelled, or dropped because its loop ended.
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
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Kind::Cancelled)
    }

    /// Whether the task panicked: its factory, its future, or the future's drop.
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
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_panic(&self) -> bool {
        matches!(self.0, Kind::Panicked(_))
    }

    /// The payload of the task's panic, to be resumed with [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// Gives the error back when it is not a panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let handle = pool.try_spawn(|| async { std::panic::panic_any(7) })?;
    /// let error: thrasks_loop::JoinError = futures_lite::future::block_on(handle).unwrap_err();
    /// let payload = error.try_into_panic()?;
    /// assert_eq!(payload.downcast_ref(), Some(&7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.0 {
            Kind::Panicked(payload) => {
                Ok(payload.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
            }
            kind @ Kind::Cancelled => Err(Self(kind)),
        }
    }

    /// The text of the panic, if the task panicked with one.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let handle = pool.try_spawn(|| async { panic!("{} is too much", 7) })?;
    /// let error: thrasks_loop::JoinError = futures_lite::future::block_on(handle).unwrap_err();
    /// assert_eq!(error.panic_message().as_deref(), Some("7 is too much"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
