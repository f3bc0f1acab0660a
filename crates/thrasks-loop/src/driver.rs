use std::task::Waker;

use crate::Work;

/// What a loop thread runs, and how it is woken.
///
/// The loop itself (a `LocalExecutor`, an asyncio loop, a game's frame loop ...) is the driver's;
/// what it is fed with comes from its [`Work`].
///
/// # Examples
///
/// A driver that runs plain closures, one after another:
///
/// ```
/// use std::{sync::{Arc, mpsc}, task::{Wake, Waker}, thread::Thread};
/// use std::sync::OnceLock;
/// use thrasks_loop::{Builder, Driver, Next, Work};
///
/// #[derive(Default)]
/// struct Unpark(OnceLock<Thread>);
/// impl Wake for Unpark {
///     fn wake(self: Arc<Self>) {
///         if let Some(thread) = self.0.get() {
///             thread.unpark();
///         }
///     }
/// }
///
/// struct Closures(Arc<Unpark>);
/// impl Driver for Closures {
///     type Job = Box<dyn FnOnce() + Send>;
///
///     fn waker(&self) -> Waker {
///         self.0.clone().into()
///     }
///
///     fn run(self, work: Work<Self::Job>) {
///         // A wake-up before this line finds no thread; the first look below finds its work.
///         self.0.0.get_or_init(std::thread::current);
///         loop {
///             work.acknowledge();
///             match work.next() {
///                 Next::Job(job) => {
///                     job();
///                     work.finish();
///                 }
///                 Next::Posted(job) => job(),
///                 Next::Idle => std::thread::park(),
///                 Next::Stop => break,
///             }
///         }
///     }
/// }
///
/// let thread = Builder::new().start_with(Closures(Arc::default()))?;
/// let (send, receive) = mpsc::channel();
/// thread.post(Box::new(move || send.send(6 * 7).unwrap())).ok().unwrap();
/// assert_eq!(receive.recv(), Ok(42));
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Driver: Send + 'static {
    /// What the loop is fed with.
    type Job: Send + 'static;

    /// Makes [`run`](Self::run) look for work again, from any thread, at any time: before `run`
    /// has started and after it has returned too. It must not block.
    ///
    /// It is asked for once, before `run`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{Driver, LocalDriver};
    ///
    /// let driver = LocalDriver::new();
    /// // Nobody is there yet to be woken: nothing happens.
    /// driver.waker().wake();
    /// assert!(driver.waker().will_wake(&driver.waker()), "each is the same");
    /// ```
    fn waker(&self) -> Waker;

    /// Runs the loop on its thread, until [`Work::next`] returns [`Next::Stop`](crate::Next::Stop).
    ///
    /// A driver that returns earlier, or panics, is a loop that died: it drops the jobs that it was
    /// given. Those that it would have been given go to the other loops of its pool; with the last
    /// loop they are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::Waker;
    /// use thrasks_loop::{Builder, Driver, Work};
    ///
    /// /// Dies at once.
    /// struct Dead;
    /// impl Driver for Dead {
    ///     type Job = String;
    ///     fn waker(&self) -> Waker {
    ///         Waker::noop().clone()
    ///     }
    ///     fn run(self, _: Work<String>) {}
    /// }
    ///
    /// let thread = Builder::new().start_with(Dead)?;
    /// futures_lite::future::block_on(thread.handle().exited());
    /// assert_eq!(thread.post("job".to_owned()), Err("job".to_owned()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn run(self, work: Work<Self::Job>);
}
