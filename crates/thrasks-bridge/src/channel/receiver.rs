use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_lite::Stream;

use super::{Empty, shared::Shared};
use crate::quiet::bury;

/// A queue of the receiver's that has grown beyond this is not kept when it is empty.
const KEPT: usize = 1024;

/// The end of a channel that async code holds: see [`channel`](crate::channel()).
///
/// It is a stream of the items. Dropping it closes the channel.
///
/// # Examples
///
/// ```
/// use futures_lite::{StreamExt, future::block_on};
/// use thrasks_bridge::{Receiver, Sender, channel};
///
/// let (sender, receiver): (Sender<u8>, Receiver<u8>) = channel(8);
/// let thread = std::thread::spawn(move || (0..3).try_for_each(|i| sender.send(i)));
/// let items: Vec<_> = block_on(receiver.collect());
/// assert_eq!(items, [0, 1, 2]);
/// thread.join().unwrap()?;
/// # Ok::<(), thrasks_bridge::SendError<u8>>(())
/// ```
#[must_use = "dropping the receiver closes the channel"]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// Taken out of the channel, and not given out yet.
    own: VecDeque<T>,
}

/// It never pins its items.
impl<T> Unpin for Receiver<T> {}

impl<T> Receiver<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        Self { shared, own: VecDeque::new() }
    }

    /// The next item, or `None` when there will be none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::{Context, Poll, Waker};
    /// use thrasks_bridge::channel;
    ///
    /// let (sender, mut receiver) = channel(1);
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(receiver.poll_next(&mut cx), Poll::Pending);
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.poll_next(&mut cx), Poll::Ready(Some(1)));
    /// ```
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.take(Some(cx)) {
            Ok(item) => Poll::Ready(Some(item)),
            Err(Empty::Ended) => Poll::Ready(None),
            Err(Empty::Pending) => Poll::Pending,
        }
    }

    /// The next item, or `None` when there will be none.
    ///
    /// # Cancel safety
    ///
    /// No item is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::channel;
    ///
    /// let (sender, mut receiver) = channel(1);
    /// sender.send("a")?;
    /// drop(sender);
    /// futures_lite::future::block_on(async {
    ///     assert_eq!(receiver.next().await, Some("a"));
    ///     assert_eq!(receiver.next().await, None);
    /// });
    /// # Ok::<(), thrasks_bridge::SendError<&str>>(())
    /// ```
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next item, if there is one now.
    ///
    /// # Errors
    ///
    /// Says whether there may be one later.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::{Empty, channel};
    ///
    /// let (sender, mut receiver) = channel(1);
    /// assert_eq!(receiver.try_next(), Err(Empty::Pending));
    /// sender.send(1)?;
    /// assert_eq!(receiver.try_next(), Ok(1));
    /// # Ok::<(), thrasks_bridge::SendError<i32>>(())
    /// ```
    pub fn try_next(&mut self) -> Result<T, Empty> {
        self.take(None)
    }

    fn take(&mut self, cx: Option<&mut Context<'_>>) -> Result<T, Empty> {
        if self.own.is_empty() {
            if self.own.capacity() > KEPT && self.shared.capacity().is_none() {
                self.own = VecDeque::new();
            }
            self.shared.refill(&mut self.own, cx)?;
        }
        let item = self.own.pop_front().ok_or(Empty::Pending)?;
        self.shared.give_out();
        Ok(item)
    }

    /// How many items are there to be received.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::channel;
    ///
    /// let (sender, receiver) = channel(2);
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.own.len() + self.shared.queued()
    }

    /// Whether no item is there to be received.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::channel;
    ///
    /// let (_sender, receiver) = channel::<u8>(2);
    /// assert!(receiver.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items were sent into the channel so far.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::channel;
    ///
    /// let (sender, mut receiver) = channel(2);
    /// sender.send(1).unwrap();
    /// receiver.try_next().unwrap();
    /// assert_eq!(receiver.sent(), 1);
    /// ```
    pub fn sent(&self) -> u64 {
        self.shared.total()
    }

    /// Closes the channel: whoever is blocked on it, or sends later, gets the item back. The items
    /// in the channel are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::channel;
    ///
    /// let (sender, mut receiver) = channel(1);
    /// let thread = std::thread::spawn(move || (0..).find(|&i| sender.send(i).is_err()));
    /// while receiver.sent() < 1 {
    ///     std::thread::yield_now();
    /// }
    /// receiver.close();
    /// assert_eq!(thread.join().unwrap(), Some(1));
    /// ```
    pub fn close(&mut self) {
        let items = self.shared.close(true);
        // A panic of an item's drop is not to keep the others from theirs.
        bury(self.own.drain(..));
        bury(items);
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.get_mut().poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.own.len(), None)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("capacity", &self.shared.capacity())
            .field("closed", &self.shared.is_closed())
            .finish()
    }
}
