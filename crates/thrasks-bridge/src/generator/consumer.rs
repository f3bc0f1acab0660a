use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use thrasks_loop::JoinError;

use super::{
    StartError, Step, StepError, Yielder,
    exchange::{Exchange, Message},
};
use crate::{Execute, stream::quick, unstarted::Unstarted};

/// Runs code on a thread that yields values, and is sent a value, or thrown an error, for each.
///
/// The first [`send`](Generator::send) or [`throw`](Generator::throw) starts it: the code runs on
/// one thread all its life, and waits there between its steps. A panic of it is the outcome of the
/// step. The steps are those of Python's generators: `send`, `throw`, `close`.
///
/// # Examples
///
/// A running mean:
///
/// ```
/// use futures_lite::future::block_on;
/// use thrasks_bridge::{Interrupt, OwnThread, Step, Yielder, generator};
///
/// let mut mean = generator(OwnThread::new(), |yielder: &mut Yielder<f64, &str, f64>| {
///     let (mut sum, mut count) = (0.0, 0);
///     let mut sent = yielder.first();
///     loop {
///         match sent {
///             Ok(value) => (sum, count) = (sum + value, count + 1),
///             Err(Interrupt::Thrown(why)) => return format!("{count} values, then {why}"),
///             Err(Interrupt::Closed) => return String::new(),
///         }
///         sent = yielder.put(sum / f64::from(count));
///     }
/// });
/// block_on(async {
///     assert_eq!(mean.send(1.0).await?, Step::Yielded(1.0));
///     assert_eq!(mean.send(4.0).await?, Step::Yielded(2.5));
///     assert_eq!(mean.throw("the end").await.unwrap(), Step::Returned("2 values, then the end".into()));
///     Ok::<(), thrasks_bridge::StepError<f64>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn generator<S, E, Y, R, F>(on: impl Execute + 'static, body: F) -> Generator<S, E, Y, R>
where
    F: FnOnce(&mut Yielder<S, E, Y>) -> R + Send + 'static,
    S: Send + 'static,
    E: Send + 'static,
    Y: Send + 'static,
    R: Send + 'static,
{
    let exchange = Arc::new(Exchange::new());
    let duty = Duty(exchange.clone());
    let run = move || {
        let mut yielder = Yielder::new(Box::new(duty.0.clone()));
        let outcome = quick(|| body(&mut yielder));
        duty.0.end(outcome.map(Step::Returned));
    };
    let shared = exchange.clone();
    let start =
        move || Unstarted::submit(&on, run, |reason| shared.end(Err(JoinError::refused(reason))));
    Generator { exchange, life: Life::Asleep(Box::new(start)), stepping: false }
}

/// The duty to tell of the end: dropped before, it tells that the code was cancelled.
struct Duty<S, E, Y, R>(Arc<Exchange<S, E, Y, R>>);

impl<S, E, Y, R> Drop for Duty<S, E, Y, R> {
    fn drop(&mut self) {
        self.0.end(Err(JoinError::cancelled()));
    }
}

/// The consumer's side of code that runs on a thread, step by step: see
/// [`generator`](crate::generator()).
///
/// Dropping it closes it, as [`close`](Self::close) does, and does not wait.
///
/// # Examples
///
/// ```
/// use futures_lite::future::block_on;
/// use thrasks_bridge::{Generator, OwnThread, Step, Yielder, generator};
///
/// /// What it is sent, what is thrown into it, what it yields, and what it returns.
/// type Sum = Generator<u32, String, u32, ()>;
///
/// let mut sum: Sum = generator(OwnThread::new(), |yielder: &mut Yielder<u32, String, u32>| {
///     let (mut sum, mut sent) = (0, yielder.first());
///     while let Ok(value) = sent {
///         sum += value;
///         sent = yielder.put(sum);
///     }
/// });
/// assert_eq!(block_on(sum.send(20))?, Step::Yielded(20));
/// assert_eq!(block_on(sum.send(22))?, Step::Yielded(42));
/// assert_eq!(block_on(sum.throw("enough".into())).unwrap(), Step::Returned(()));
/// # Ok::<(), thrasks_bridge::StepError<u32>>(())
/// ```
#[must_use = "a generator does nothing before it is sent something"]
pub struct Generator<S, E, Y, R> {
    exchange: Arc<Exchange<S, E, Y, R>>,
    life: Life,
    stepping: bool,
}

enum Life {
    /// Nothing was sent yet.
    Asleep(Box<dyn FnOnce() -> Unstarted + Send>),
    Awake(Unstarted),
    /// It has given its last step, or was closed.
    Ended {
        /// It was started.
        begun: bool,
    },
}

