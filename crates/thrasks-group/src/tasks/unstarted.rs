use std::{fmt, future::Future, marker::PhantomData, sync::Arc};

use crate::{Outcome, Panic, Supervised, Supervisor};

/// A [`Supervised`] task that can still be sent to the thread which will run it: `Send` when its
/// factory is, whatever the future. Dropped before it is started, it tells its supervisor.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, OnceLock};
/// use thrasks_group::{Enclosure, Outcome, Supervisor, Unstarted};
///
/// #[derive(Default)]
/// struct End(OnceLock<String>);
/// impl Enclosure for End {
///     fn hold(&self) {}
///     fn release(&self) {}
/// }
/// impl Supervisor<u8> for End {
///     fn ended(self: Arc<Self>, key: usize, outcome: Outcome<u8>) {
///         self.0.set(format!("task {key}: {outcome:?}")).unwrap();
///     }
/// }
///
/// let end = Arc::new(End::default());
/// // Made here, and run there.
/// let unstarted = Unstarted::new(|| async { 7 }, end.clone(), 0);
/// std::thread::spawn(move || futures_lite::future::block_on(unstarted.start())).join().unwrap();
/// assert_eq!(end.0.get().unwrap(), "task 0: Done(7)");
/// ```
#[must_use = "dropping it ends the task"]
pub struct Unstarted<F, T, S: Supervisor<T>> {
    factory: Option<F>,
    /// `None` once started.
    supervisor: Option<Arc<S>>,
    key: usize,
    output: PhantomData<fn() -> T>,
}

impl<F, Fut, S> Unstarted<F, Fut::Output, S>
where
    F: FnOnce() -> Fut,
    Fut: Future,
    S: Supervisor<Fut::Output>,
{
    /// A task that will call `factory` and run the future, and tell `supervisor` how that ended,
    /// calling it `key`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, OnceLock};
    /// use thrasks_group::{Enclosure, Outcome, Supervisor, Unstarted};
    ///
    /// #[derive(Default)]
    /// struct End(OnceLock<String>);
    /// impl Enclosure for End {
    ///     fn hold(&self) {}
    ///     fn release(&self) {}
    /// }
    /// impl Supervisor<u8> for End {
    ///     fn ended(self: Arc<Self>, key: usize, outcome: Outcome<u8>) {
    ///         self.0.set(format!("task {key}: {outcome:?}")).unwrap();
    ///     }
    /// }
    ///
    /// let end = Arc::new(End::default());
    /// drop(Unstarted::new(|| async { 7 }, end.clone(), 1));
    /// assert_eq!(end.0.get().unwrap(), "task 1: Dropped");
    /// ```
    pub fn new(factory: F, supervisor: Arc<S>, key: usize) -> Self {
        Self { factory: Some(factory), supervisor: Some(supervisor), key, output: PhantomData }
    }

    /// The task, to be polled to its end.
    ///
    /// # Cancel safety
    ///
    /// That of [`Supervised`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, OnceLock};
    /// use thrasks_group::{Enclosure, Outcome, Supervisor, Unstarted};
    ///
    /// #[derive(Default)]
    /// struct End(OnceLock<String>);
    /// impl Enclosure for End {
    ///     fn hold(&self) {}
    ///     fn release(&self) {}
    /// }
    /// impl Supervisor<u8> for End {
    ///     fn ended(self: Arc<Self>, key: usize, outcome: Outcome<u8>) {
    ///         self.0.set(format!("task {key}: {outcome:?}")).unwrap();
    ///     }
    /// }
    ///
    /// let end = Arc::new(End::default());
    /// futures_lite::future::block_on(Unstarted::new(|| async { 7 }, end.clone(), 2).start());
    /// assert_eq!(end.0.get().unwrap(), "task 2: Done(7)");
    /// ```
    pub fn start(mut self) -> Supervised<F, Fut, S> {
        match (self.factory.take(), self.supervisor.take()) {
            (Some(factory), Some(supervisor)) => Supervised::new(factory, supervisor, self.key),
            _ => unreachable!("both are there until it is started"),
        }
    }
}

impl<F, T, S: Supervisor<T>> Drop for Unstarted<F, T, S> {
    fn drop(&mut self) {
        let factory = self.factory.take();
        if let Some(supervisor) = self.supervisor.take() {
            let dropped = Panic::catch(|| drop(factory));
            let outcome = dropped.map_or_else(Outcome::Panicked, |()| Outcome::Dropped);
            supervisor.ended(self.key, outcome);
        }
    }
}

impl<F, T, S: Supervisor<T>> fmt::Debug for Unstarted<F, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unstarted").field("key", &self.key).finish_non_exhaustive()
    }
}
