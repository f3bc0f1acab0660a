use std::{convert::Infallible, error::Error, fmt};

use thrasks_sched::Reason;

use crate::Panic;

/// Why a task has no value to give. Where its future cannot return an error, `Failure` alone is
/// the type.
///
/// # Examples
///
/// ```
/// use thrasks_group::Failure;
///
/// let failure: Failure<String> = Failure::Error("no such host".into());
/// assert_eq!(failure.to_string(), "no such host");
/// assert!(!failure.is_panic());
/// assert_eq!(failure.into_error().unwrap(), "no such host");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure<E = Infallible> {
    /// Its future returned this error.
    Error(E),
    /// Its factory or its future panicked, or a drop of what they left.
    Panicked(Panic),
    /// The pool did not take it.
    Rejected(Reason),
    /// The pool, or the loop it ran on, ended before it did.
    Lost,
}

impl<E> Failure<E> {
    /// The error that the task's future returned.
    ///
    /// # Errors
    ///
    /// Gives the failure back when it is another one.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::Failure;
    ///
    /// assert_eq!(Failure::Error(7).into_error().unwrap(), 7);
    /// assert!(Failure::<u8>::Lost.into_error().is_err());
    /// ```
    pub fn into_error(self) -> Result<E, Self> {
        match self {
            Self::Error(error) => Ok(error),
            other => Err(other),
        }
    }

    /// Whether the task panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::{Failure, Panic};
    ///
    /// assert!(<Failure>::Panicked(Panic::new(Box::new("oops"))).is_panic());
    /// assert!(!<Failure>::Lost.is_panic());
    /// ```
    pub fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// Lets the panic go on, here, if it is one; gives the failure back otherwise.
    ///
    /// # Panics
    ///
    /// When the task did, with the same payload.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::Failure;
    ///
    /// let failure = Failure::Error("no such host").resume_panic();
    /// assert_eq!(failure.to_string(), "no such host");
    /// ```
    #[must_use = "a failure that is no panic is given back"]
    pub fn resume_panic(self) -> Self {
        match self {
            Self::Panicked(panic) => panic.resume(),
            other => other,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Panicked(panic) => write!(f, "the task {panic}"),
            Self::Rejected(reason) => write!(f, "the task was not started: {reason}"),
            Self::Lost => f.write_str("the pool or its loop ended before the task did"),
        }
    }
}

// For every `E` that can be shown, such as a boxed error, which is no `Error` itself.
impl<E: fmt::Debug + fmt::Display> Error for Failure<E> {}
