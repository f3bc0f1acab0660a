use std::{
    fmt,
    sync::Arc,
    task::{Wake, Waker},
};

use crate::quiet::quietly;

/// Covers the waker of a task that waits in a list with others.
///
/// Who tells such a list, an `event_listener::Event` for one, calls one waker after another with
/// the list locked. A panic of one of them would keep it from the rest, and leave the list counting
/// one too few. Covered, a waker that panics is its owner's loss alone.
///
/// # Examples
///
/// ```
/// use std::{panic::catch_unwind, sync::Arc, task::{Wake, Waker}};
/// use thrasks_loop::QuietWaker;
///
/// struct Bad;
/// impl Wake for Bad {
///     fn wake(self: Arc<Self>) {
///         panic!("a waker that panics");
///     }
/// }
/// let bad: Waker = Arc::new(Bad).into();
///
/// let mut quiet = QuietWaker::new();
/// // In each `poll`:
/// quiet.cover(&bad).wake_by_ref();
/// assert!(catch_unwind(|| bad.wake_by_ref()).is_err(), "not covered, it panics");
/// ```
#[derive(Default)]
pub struct QuietWaker(Option<Covered>);

struct Covered {
    waker: Waker,
    quiet: Waker,
}

impl QuietWaker {
    /// One that covers nobody yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::{Arc, atomic::{AtomicBool, Ordering}}, task::{Wake, Waker}};
    /// use thrasks_loop::QuietWaker;
    ///
    /// struct Flag(AtomicBool);
    /// impl Wake for Flag {
    ///     fn wake(self: Arc<Self>) {
    ///         self.0.store(true, Ordering::Relaxed);
    ///     }
    /// }
    ///
    /// let flag = Arc::new(Flag(AtomicBool::new(false)));
    /// let mut quiet = QuietWaker::new();
    /// quiet.cover(&flag.clone().into()).wake_by_ref();
    /// assert!(flag.0.load(Ordering::Relaxed));
    /// ```
    #[must_use = "it is there to cover wakers"]
    pub const fn new() -> Self {
        Self(None)
    }

    /// A waker that calls this one and does not panic; the same as the last time, if this one is.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::QuietWaker;
    ///
    /// let mut quiet = QuietWaker::new();
    /// let first = quiet.cover(Waker::noop()).clone();
    /// assert!(quiet.cover(Waker::noop()).will_wake(&first));
    /// ```
    pub fn cover(&mut self, waker: &Waker) -> &Waker {
        if self.0.as_ref().is_some_and(|covered| !covered.waker.will_wake(waker)) {
            self.0 = None;
        }
        let covered = self.0.get_or_insert_with(|| Covered {
            waker: waker.clone(),
            quiet: Arc::new(Quiet(waker.clone())).into(),
        });
        &covered.quiet
    }
}

struct Quiet(Waker);

impl Wake for Quiet {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        quietly(|| self.0.wake_by_ref());
    }
}

impl fmt::Debug for QuietWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuietWaker").field("covers", &self.0.is_some()).finish()
    }
}
