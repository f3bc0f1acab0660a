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
    Refused(Box<dyn Error + Send + Sync>),
}

impl JoinError {
    /// The error of a task that was cancelled: for executors of your own.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::JoinError;
    ///
    /// assert_eq!(JoinError::cancelled().to_string(), "the task was cancelled");
    /// ```
    pub fn cancelled() -> Self {
        Self(Kind::Cancelled)
    }

    /// The error of a task that panicked with this payload: for executors of your own.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::JoinError;
    ///
    /// let payload = std::panic::catch_unwind(|| panic!("oops")).unwrap_err();
    /// assert_eq!(JoinError::panicked(payload).to_string(), "the task panicked: oops");
    /// ```
    pub fn panicked(payload: Box<dyn Any + Send>) -> Self {
        // In a mutex to make the error `Sync`, which a payload need not be.
        Self(Kind::Panicked(Mutex::new(payload)))
    }

    /// The error of a task that nobody took, and why: for executors of your own. The reason is its
    /// [`source`](Error::source).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::error::Error;
    /// use thrasks_loop::JoinError;
    ///
    /// let error = JoinError::refused("no thread could be made");
    /// assert_eq!(error.to_string(), "nobody ran the task: no thread could be made");
    /// assert_eq!(error.source().unwrap().to_string(), "no thread could be made");
    /// ```
    pub fn refused(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Kind::Refused(reason.into()))
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

    /// Whether the task was refused: nobody ran it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::JoinError;
    ///
    /// assert!(JoinError::refused("no thread could be made").is_refused());
    /// ```
    pub fn is_refused(&self) -> bool {
        matches!(self.0, Kind::Refused(_))
    }

    /// Why the task was refused.
    ///
    /// # Errors
    ///
    /// Gives the error back when it is not a refusal.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use thrasks_loop::JoinError;
    ///
    /// let error = JoinError::refused(io::Error::from(io::ErrorKind::WouldBlock));
    /// let reason = error.try_into_refusal()?.downcast::<io::Error>().expect("what was put in");
    /// assert_eq!(reason.kind(), io::ErrorKind::WouldBlock);
    /// # Ok::<(), JoinError>(())
    /// ```
    pub fn try_into_refusal(self) -> Result<Box<dyn Error + Send + Sync>, Self> {
        match self.0 {
            Kind::Refused(reason) => Ok(reason),
            kind => Err(Self(kind)),
        }
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
            kind => Err(Self(kind)),
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
            Kind::Refused(reason) => write!(f, "JoinError::Refused({reason:?})"),
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
            Kind::Refused(reason) => write!(f, "nobody ran the task: {reason}"),
        }
    }
}

impl Error for JoinError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Kind::Refused(reason) => Some(&**reason),
            _ => None,
        }
    }
}
