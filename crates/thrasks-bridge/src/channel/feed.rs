use std::{
    fmt,
    time::{Duration, Instant},
};

use super::{
    SendError, Sender,
    shared::{NoRoom, Shared},
};

/// The only sender of a stream's items, for code that makes them one by one on a thread: see
/// [`stream_with`](crate::stream_with).
///
/// Ask first whether the stream is ready for an item, then make it, and push it: so there are never
/// more than the stream's capacity. It is told of all the room there is at once: to ask again costs
/// next to nothing.
///
/// # Examples
///
/// ```
/// use futures_lite::future::block_on;
/// use thrasks_bridge::{Feed, OwnThread, stream_with};
///
/// let mut halves = stream_with(&OwnThread::new(), 4, |feed: &mut Feed<u32>| {
///     let mut n = 100;
///     while n > 0 && feed.wait_ready() && feed.push(n).is_ok() {
///         n /= 2;
///     }
/// });
/// assert_eq!(block_on(halves.next()).unwrap()?, 100);
/// assert_eq!(block_on(halves.next()).unwrap()?, 50);
/// # Ok::<(), thrasks_bridge::JoinError>(())
/// ```
pub struct Feed<T> {
    sender: Sender<T>,
    /// How many items may still be made before it has to look again.
    room: usize,
    /// How many were sent, in the channel's steps.
    sent: usize,
}

/// Whether a stream takes another item: see [`Feed::wait_ready_timeout`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use futures_lite::future::block_on;
/// use thrasks_bridge::{OwnThread, Readiness, stream_with};
///
/// let mut looks = stream_with(&OwnThread::new(), 1, |feed| {
///     let mut looks = 0;
///     loop {
///         match feed.wait_ready_timeout(Duration::from_millis(1)) {
///             Readiness::Ready => drop(feed.push(looks)),
///             Readiness::TimedOut => looks += 1,
///             Readiness::Closed => return,
///         }
///     }
/// });
/// assert_eq!(block_on(looks.next()).unwrap()?, 0);
/// looks.close();
/// block_on(looks.closed())?;
/// # Ok::<(), thrasks_bridge::JoinError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// There is room for an item.
    Ready,
    /// Nobody wants another item.
    Closed,
    /// There was no room in time.
    TimedOut,
}

impl<T> Feed<T> {
    /// `sender` must not have been used, nor be cloned.
    pub(crate) fn new(sender: Sender<T>) -> Self {
        Self { sender, room: 0, sent: 0 }
    }

    fn shared(&self) -> &Shared<T> {
        &self.sender.shared
    }

    /// Whether nobody wants another item: the stream was closed or dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{Feed, OwnThread, stream_with};
    ///
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let mut stream = stream_with(&OwnThread::new(), 1, move |feed: &mut Feed<u8>| {
    ///     sender.send(feed.is_closed()).unwrap();
    ///     while !feed.is_closed() {
    ///         std::thread::yield_now();
    ///     }
    /// });
    /// assert_eq!(receiver.recv(), Ok(false));
    /// stream.close();
    /// block_on(stream.closed())?;
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared().is_closed()
    }

    /// Whether there is room for an item: the next [`push`](Self::push) does not block. Not when
    /// the stream is closed. It does not block.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{OwnThread, stream_with};
    ///
    /// let mut stream = stream_with(&OwnThread::new(), 2, |feed| {
    ///     let mut made = 0;
    ///     while feed.is_ready() {
    ///         made += 1;
    ///         feed.push(made).expect("nobody closes it");
    ///     }
    /// });
    /// block_on(stream.closed())?;
    /// assert_eq!(stream.buffered(), 2);
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn is_ready(&mut self) -> bool {
        if self.is_closed() {
            return false;
        }
        if self.room == 0 {
            self.room = self.shared().room_now(self.sent);
        }
        self.room > 0
    }

    /// Blocks until there is room for an item, in a [`while_waiting`](crate::while_waiting).
    /// Returns whether there is: not when the stream is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{OwnThread, stream_with};
    ///
    /// let mut numbers = stream_with(&OwnThread::new(), 2, |feed| {
    ///     let mut next = 0;
    ///     // Nothing is made before there is room for it.
    ///     while feed.wait_ready() {
    ///         next += 1;
    ///         let _ = feed.push(next);
    ///     }
    /// });
    /// assert_eq!(block_on(numbers.next()).unwrap()?, 1);
    /// assert_eq!(block_on(numbers.next()).unwrap()?, 2);
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn wait_ready(&mut self) -> bool {
        self.wait(None) == Readiness::Ready
    }

    /// As [`wait_ready`](Self::wait_ready), but blocks no longer than `timeout`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{OwnThread, Readiness, stream_with};
    ///
    /// let mut stream = stream_with(&OwnThread::new(), 1, |feed| {
    ///     assert_eq!(feed.wait_ready_timeout(Duration::from_millis(1)), Readiness::Ready);
    ///     feed.push(1).expect("nobody closes it");
    ///     assert_eq!(feed.wait_ready_timeout(Duration::from_millis(1)), Readiness::TimedOut);
    /// });
    /// block_on(stream.closed())?;
    /// assert_eq!(block_on(stream.next()).unwrap()?, 1);
    /// assert!(block_on(stream.next()).is_none());
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn wait_ready_timeout(&mut self, timeout: Duration) -> Readiness {
        // For ever, if the clock does not reach so far.
        self.wait(Instant::now().checked_add(timeout))
    }

    fn wait(&mut self, deadline: Option<Instant>) -> Readiness {
        while !self.is_ready() {
            if self.is_closed() {
                return Readiness::Closed;
            }
            match self.shared().wait_room(deadline) {
                Ok(()) => {}
                Err(NoRoom::Closed) => return Readiness::Closed,
                Err(NoRoom::Late) => return Readiness::TimedOut,
            }
        }
        Readiness::Ready
    }

    /// Gives the stream an item. After one of the others has said that there is room, it does not
    /// block; otherwise it waits for room first.
    ///
    /// # Errors
    ///
    /// Gives the item back when the stream is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{OwnThread, SendError, stream_with};
    ///
    /// let mut numbers = stream_with(&OwnThread::new(), 1, |feed| {
    ///     let mut next = 0;
    ///     while feed.push(next).is_ok() {
    ///         next += 1;
    ///     }
    ///     assert_eq!(feed.push(next), Err(SendError(next)));
    /// });
    /// assert_eq!(block_on(numbers.next()).unwrap()?, 0);
    /// numbers.close();
    /// block_on(numbers.closed())?;
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn push(&mut self, item: T) -> Result<(), SendError<T>> {
        if self.room == 0 && !self.wait_ready() {
            return Err(SendError(item));
        }
        self.room -= 1;
        self.sent = self.sent.wrapping_add(Shared::<T>::ONE);
        self.shared().push(item).map_err(SendError)
    }
}

impl<T> fmt::Debug for Feed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}
