use std::{fmt, task::Waker};

use concurrent_queue::PushError;

use crate::{Signal, sync::ConcurrentQueue};

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
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Inbox;
    ///
    /// assert!(Inbox::<u32>::new(Waker::noop().clone()).is_empty());
    /// ```
    #[must_use = "an inbox is there to be pushed to"]
    pub fn new(waker: Waker) -> Self {
        Self { queue: ConcurrentQueue::unbounded(), signal: Signal::new(waker) }
    }

    /// Puts an item in and wakes the loop, unless a wake-up is on its way already.
    ///
    /// # Panics
    ///
    /// When the waker does. The item is in, and the next push wakes again.
    ///
    /// # Errors
    ///
    /// Gives the item back when the inbox is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Inbox;
    ///
    /// let inbox = Inbox::new(Waker::noop().clone());
    /// assert_eq!(inbox.push(1), Ok(()));
    /// inbox.close();
    /// assert_eq!(inbox.push(2), Err(2));
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Inbox;
    ///
    /// let inbox = Inbox::<u32>::new(Waker::noop().clone());
    /// inbox.notify();
    /// assert!(inbox.is_notified());
    /// ```
    pub fn notify(&self) {
        self.signal.notify();
    }

    /// Tells that the loop is awake; call it before the first [`pop`](Self::pop) of a round.
    /// Returns whether a wake-up was on its way.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Inbox;
    ///
    /// let inbox = Inbox::new(Waker::noop().clone());
    /// assert!(!inbox.acknowledge());
    /// inbox.push(1).unwrap();
    /// assert!(inbox.acknowledge());
    /// ```
    pub fn acknowledge(&self) -> bool {
        self.signal.acknowledge()
    }

    /// Whether the loop has been woken and has not acknowledged it: it must not go to sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Inbox;
    ///
    /// let inbox = Inbox::new(Waker::noop().clone());
    /// inbox.push(1).unwrap();
    /// assert!(inbox.is_notified());
    /// inbox.acknowledge();
    /// assert!(!inbox.is_notified());
    /// ```
    pub fn is_notified(&self) -> bool {
        self.signal.is_raised()
    }

    /// The oldest item, or `None` when there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Inbox;
    ///
    /// let inbox = Inbox::new(Waker::noop().clone());
    /// inbox.push(1).unwrap();
    /// assert_eq!(inbox.pop(), Some(1));
    /// assert_eq!(inbox.pop(), None);
    /// ```
    pub fn pop(&self) -> Option<T> {
        // Mostly there is nothing, and a pop would pay a full fence to find that out. An item that
        // this look is too early for has its notification still to come.
        if self.queue.is_empty() { None } else { self.queue.pop().ok() }
    }

    /// How many items wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Inbox;
    ///
    /// let inbox = Inbox::new(Waker::noop().clone());
    /// inbox.push(1).unwrap();
    /// assert_eq!(inbox.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no item waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Inbox;
    ///
    /// let inbox = Inbox::new(Waker::noop().clone());
    /// inbox.push(1).unwrap();
    /// assert!(!inbox.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Refuses every later push. What is inside can still be popped. Returns whether this call
    /// closed it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Inbox;
    ///
    /// let inbox = Inbox::new(Waker::noop().clone());
    /// inbox.push(1).unwrap();
    /// assert!(inbox.close());
    /// assert!(!inbox.close());
    /// assert_eq!(inbox.pop(), Some(1));
    /// ```
    pub fn close(&self) -> bool {
        self.queue.close()
    }

    /// Whether pushes are refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Inbox;
    ///
    /// let inbox = Inbox::<u32>::new(Waker::noop().clone());
    /// inbox.close();
    /// assert!(inbox.is_closed());
    /// ```
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
