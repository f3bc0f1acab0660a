use std::{error::Error, fmt};

/// The channel is closed: gives the item back.
///
/// # Examples
///
/// ```
/// use thrasks_bridge::{SendError, channel};
///
/// let (sender, receiver) = channel(1);
/// drop(receiver);
/// assert_eq!(sender.send(7), Err(SendError(7)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(
    /// The item.
    pub T,
);

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is closed")
    }
}

impl<T> Error for SendError<T> {}

/// The channel is full, or closed: gives the item back.
///
/// # Examples
///
/// ```
/// use thrasks_bridge::{TrySendError, channel};
///
/// let (sender, receiver) = channel(1);
/// assert_eq!(sender.try_send(1), Ok(()));
/// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
/// drop(receiver);
/// assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There was no room, now or in time.
    Full(T),
    /// The channel is closed.
    Closed(T),
}

impl<T> TrySendError<T> {
    /// The item.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::TrySendError;
    ///
    /// assert_eq!(TrySendError::Full(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(item) | Self::Closed(item) => item,
        }
    }

    /// Whether there was no room.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::TrySendError;
    ///
    /// assert!(TrySendError::Full(7).is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether the channel is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::TrySendError;
    ///
    /// assert!(TrySendError::Closed(7).is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the channel is full",
            Self::Closed(_) => "the channel is closed",
        })
    }
}

impl<T> Error for TrySendError<T> {}

/// Why a channel gives no item now.
///
/// # Examples
///
/// ```
/// use thrasks_bridge::{Empty, channel};
///
/// let (sender, mut receiver) = channel::<u8>(1);
/// assert_eq!(receiver.try_next(), Err(Empty::Pending));
/// drop(sender);
/// assert_eq!(receiver.try_next(), Err(Empty::Ended));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// There may be more.
    Pending,
    /// There will be no more.
    Ended,
}

impl fmt::Display for Empty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "the channel is empty",
            Self::Ended => "the channel has ended",
        })
    }
}

impl Error for Empty {}
