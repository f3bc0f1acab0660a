use std::{any::Any, cell::Cell, fmt, sync::Arc};

use crate::sync::thread_locals;

thread_locals! {
    /// What encloses the code that this thread runs now.
    static CURRENT: Cell<Option<Arc<dyn Enclosure>>> = const { Cell::new(None) };
}

/// A hold on the task that the caller runs in: as long as it lives, that task has not ended in the
/// eyes of whoever waits for it.
///
/// Dropping a future cannot wait. A combinator that has work on other loops, and is dropped inside
/// a task that is cancelled, keeps a hold until that work has ended: so the group around it still
/// ends last. A [`TaskGroup`](crate::TaskGroup) and the gathers of `thrasks-gather` do so; a
/// combinator of your own can.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
/// use thrasks_group::{Enclosure, Hold, within};
///
/// #[derive(Default)]
/// struct Count(AtomicUsize);
/// impl Enclosure for Count {
///     fn hold(&self) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
///     fn release(&self) {
///         self.0.fetch_sub(1, Ordering::Relaxed);
///     }
/// }
///
/// assert!(Hold::current().is_none());
/// let (count, hold) = within(Arc::new(Count::default()), Hold::current);
/// assert_eq!(count.0.load(Ordering::Relaxed), 1);
/// drop(hold);
/// assert_eq!(count.0.load(Ordering::Relaxed), 0);
/// ```
#[must_use = "dropping a Hold releases it"]
pub struct Hold(Arc<dyn Enclosure>);

/// What runs tasks and lets the work inside them keep a [`Hold`]: it has ended when its tasks have,
/// and no hold is left.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use thrasks_group::{Enclosure, Hold, within};
///
/// /// Notes when the last hold is gone.
/// #[derive(Default)]
/// struct Scope(Mutex<(usize, bool)>);
/// impl Enclosure for Scope {
///     fn hold(&self) {
///         self.0.lock().unwrap().0 += 1;
///     }
///     fn release(&self) {
///         let mut state = self.0.lock().unwrap();
///         state.0 -= 1;
///         state.1 = state.0 == 0;
///     }
/// }
///
/// let (scope, holds) = within(Arc::new(Scope::default()), || [Hold::current(), Hold::current()]);
/// assert_eq!(*scope.0.lock().unwrap(), (2, false));
/// drop(holds);
/// assert_eq!(*scope.0.lock().unwrap(), (0, true));
/// ```
pub trait Enclosure: Any + Send + Sync {
    /// One hold more. Called while a task of this enclosure runs, so before it has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicUsize, Ordering::Relaxed}};
    /// use thrasks_group::{Enclosure, Hold, within};
    ///
    /// struct Count(AtomicUsize);
    /// impl Enclosure for Count {
    ///     fn hold(&self) {
    ///         self.0.fetch_add(1, Relaxed);
    ///     }
    ///     fn release(&self) {
    ///         self.0.fetch_sub(1, Relaxed);
    ///     }
    /// }
    ///
    /// let (count, hold) = within(Arc::new(Count(AtomicUsize::new(0))), Hold::current);
    /// assert_eq!(count.0.load(Relaxed), 1);
    /// # drop(hold);
    /// ```
    fn hold(&self);

    /// One hold less.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicUsize, Ordering::Relaxed}};
    /// use thrasks_group::{Enclosure, Hold, within};
    ///
    /// struct Count(AtomicUsize);
    /// impl Enclosure for Count {
    ///     fn hold(&self) {
    ///         self.0.fetch_add(1, Relaxed);
    ///     }
    ///     fn release(&self) {
    ///         self.0.fetch_sub(1, Relaxed);
    ///     }
    /// }
    ///
    /// let (count, hold) = within(Arc::new(Count(AtomicUsize::new(0))), Hold::current);
    /// drop(hold);
    /// assert_eq!(count.0.load(Relaxed), 0);
    /// ```
    fn release(&self);
}

impl Hold {
    /// A hold on the innermost task that runs on this thread now, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::{Hold, TaskGroup};
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let held = futures_lite::future::block_on(TaskGroup::scope(&pool, async |group| {
    ///     let child = group.spawn(|| async { Ok(Hold::current().is_some()) })?;
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(child.await?)
    /// }))?;
    /// assert!(held);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn current() -> Option<Self> {
        let current = swap(None);
        let hold = current.as_ref().map(|enclosure| {
            enclosure.hold();
            Self(enclosure.clone())
        });
        swap(current);
        hold
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

/// Calls `f`, for which [`Hold::current`] is a hold on `enclosure`, and gives `enclosure` back.
///
/// It is moved rather than cloned, so that a poll costs no traffic on a count that many loops share.
///
/// # Panics
///
/// When `f` does; the enclosure is dropped then.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use thrasks_group::{Enclosure, Hold, within};
///
/// struct Nothing;
/// impl Enclosure for Nothing {
///     fn hold(&self) {}
///     fn release(&self) {}
/// }
///
/// let (_enclosure, held) = within(Arc::new(Nothing), || Hold::current().is_some());
/// assert!(held);
/// assert!(Hold::current().is_none());
/// ```
pub fn within<C: Enclosure, R>(enclosure: Arc<C>, f: impl FnOnce() -> R) -> (Arc<C>, R) {
    struct Restore(Option<Arc<dyn Enclosure>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            swap(self.0.take());
        }
    }
    let mut outer = Restore(swap(Some(enclosure)));
    let result = f();
    let inner = swap(outer.0.take());
    std::mem::forget(outer);
    let inner: Option<Arc<dyn Any + Send + Sync>> = inner.map(|inner| inner as _);
    let enclosure = inner.and_then(|inner| inner.downcast().ok());
    (enclosure.expect("each one who swaps it swaps it back"), result)
}

/// Swaps what encloses the code on this thread. On a thread so far at its end that its locals are
/// gone, it gives the value back as it is.
fn swap(mut enclosure: Option<Arc<dyn Enclosure>>) -> Option<Arc<dyn Enclosure>> {
    let _ = CURRENT.try_with(|current| enclosure = current.replace(enclosure.take()));
    enclosure
}
