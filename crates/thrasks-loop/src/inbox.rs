use std::{fmt, task::Waker};

use concurrent_queue::{ConcurrentQueue, PopError, PushError};

use crate::Signal;

/// An unbounded queue into one loop: many threads push, the loop drains, and a burst wakes it once.
///
/// # Examples
///
/// ```
/// use std::task::Waker;
/// use thrasks_loop::Inbox;
///
/// let inbox = Inbox::new(Waker::noop().clone());
/// inbox.push("a").unwrap();
/// inbox.push("b").unwrap();
///
/// // On the loop, once it was woken:
/// inbox.acknowledge();
/// assert_eq!(inbox.pop(), Some("a"));
/// assert_eq!(inbox.pop(), Some("b"));
/// assert_eq!(inbox.pop(), None);
///
/// inbox.close();
/// assert_eq!(inbox.push("c"), Err("c"));
/// ```
pub struct Inbox<T> {
    queue: ConcurrentQueue<T>,
    signal: Signal,
}

impl<T> Inbox<T> {
    /// An empty inbox of the loop that `waker` wakes.
    pub fn new(waker: Waker) -> Self {
        Self { queue: ConcurrentQueue::unbounded(), signal: Signal::new(waker) }
    }

    /// Puts an item in and wakes the loop, unless a wake-up is on its way already.
    ///
    /// # Errors
    ///
    /// Gives the item back when the inbox is closed.
    pub fn push(&self, item: T) -> Result<(), T> {
        match self.queue.push(item) {
            Ok(()) => {
                self.signal.notify();
                Ok(())
            }
            Err(PushError::Closed(item) | PushError::Full(item)) => Err(item),
        }
    }

    /// Wakes the loop without an item, unless a wake-up is on its way already.
    pub fn notify(&self) {
        self.signal.notify();
    }

    /// Tells that the loop is awake; call it before the first [`pop`](Self::pop) of a round.
    /// Returns whether a wake-up was on its way.
    pub fn acknowledge(&self) -> bool {
        self.signal.acknowledge()
    }

    /// Whether the loop has been woken and has not acknowledged it.
    pub fn is_notified(&self) -> bool {
        self.signal.is_raised()
    }

    /// The oldest item, or `None` when there is none.
    pub fn pop(&self) -> Option<T> {
        match self.queue.pop() {
            Ok(item) => Some(item),
            Err(PopError::Empty | PopError::Closed) => None,
        }
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no item waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Refuses every later push. What is inside can still be popped. Returns whether this call
    /// closed it.
    pub fn close(&self) -> bool {
        self.queue.close()
    }

    /// Whether pushes are refused.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

impl<T> fmt::Debug for Inbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("len", &self.len())
            .field("closed", &self.is_closed())
            .field("notified", &self.is_notified())
            .finish()
    }
}
