use std::{fmt, sync::Arc, time::Duration};

use super::{
    Interrupt, Step,
    exchange::{Exchange, Watch},
};

/// What a generator's code yields with: see [`generator`](crate::generator()).
///
/// # Examples
///
/// ```
/// use futures_lite::future::block_on;
/// use thrasks_bridge::{OwnThread, Step, Yielder, generator};
///
/// /// Sent strings, it yields their lengths.
/// fn lengths(yielder: &mut Yielder<&'static str, (), usize>) {
///     let mut sent = yielder.first();
///     while let Ok(text) = sent {
///         sent = yielder.put(text.len());
///     }
/// }
///
/// let mut lengths = generator(OwnThread::new(), lengths);
/// assert_eq!(block_on(lengths.send("abc"))?, Step::Yielded(3));
/// assert_eq!(block_on(lengths.send("a"))?, Step::Yielded(1));
/// # Ok::<(), thrasks_bridge::StepError<&str>>(())
/// ```
pub struct Yielder<S, E, Y> {
    exchange: Box<dyn Side<S, E, Y> + Send>,
    /// It has been told what began its first step.
    begun: bool,
    watch: Option<Watch>,
}

/// An [`Exchange`], the type that the code returns hidden.
pub(super) trait Side<S, E, Y> {
    fn listen(&self, watch: Option<&mut Watch>) -> Result<S, Interrupt<E>>;
    /// Gives the value back when nobody wants it.
    fn put(&self, value: Y) -> Result<(), Y>;
}

impl<S, E, Y, R> Side<S, E, Y> for Arc<Exchange<S, E, Y, R>> {
    fn listen(&self, watch: Option<&mut Watch>) -> Result<S, Interrupt<E>> {
        (**self).listen(watch)
    }

    fn put(&self, value: Y) -> Result<(), Y> {
        match self.answer(Ok(Step::Yielded(value))) {
            Err(Ok(Step::Yielded(value))) => Err(value),
            _ => Ok(()),
        }
    }
}

impl<S, E, Y> Yielder<S, E, Y> {
    pub(super) fn new(exchange: Box<dyn Side<S, E, Y> + Send>) -> Self {
        Self { exchange, begun: false, watch: None }
    }

    /// Has `still` called every so often while the thread waits. When it says no, the generator is
    /// closed: for a consumer that can vanish without a word.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{Interrupt, OwnThread, Step, Yielder, generator};
    ///
    /// let mut watched = generator(OwnThread::new(), |yielder: &mut Yielder<(), (), u8>| {
    ///     yielder.watch(Duration::from_millis(1), || false);
    ///     assert_eq!(yielder.put(1), Err(Interrupt::Closed));
    /// });
    /// watched.start_send(()).unwrap();
    /// block_on(watched.closed())?;
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn watch(&mut self, every: Duration, still: impl FnMut() -> bool + Send + 'static) {
        self.watch = Some(Watch { every, still: Box::new(still) });
    }

    /// What the first step was begun with.
    ///
    /// # Panics
    ///
    /// When that was asked before, or something has been put.
    ///
    /// # Errors
    ///
    /// When an error was thrown instead, or the generator was closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{OwnThread, Step, Yielder, generator};
    ///
    /// let mut greeter = generator(OwnThread::new(), |yielder: &mut Yielder<&str, (), ()>| {
    ///     yielder.first().map(|name| format!("Hello, {name}"))
    /// });
    /// assert_eq!(block_on(greeter.send("Ada"))?, Step::Returned(Ok("Hello, Ada".into())));
    /// # Ok::<(), thrasks_bridge::StepError<&str>>(())
    /// ```
    #[track_caller]
    pub fn first(&mut self) -> Result<S, Interrupt<E>> {
        assert!(
            !std::mem::replace(&mut self.begun, true),
            "Yielder::first is for the first step: what begins the others is what `put` returns"
        );
        self.exchange.listen(self.watch.as_mut())
    }

    /// Yields a value, and waits for what begins the next step, in a
    /// [`while_waiting`](crate::while_waiting).
    ///
    /// Without a [`first`](Self::first) before, the value that the first step was begun with is
    /// dropped; if it was begun with an error, that is returned and nothing is yielded.
    ///
    /// # Errors
    ///
    /// When an error is thrown instead, or the generator is closed. If it is closed already, the
    /// value is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::{OwnThread, Step, Yielder, generator};
    ///
    /// let mut countdown = generator(OwnThread::new(), |yielder: &mut Yielder<(), (), u8>| {
    ///     yielder.put(2)?;
    ///     yielder.put(1)
    /// });
    /// assert_eq!(block_on(countdown.send(()))?, Step::Yielded(2));
    /// assert_eq!(block_on(countdown.send(()))?, Step::Yielded(1));
    /// assert_eq!(block_on(countdown.send(()))?, Step::Returned(Ok(())));
    /// # Ok::<(), thrasks_bridge::StepError<()>>(())
    /// ```
    pub fn put(&mut self, value: Y) -> Result<S, Interrupt<E>> {
        if !self.begun {
            drop(self.first()?);
        }
        match self.exchange.put(value) {
            Ok(()) => self.exchange.listen(self.watch.as_mut()),
            Err(_value) => Err(Interrupt::Closed),
        }
    }
}

impl<S, E, Y> fmt::Debug for Yielder<S, E, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").field("begun", &self.begun).finish_non_exhaustive()
    }
}
