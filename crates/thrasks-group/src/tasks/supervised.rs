use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::stage::Stage;
use crate::{Enclosure, Panic, within};

/// What is told how a [`Supervised`] task ended.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, mpsc};
/// use thrasks_group::{Enclosure, Outcome, Supervisor, Unstarted};
///
/// /// Sends on what its tasks return.
/// struct Results(mpsc::Sender<(usize, Option<u8>)>);
/// impl Enclosure for Results {
///     fn hold(&self) {}
///     fn release(&self) {}
/// }
/// impl Supervisor<u8> for Results {
///     fn ended(self: Arc<Self>, key: usize, outcome: Outcome<u8>) {
///         let value = if let Outcome::Done(value) = outcome { Some(value) } else { None };
///         let _ = self.0.send((key, value));
///     }
/// }
///
/// let (sender, receiver) = mpsc::channel();
/// let results = Arc::new(Results(sender));
/// futures_lite::future::block_on(Unstarted::new(|| async { 7 }, results.clone(), 0).start());
/// drop(Unstarted::new(|| async { 8 }, results, 1));
/// assert_eq!(receiver.iter().collect::<Vec<_>>(), [(0, Some(7)), (1, None)]);
/// ```
pub trait Supervisor<T>: Enclosure {
    /// The task with this key has ended: nothing of it is left but the outcome. Called once, on the
    /// thread where it ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, OnceLock};
    /// use thrasks_group::{Enclosure, Outcome, Supervisor, Unstarted};
    ///
    /// #[derive(Default)]
    /// struct One(OnceLock<String>);
    /// # impl Enclosure for One {
    /// #     fn hold(&self) {}
    /// #     fn release(&self) {}
    /// # }
    /// impl Supervisor<()> for One {
    ///     fn ended(self: Arc<Self>, key: usize, outcome: Outcome<()>) {
    ///         self.0.set(format!("{key}: {outcome:?}")).expect("it ends once");
    ///     }
    /// }
    ///
    /// let one = Arc::new(One::default());
    /// drop(Unstarted::new(|| async {}, one.clone(), 3).start());
    /// assert_eq!(one.0.get().unwrap(), "3: Dropped");
    /// ```
    fn ended(self: Arc<Self>, key: usize, outcome: Outcome<T>);

    /// Whether the task is still wanted, asked before its factory is called. Where not, it is
    /// [`Outcome::Dropped`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use thrasks_group::{Enclosure, Outcome, Supervisor, Unstarted};
    ///
    /// /// Wants no task any more.
    /// struct Over;
    /// # impl Enclosure for Over {
    /// #     fn hold(&self) {}
    /// #     fn release(&self) {}
    /// # }
    /// impl Supervisor<()> for Over {
    ///     fn ended(self: Arc<Self>, _key: usize, outcome: Outcome<()>) {
    ///         assert!(matches!(outcome, Outcome::Dropped));
    ///     }
    ///     fn wants(&self, _key: usize) -> bool {
    ///         false
    ///     }
    /// }
    ///
    /// let task = Unstarted::new(|| async { unreachable!() }, Arc::new(Over), 0);
    /// futures_lite::future::block_on(task.start());
    /// ```
    fn wants(&self, key: usize) -> bool {
        let _ = key;
        true
    }
}

/// How a task ended.
///
/// # Examples
///
/// ```
/// use thrasks_group::Outcome;
///
/// fn describe(outcome: &Outcome<u8>) -> String {
///     match outcome {
///         Outcome::Done(value) => format!("returned {value}"),
///         Outcome::Panicked(panic) => panic.to_string(),
///         Outcome::Dropped => "dropped".to_owned(),
///     }
/// }
/// assert_eq!(describe(&Outcome::Done(7)), "returned 7");
/// ```
#[derive(Debug)]
pub enum Outcome<T> {
    /// Its future returned.
    Done(T),
    /// Its factory or its future panicked, or a drop of them.
    Panicked(Panic),
    /// It was dropped, started or not.
    Dropped,
}

