use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
};

/// What tells a loop from all others there ever were in the process.
///
/// # Examples
///
/// ```
/// use thrasks_loop::{LoopId, LoopThread};
///
/// let thread = LoopThread::builder().start()?;
/// let inside = thread.spawn(|| async { LoopId::current() })?;
/// assert_eq!(futures_lite::future::block_on(inside)?, Some(thread.handle().id()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoopId(u64);

thread_local! {
    static CURRENT: Cell<Option<LoopId>> = const { Cell::new(None) };
}

impl LoopId {
    /// The one of the loop whose thread this is.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopId;
    ///
    /// assert_eq!(LoopId::current(), None, "it is the thread of no loop");
    /// ```
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Cell::get).ok().flatten()
    }

    pub(crate) fn new() -> Self {
        // Only to be unique: std's in the models, too, where loom has nothing to look for.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// This thread is that loop's.
    pub(crate) fn enter(self) {
        CURRENT.set(Some(self));
    }
}
