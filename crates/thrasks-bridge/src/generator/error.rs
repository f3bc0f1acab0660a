use std::{error::Error, fmt};

use thrasks_loop::JoinError;

/// What a step of a generator came to.
///
/// # Examples
///
/// ```
/// use futures_lite::future::block_on;
/// use thrasks_bridge::{OwnThread, Step, Yielder, generator};
///
/// let mut words = generator(OwnThread::new(), |yielder: &mut Yielder<(), (), &str>| {
///     ["a", "b"].into_iter().take_while(|word| yielder.put(word).is_ok()).count()
/// });
/// let mut yielded = Vec::new();
/// let count = loop {
///     match block_on(words.send(()))? {
///         Step::Yielded(word) => yielded.push(word),
///         Step::Returned(count) => break count,
///     }
/// };
/// assert_eq!((yielded, count), (vec!["a", "b"], 2));
/// # Ok::<(), thrasks_bridge::StepError<()>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<Y, R> {
    /// It has yielded, and waits for what comes next.
    Yielded(Y),
    /// It has returned: this was its last step.
    Returned(R),
}

/// What a generator's code is told instead of being sent a value.
///
/// # Examples
///
/// ```
/// use futures_lite::future::block_on;
/// use thrasks_bridge::{Interrupt, OwnThread, Step, Yielder, generator};
///
/// let mut told = generator(OwnThread::new(), |yielder: &mut Yielder<(), &str, ()>| {
///     yielder.first().ok();
///     match yielder.put(()) {
///         Err(Interrupt::Thrown(what)) => what,
///         _ => "nothing",
///     }
/// });
/// assert_eq!(block_on(told.send(()))?, Step::Yielded(()));
/// assert_eq!(block_on(told.throw("a stone"))?, Step::Returned("a stone"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt<E> {
    /// An error was thrown into it.
    Thrown(E),
    /// Nobody wants to hear of it any more. Every further yield fails so.
    Closed,
}

/// A step was not begun: gives back what was to begin it.
///
/// # Examples
///
/// ```
/// use thrasks_bridge::{OwnThread, StartError, Yielder, generator};
///
/// let mut echo = generator(OwnThread::new(), |yielder: &mut Yielder<u8, (), u8>| {
///     yielder.first().ok();
/// });
/// echo.start_send(1)?;
/// assert_eq!(echo.start_send(2), Err(StartError::Busy(2)));
/// # Ok::<(), StartError<u8>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum StartError<M> {
    /// Another step is under way.
    Busy(M),
    /// The generator has ended, or was closed.
    Ended(M),
}

impl<M> StartError<M> {
    /// What was to begin the step.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::StartError;
    ///
    /// assert_eq!(StartError::Busy(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> M {
        match self {
            Self::Busy(message) | Self::Ended(message) => message,
        }
    }
}

impl<M> fmt::Debug for StartError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy(_) => "Busy(..)",
            Self::Ended(_) => "Ended(..)",
        })
    }
}

impl<M> fmt::Display for StartError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy(_) => "a step of the generator is under way: wait for it first",
            Self::Ended(_) => "the generator has ended",
        })
    }
}

impl<M> Error for StartError<M> {}

/// Why there is no outcome of a step.
///
/// # Examples
///
/// ```
/// use futures_lite::future::block_on;
/// use thrasks_bridge::{OwnThread, StepError, Yielder, generator};
///
/// let mut broken = generator(OwnThread::new(), |_: &mut Yielder<u8, (), u8>| panic!("oops"));
/// let error = block_on(broken.send(1)).unwrap_err();
/// assert_eq!(error.to_string(), "the task panicked: oops");
/// let error = block_on(broken.send(2)).unwrap_err();
/// assert_eq!(error.to_string(), "the generator has ended");
/// # let _: StepError<u8> = error;
/// ```
pub enum StepError<M> {
    /// It was not begun.
    NotStarted(StartError<M>),
    /// The generator panicked, was dropped by its pool of threads, or was refused by it.
    Failed(JoinError),
}

impl<M> From<StartError<M>> for StepError<M> {
    fn from(error: StartError<M>) -> Self {
        Self::NotStarted(error)
    }
}

impl<M> From<JoinError> for StepError<M> {
    fn from(error: JoinError) -> Self {
        Self::Failed(error)
    }
}

impl<M> fmt::Debug for StepError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(error) => f.debug_tuple("NotStarted").field(error).finish(),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

impl<M> fmt::Display for StepError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(error) => error.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<M> Error for StepError<M> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotStarted(_) => None,
            Self::Failed(error) => error.source(),
        }
    }
}
