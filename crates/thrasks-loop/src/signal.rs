use std::{fmt, task::Waker};

use crate::sync::{AtomicBool, Ordering};

/// A wake-up that a burst of notifications raises only once.
///
/// The side that produces work calls [`notify`](Self::notify) after it has published the work; the
/// side that consumes it calls [`acknowledge`](Self::acknowledge) *before* it looks for work. Between
/// the two, further notifications cost one atomic operation and wake nobody.
///
/// # Why no wake-up is lost
///
/// Both operations are read-modify-writes of one flag, so they are totally ordered. If a `notify`
/// finds the flag raised, the `acknowledge` that lowers it comes later in that order and
/// synchronises with it: the consumer, looking after it acknowledged, sees the work. If it finds
/// the flag lowered, it wakes.
///
/// # Examples
///
/// ```
/// use std::{sync::{Arc, atomic::{AtomicUsize, Ordering}}, task::Wake};
/// use thrasks_loop::Signal;
///
/// #[derive(Default)]
/// struct Count(AtomicUsize);
/// impl Wake for Count {
///     fn wake(self: Arc<Self>) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
/// }
///
/// let count = Arc::new(Count::default());
/// let signal = Signal::new(count.clone().into());
/// assert!(signal.notify());
/// assert!(!signal.notify());
/// assert_eq!(count.0.load(Ordering::Relaxed), 1);
///
/// assert!(signal.acknowledge());
/// signal.notify();
/// assert_eq!(count.0.load(Ordering::Relaxed), 2);
/// ```
pub struct Signal {
    raised: AtomicBool,
    waker: Waker,
}

impl Signal {
    /// A lowered signal that wakes `waker`.
    pub fn new(waker: Waker) -> Self {
        Self { raised: AtomicBool::new(false), waker }
    }

    /// Raises the signal, and wakes unless it was raised already. Returns whether it woke.
    pub fn notify(&self) -> bool {
        // AcqRel rather than Release: the work published by *this* thread must be visible to the
        // consumer that lowers the flag, whichever notify that consumer synchronises with.
        let first = !self.raised.swap(true, Ordering::AcqRel);
        if first {
            self.waker.wake_by_ref();
        }
        first
    }

    /// Lowers the signal. Returns whether it was raised. Call it before looking for work.
    pub fn acknowledge(&self) -> bool {
        self.raised.swap(false, Ordering::AcqRel)
    }

    /// Whether a notification has not been acknowledged yet.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("raised", &self.is_raised()).finish_non_exhaustive()
    }
}
