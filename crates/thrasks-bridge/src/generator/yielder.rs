use std::fmt;

use super::{Interrupt, Step, exchange::Exchange};

/// What a generator's code yields with: see [`generator`](crate::generator()).
///
/// # Examples
///
/// See [`generator`](crate::generator()).
pub struct Yielder<S, E, Y> {
    exchange: Box<dyn Side<S, E, Y> + Send>,
    /// It has been told what began its first step.
    begun: bool,
}

/// An [`Exchange`], the type that the code returns hidden.
pub(super) trait Side<S, E, Y> {
    fn listen(&self) -> Result<S, Interrupt<E>>;
    /// Gives the value back when nobody wants it.
    fn put(&self, value: Y) -> Result<(), Y>;
}

impl<S, E, Y, R> Side<S, E, Y> for std::sync::Arc<Exchange<S, E, Y, R>> {
    fn listen(&self) -> Result<S, Interrupt<E>> {
        (**self).listen()
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
        Self { exchange, begun: false }
    }

    /// What the first step was begun with.
    ///
    /// # Errors
    ///
    /// When an error was thrown instead, or the generator was closed.
    ///
    /// # Panics
    ///
    /// When that was asked before, or something has been put.
    ///
    /// # Examples
    ///
    /// See [`generator`](crate::generator()).
    #[track_caller]
    pub fn first(&mut self) -> Result<S, Interrupt<E>> {
        assert!(
            !std::mem::replace(&mut self.begun, true),
            "Yielder::first is for the first step: what begins the others is what `put` returns"
        );
        self.exchange.listen()
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
    /// See [`generator`](crate::generator()).
    pub fn put(&mut self, value: Y) -> Result<S, Interrupt<E>> {
        if !self.begun {
            drop(self.first()?);
        }
        match self.exchange.put(value) {
            Ok(()) => self.exchange.listen(),
            Err(_value) => Err(Interrupt::Closed),
        }
    }
}

impl<S, E, Y> fmt::Debug for Yielder<S, E, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").field("begun", &self.begun).finish_non_exhaustive()
    }
}
