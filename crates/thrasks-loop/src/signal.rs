use std::{fmt, task::Waker};

use crate::sync::{AtomicU8, Ordering};

/// Nobody has notified since the last acknowledgement.
const LOWERED: u8 = 0;
/// Somebody has notified, and woken.
const RAISED: u8 = 1;
/// Somebody has notified, and its call of the waker panicked: the next one tries again.
const UNHEARD: u8 = 2;

/// A wake-up that a burst of notifications raises only once.
///
/// The side that produces work calls [`notify`](Self::notify) after it has published the work; the
/// side that consumes it calls [`acknowledge`](Self::acknowledge) *before* it looks for work, and
/// sleeps only when the signal is not raised. Between the two, further notifications cost one
/// atomic operation and wake nobody.
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
//
// # Why no wake-up is lost
//
// `notify` and `acknowledge` are read-modify-writes of one flag: they are totally ordered, and each
// synchronises with those before it.
//
// - A `notify` that finds the flag lowered wakes.
// - A `notify` that finds it raised comes after the one that raised it and before the
//   `acknowledge` that lowers it. That one synchronises with it, so the consumer, which looks
//   after it acknowledged, sees the work.
//
// The other direction counts too. A driver's waker may find nobody to wake, because the loop has
// not told it yet who that is. If the loop does so before it first acknowledges, then a `notify`
// comes either before that `acknowledge`, and the look after it finds the work; or after it, and
// its waker finds the loop. This is why `acknowledge` writes even when the flag is lowered, and why
// `notify` acquires. (`tests/loom.rs` runs all of this.)
//
// # A waker that panics
//
// The flag then goes from raised to unheard, unless it was acknowledged or raised again meanwhile.
// Unheard counts as raised for the consumer and as lowered for the next `notify`.
pub struct Signal {
    flag: AtomicU8,
    waker: Waker,
}

impl Signal {
    /// A lowered signal that wakes `waker`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Signal;
    ///
    /// assert!(!Signal::new(Waker::noop().clone()).is_raised());
    /// ```
    #[must_use = "a signal wakes when it is notified"]
    pub fn new(waker: Waker) -> Self {
        Self { flag: AtomicU8::new(LOWERED), waker }
    }

    /// Raises the signal, and wakes unless it was raised already. Returns whether it woke.
    ///
    /// # Panics
    ///
    /// When the waker does. The signal is raised then, and the next call wakes again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Signal;
    ///
    /// let signal = Signal::new(Waker::noop().clone());
    /// assert!(signal.notify());
    /// assert!(!signal.notify(), "a wake-up is on its way");
    /// ```
    pub fn notify(&self) -> bool {
        let first = self.flag.swap(RAISED, Ordering::AcqRel) != RAISED;
        if first {
            let unheard = Unheard(&self.flag);
            self.waker.wake_by_ref();
            std::mem::forget(unheard);
        }
        first
    }

    /// Lowers the signal. Returns whether it was raised. Call it before looking for work.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Signal;
    ///
    /// let signal = Signal::new(Waker::noop().clone());
    /// signal.notify();
    /// assert!(signal.acknowledge());
    /// assert!(!signal.acknowledge());
    /// ```
    pub fn acknowledge(&self) -> bool {
        self.flag.swap(LOWERED, Ordering::AcqRel) != LOWERED
    }

    /// Whether a notification has not been acknowledged yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::Signal;
    ///
    /// let signal = Signal::new(Waker::noop().clone());
    /// signal.notify();
    /// assert!(signal.is_raised());
    /// ```
    pub fn is_raised(&self) -> bool {
        self.flag.load(Ordering::Acquire) != LOWERED
    }
}

/// Dropped by a panic of the waker.
struct Unheard<'a>(&'a AtomicU8);

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        let _ = self.0.compare_exchange(RAISED, UNHEARD, Ordering::AcqRel, Ordering::Relaxed);
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("raised", &self.is_raised()).finish_non_exhaustive()
    }
}