impl<S, E, Y, R> Generator<S, E, Y, R> {
    /// Begins a step with a value, the first time on a thread that is found now;
    /// [`poll_step`](Self::poll_step) is where its outcome comes.
    ///
    /// # Errors
    ///
    /// Gives the value back when a step is under way, or the generator has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{OwnThread, Step, Yielder, generator};
    ///
    /// let mut echo = generator(OwnThread::new(), |yielder: &mut Yielder<u8, (), u8>| {
    ///     let mut sent = yielder.first();
    ///     while let Ok(value) = sent {
    ///         sent = yielder.put(value);
    ///     }
    /// });
    /// echo.start_send(1)?;
    /// let step = block_on(poll_fn(|cx| echo.poll_step(cx)))?;
    /// assert_eq!(step, Step::Yielded(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_send(&mut self, value: S) -> Result<(), StartError<S>> {
        self.begin(value, Ok)
    }

    /// Begins a step with an error: see [`start_send`](Self::start_send).
    ///
    /// # Errors
    ///
    /// Gives the error back when a step is under way, or the generator has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{Interrupt, OwnThread, Step, Yielder, generator};
    ///
    /// let mut told = generator(OwnThread::new(), |yielder: &mut Yielder<(), &str, ()>| yielder.first());
    /// told.start_throw("no time")?;
    /// let step = block_on(poll_fn(|cx| told.poll_step(cx)))?;
    /// assert_eq!(step, Step::Returned(Err(Interrupt::Thrown("no time"))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_throw(&mut self, error: E) -> Result<(), StartError<E>> {
        self.begin(error, Err)
    }

    fn begin<M>(
        &mut self,
        message: M,
        wrap: impl FnOnce(M) -> Message<S, E>,
    ) -> Result<(), StartError<M>> {
        if matches!(self.life, Life::Ended { .. }) {
            return Err(StartError::Ended(message));
        }
        if self.stepping {
            return Err(StartError::Busy(message));
        }
        self.stepping = true;
        self.exchange.tell(wrap(message));
        if matches!(self.life, Life::Asleep(_)) {
            let asleep = std::mem::replace(&mut self.life, Life::Ended { begun: true });
            if let Life::Asleep(start) = asleep {
                self.life = Life::Awake(start());
            }
        }
        Ok(())
    }

    /// The outcome of the step that was begun.
    ///
    /// # Panics
    ///
    /// When no step is under way.
    ///
    /// # Errors
    ///
    /// The code panicked, or no thread runs it: the pool of threads has dropped or refused it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::{Context, Poll, Waker};
    /// use thrasks_bridge::{OwnThread, Step, Yielder, generator};
    ///
    /// let mut one = generator(OwnThread::new(), |yielder: &mut Yielder<(), (), u8>| yielder.put(1));
    /// one.start_send(()).unwrap();
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let step = loop {
    ///     match one.poll_step(&mut cx) {
    ///         Poll::Ready(step) => break step?,
    ///         // One who cannot wait does something else meanwhile.
    ///         Poll::Pending => std::thread::yield_now(),
    ///     }
    /// };
    /// assert_eq!(step, Step::Yielded(1));
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    #[track_caller]
    pub fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step<Y, R>, JoinError>> {
        assert!(self.stepping, "no step of the generator is under way: send or throw first");
        let Poll::Ready(answer) = self.exchange.poll(cx) else { return Poll::Pending };
        self.stepping = false;
        if !matches!(answer, Ok(Step::Yielded(_))) {
            self.life = Life::Ended { begun: true };
        }
        Poll::Ready(answer)
    }

    /// Whether a step was begun whose outcome has not been taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::{OwnThread, Yielder, generator};
    ///
    /// let mut silent = generator(OwnThread::new(), |_: &mut Yielder<u8, (), u8>| ());
    /// silent.start_send(1).unwrap();
    /// assert!(silent.is_stepping());
    /// ```
    pub fn is_stepping(&self) -> bool {
        self.stepping
    }

    /// Waits for the outcome of the step that was begun.
    ///
    /// # Panics
    ///
    /// When no step is under way.
    ///
    /// # Errors
    ///
    /// See [`poll_step`](Self::poll_step).
    ///
    /// # Cancel safety
    ///
    /// The step goes on; its outcome comes the next time.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::{block_on, poll_once};
    /// use thrasks_bridge::{OwnThread, Step, Yielder, generator};
    ///
    /// let mut slow = generator(OwnThread::new(), |_: &mut Yielder<u8, (), u8>| "done");
    /// let given_up = block_on(poll_once(slow.send(1)));
    /// if given_up.is_none() {
    ///     assert_eq!(block_on(slow.step())?, Step::Returned("done"));
    /// }
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub async fn step(&mut self) -> Result<Step<Y, R>, JoinError> {
        poll_fn(|cx| self.poll_step(cx)).await
    }

    /// Sends a value, and waits for what the step comes to.
    ///
    /// # Errors
    ///
    /// Gives the value back when a step is under way, or the generator has ended; otherwise see
    /// [`poll_step`](Self::poll_step).
    ///
    /// # Cancel safety
    ///
    /// A step that was begun goes on: [`step`](Self::step) waits for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{OwnThread, StartError, Step, StepError, Yielder, generator};
    ///
    /// let mut once = generator(OwnThread::new(), |yielder: &mut Yielder<u8, (), u8>| {
    ///     yielder.first().unwrap()
    /// });
    /// assert_eq!(block_on(once.send(7))?, Step::Returned(7));
    /// let ended = block_on(once.send(8));
    /// assert!(matches!(ended, Err(StepError::NotStarted(StartError::Ended(8)))));
    /// # Ok::<(), thrasks_bridge::StepError<u8>>(())
    /// ```
    pub async fn send(&mut self, value: S) -> Result<Step<Y, R>, StepError<S>> {
        self.start_send(value)?;
        Ok(self.step().await?)
    }

    /// Throws an error, and waits for what the step comes to.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{Interrupt, OwnThread, Step, Yielder, generator};
    ///
    /// let mut endless = generator(OwnThread::new(), |yielder: &mut Yielder<(), &str, u8>| loop {
    ///     if let Err(Interrupt::Thrown(why)) = yielder.put(1) {
    ///         return why;
    ///     }
    /// });
    /// assert_eq!(block_on(endless.send(())).unwrap(), Step::Yielded(1));
    /// assert_eq!(block_on(endless.throw("enough"))?, Step::Returned("enough"));
    /// # Ok::<(), thrasks_bridge::StepError<&str>>(())
    /// ```
    pub async fn throw(&mut self, error: E) -> Result<Step<Y, R>, StepError<E>> {
        self.start_throw(error)?;
        Ok(self.step().await?)
    }

    /// Gives the generator up: its code is told so at its next yield, or at the one that it waits
    /// in. If no thread has begun with it, it is dropped.
    ///
    /// It does not wait: [`closed`](Self::closed) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{Interrupt, OwnThread, Step, Yielder, generator};
    ///
    /// let mut endless = generator(OwnThread::new(), |yielder: &mut Yielder<(), (), u8>| {
    ///     while yielder.put(1) != Err(Interrupt::Closed) {}
    /// });
    /// assert_eq!(block_on(endless.send(()))?, Step::Yielded(1));
    /// endless.close();
    /// block_on(endless.closed())?;
    /// assert!(block_on(endless.send(())).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&mut self) {
        self.exchange.close();
        self.stepping = false;
        let begun = match &self.life {
            Life::Asleep(_) => false,
            Life::Awake(unstarted) => {
                unstarted.cancel();
                true
            }
            Life::Ended { begun } => *begun,
        };
        // Drops the code, if it was asleep.
        let old = std::mem::replace(&mut self.life, Life::Ended { begun });
        crate::quiet::quietly(|| drop(old));
    }

    /// Whether the code has ended, as [`closed`](Self::closed).
    ///
    /// # Errors
    ///
    /// See [`closed`](Self::closed).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::{Context, Poll, Waker};
    /// use thrasks_bridge::{OwnThread, Yielder, generator};
    ///
    /// let mut unused = generator(OwnThread::new(), |_: &mut Yielder<u8, (), u8>| ());
    /// unused.close();
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert!(matches!(unused.poll_closed(&mut cx), Poll::Ready(Ok(()))));
    /// ```
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), JoinError>> {
        if matches!(self.life, Life::Ended { begun: false }) {
            return Poll::Ready(Ok(()));
        }
        self.exchange.poll_over(cx)
    }

    /// Whether [`closed`](Self::closed) would complete at once. Whoever waits in it goes on waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::{OwnThread, Yielder, generator};
    ///
    /// let mut unused = generator(OwnThread::new(), |_: &mut Yielder<u8, (), u8>| ());
    /// assert!(!unused.is_closed());
    /// unused.close();
    /// assert!(unused.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        matches!(self.life, Life::Ended { begun: false }) || self.exchange.is_over()
    }

    /// Completes when the code has ended and all of it has been dropped. It does not close the
    /// generator: [`close`](Self::close) does.
    ///
    /// # Errors
    ///
    /// When the code of a generator that was closed panicked; told once.
    ///
    /// # Cancel safety
    ///
    /// It only watches.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{OwnThread, Step, Yielder, generator};
    ///
    /// let mut careless = generator(OwnThread::new(), |yielder: &mut Yielder<(), (), u8>| {
    ///     yielder.put(1).expect("it goes on for ever");
    /// });
    /// assert_eq!(block_on(careless.send(()))?, Step::Yielded(1));
    /// careless.close();
    /// // Its thread is done with it, and what went wrong at the end is told.
    /// assert!(block_on(careless.closed()).unwrap_err().is_panic());
    /// # Ok::<(), thrasks_bridge::StepError<()>>(())
    /// ```
    pub async fn closed(&mut self) -> Result<(), JoinError> {
        poll_fn(|cx| self.poll_closed(cx)).await
    }
}

impl<S, E, Y, R> Drop for Generator<S, E, Y, R> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<S, E, Y, R> fmt::Debug for Generator<S, E, Y, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator")
            .field("started", &!matches!(self.life, Life::Asleep(_) | Life::Ended { begun: false }))
            .field("stepping", &self.stepping)
            .field("ended", &matches!(self.life, Life::Ended { .. }))
            .finish()
    }
}