pin_project! {
    /// A task that tells its [`Supervisor`], exactly once, how it ended: by returning, by a panic
    /// anywhere in it, or by being dropped at any time. The part under [`TaskGroup`](crate::TaskGroup)
    /// and the gathers of `thrasks-gather`.
    ///
    /// Made by [`Unstarted::start`]. Its factory is called in the first poll. The supervisor is told
    /// when the future is gone, and encloses it: see [`Hold`](crate::Hold).
    ///
    /// # Cancel safety
    ///
    /// A drop ends the task: the supervisor is told so, once the future is gone. Awaited by reference, it
    /// can be awaited again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use thrasks_group::{Enclosure, Outcome, Supervisor, Unstarted};
    ///
    /// #[derive(Default)]
    /// struct Log(Mutex<Vec<String>>);
    /// impl Enclosure for Log {
    ///     fn hold(&self) {}
    ///     fn release(&self) {}
    /// }
    /// impl Supervisor<u8> for Log {
    ///     fn ended(self: Arc<Self>, key: usize, outcome: Outcome<u8>) {
    ///         self.0.lock().unwrap().push(format!("{key}: {outcome:?}"));
    ///     }
    /// }
    ///
    /// let log = Arc::new(Log::default());
    /// futures_lite::future::block_on(Unstarted::new(|| async { 7 }, log.clone(), 0).start());
    /// let panicking = Unstarted::new(|| async { panic!("oops") }, log.clone(), 1);
    /// futures_lite::future::block_on(panicking.start());
    /// drop(Unstarted::new(|| async { 7 }, log.clone(), 2));
    /// assert_eq!(*log.0.lock().unwrap(), ["0: Done(7)", "1: Panicked(Panic(\"oops\"))", "2: Dropped"]);
    /// ```
    #[must_use = "a task does nothing unless it is polled"]
    pub struct Supervised<F, Fut, S>
    where
        Fut: Future,
        S: Supervisor<Fut::Output>,
    {
        #[pin]
        stage: Stage<F, Fut>,
        key: usize,
        // `None` once it has been told.
        supervisor: Option<Arc<S>>,
    }

    impl<F, Fut, S> PinnedDrop for Supervised<F, Fut, S>
    where
        Fut: Future,
        S: Supervisor<Fut::Output>,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(supervisor) = this.supervisor.take() {
                let outcome = this.stage.end().map_or_else(Outcome::Panicked, |()| Outcome::Dropped);
                supervisor.ended(*this.key, outcome);
            }
        }
    }
}

impl<F, Fut, S> Supervised<F, Fut, S>
where
    F: FnOnce() -> Fut,
    Fut: Future,
    S: Supervisor<Fut::Output>,
{
    pub(crate) fn new(factory: F, supervisor: Arc<S>, key: usize) -> Self {
        Self { stage: Stage::new(factory), key, supervisor: Some(supervisor) }
    }

    /// The factory of a task that has not been polled, and its supervisor, which is told nothing.
    ///
    /// # Panics
    ///
    /// When it has been polled.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use thrasks_group::{Enclosure, Outcome, Supervisor, Unstarted};
    /// struct Mute;
    /// impl Enclosure for Mute {
    ///     fn hold(&self) {}
    ///     fn release(&self) {}
    /// }
    /// impl Supervisor<u8> for Mute {
    ///     fn ended(self: Arc<Self>, _key: usize, _outcome: Outcome<u8>) {
    ///         unreachable!("nothing to tell");
    ///     }
    /// }
    ///
    /// let (factory, _mute) = Unstarted::new(|| async { 7 }, Arc::new(Mute), 0).start().reclaim();
    /// assert_eq!(futures_lite::future::block_on(factory()), 7);
    /// ```
    #[track_caller]
    pub fn reclaim(self) -> (F, Arc<S>) {
        let this = pin!(self);
        let this = this.project();
        match (this.stage.reclaim(), this.supervisor.take()) {
            (Some(factory), Some(supervisor)) => (factory, supervisor),
            _ => panic!("the task was polled before it was reclaimed"),
        }
    }
}

impl<F, Fut, S> Future for Supervised<F, Fut, S>
where
    F: FnOnce() -> Fut,
    Fut: Future,
    S: Supervisor<Fut::Output>,
{
    type Output = ();

    /// # Panics
    ///
    /// When polled again after it was ready.
    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let supervisor = this.supervisor.take().expect("a task was polled after it was ready");
        if this.stage.is_new() && !supervisor.wants(*this.key) {
            let outcome = this.stage.end().map_or_else(Outcome::Panicked, |()| Outcome::Dropped);
            supervisor.ended(*this.key, outcome);
            return Poll::Ready(());
        }
        match within(supervisor, || this.stage.as_mut().poll(cx)) {
            (supervisor, Poll::Pending) => {
                *this.supervisor = Some(supervisor);
                Poll::Pending
            }
            (supervisor, Poll::Ready(outcome)) => {
                supervisor.ended(*this.key, outcome.map_or_else(Outcome::Panicked, Outcome::Done));
                Poll::Ready(())
            }
        }
    }
}

impl<F, Fut, S> fmt::Debug for Supervised<F, Fut, S>
where
    Fut: Future,
    S: Supervisor<Fut::Output>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervised")
            .field("key", &self.key)
            .field("ended", &self.supervisor.is_none())
            .finish_non_exhaustive()
    }
}
