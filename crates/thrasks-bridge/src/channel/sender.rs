use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    SendError, TrySendError,
    shared::{Patience, Shared},
};

/// The end of a channel that threads hold: see [`channel`](crate::channel()).
///
/// Clones send into the same channel, which ends when the last is dropped.
///
/// # Examples
///
/// ```
/// use thrasks_bridge::{Sender, channel};
///
/// let (sender, mut receiver) = channel(4);
/// let send = |from: &'static str, sender: Sender<_>| std::thread::spawn(move || sender.send(from));
/// let threads = [send("a", sender.clone()), send("b", sender)];
/// futures_lite::future::block_on(async {
///     let mut items = [receiver.next().await, receiver.next().await];
///     items.sort();
///     assert_eq!(items, [Some("a"), Some("b")]);
///     // Both senders are gone.
///     assert_eq!(receiver.next().await, None);
/// });
/// for thread in threads {
///     thread.join().unwrap()?;
/// }
/// # Ok::<(), thrasks_bridge::SendError<&str>>(())
/// ```
pub struct Sender<T> {
    pub(super) shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        shared.add_sender();
        Self { shared }
    }

    /// Sends an item; blocks while the channel is full. Not for the thread of a loop, which it
    /// would keep from going on: there, [`try_send`](Self::try_send).
    ///
    /// # Errors
    ///
    /// Gives the item back when the channel is closed, at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::channel;
    ///
    /// let (sender, mut receiver) = channel(2);
    /// sender.send("a")?;
    /// assert_eq!(receiver.try_next(), Ok("a"));
    /// # Ok::<(), thrasks_bridge::SendError<&str>>(())
    /// ```
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        self.shared.send(item, Patience::Endless).map_err(|error| SendError(error.into_inner()))
    }

    /// Sends an item; blocks while the channel is full, but no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Gives the item back when the channel is closed, at once, or still full.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thrasks_bridge::channel;
    ///
    /// let (sender, _receiver) = channel(1);
    /// sender.send_timeout(1, Duration::from_millis(1))?;
    /// assert!(sender.send_timeout(2, Duration::from_millis(1)).unwrap_err().is_full());
    /// # Ok::<(), thrasks_bridge::TrySendError<i32>>(())
    /// ```
    pub fn send_timeout(&self, item: T, timeout: Duration) -> Result<(), TrySendError<T>> {
        // For ever, if the clock does not reach so far.
        let deadline = Instant::now().checked_add(timeout);
        self.shared.send(item, deadline.map_or(Patience::Endless, Patience::Until))
    }

    /// Sends an item if there is room. It does not block.
    ///
    /// # Errors
    ///
    /// Gives the item back when the channel is full or closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::channel;
    ///
    /// let (sender, _receiver) = channel(1);
    /// assert!(sender.try_send(1).is_ok());
    /// assert!(sender.try_send(2).unwrap_err().is_full());
    /// ```
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        self.shared.send(item, Patience::None)
    }

    /// Ends the channel, for all its senders. Items that were sent are still received.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::channel;
    ///
    /// let (sender, mut receiver) = channel(2);
    /// sender.send(1).unwrap();
    /// sender.close();
    /// assert!(sender.send(2).is_err());
    /// assert_eq!(futures_lite::future::block_on(receiver.next()), Some(1));
    /// assert_eq!(futures_lite::future::block_on(receiver.next()), None);
    /// ```
    pub fn close(&self) {
        drop(self.shared.close(false));
    }

    /// Whether the channel is closed: an item that is sent comes back.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::channel;
    ///
    /// let (sender, receiver) = channel::<u8>(1);
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Blocks until the channel is closed, or `deadline` has passed; with `None`, for as long as it
    /// takes. Returns whether it is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use thrasks_bridge::channel;
    ///
    /// let (sender, receiver) = channel::<u8>(1);
    /// assert!(!sender.wait_closed(Some(Instant::now())));
    /// let thread = std::thread::spawn(move || sender.wait_closed(None));
    /// drop(receiver);
    /// assert!(thread.join().unwrap());
    /// ```
    pub fn wait_closed(&self, deadline: Option<Instant>) -> bool {
        self.shared.wait_closed(deadline)
    }

    /// How many items the channel holds; `None` for any number.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::channel;
    ///
    /// assert_eq!(channel::<u8>(3).0.capacity(), Some(3));
    /// assert_eq!(channel::<u8>(None).0.capacity(), None);
    /// ```
    pub fn capacity(&self) -> Option<usize> {
        self.shared.capacity()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self::new(self.shared.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.drop_sender();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}
