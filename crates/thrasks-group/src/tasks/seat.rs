use std::sync::Arc;

use super::core::Core;
use crate::{
    Failure, Ticket,
    sync::{Mutex, lock},
};

/// The place of a child, or of the body, in its group. It is left when the task has ended and
/// nothing holds on to it any more.
pub(crate) struct Seat<E> {
    pub(crate) core: Arc<Core<E>>,
    taken: Mutex<Taken<E>>,
}

struct Taken<E> {
    ticket: Option<Ticket>,
    failure: Option<Failure<E>>,
    /// The task itself, and every [`Hold`](crate::Hold) on it.
    holds: usize,
}

impl<E> Seat<E> {
    pub(crate) fn new(core: Arc<Core<E>>) -> Self {
        Self { core, taken: Mutex::new(Taken { ticket: None, failure: None, holds: 1 }) }
    }

    pub(crate) fn take(&self, ticket: Ticket) {
        lock(&self.taken).ticket = Some(ticket);
    }

    pub(crate) fn hold(&self) {
        lock(&self.taken).holds += 1;
    }

    /// The task has ended, like this.
    pub(crate) fn end(&self, failure: Option<Failure<E>>) {
        self.let_go(failure);
    }

    /// One hold less.
    pub(crate) fn release(&self) {
        self.let_go(None);
    }

    fn let_go(&self, failure: Option<Failure<E>>) {
        let mut taken = lock(&self.taken);
        if failure.is_some() {
            taken.failure = failure;
        }
        taken.holds -= 1;
        if taken.holds > 0 {
            return;
        }
        let (ticket, failure) = (taken.ticket.take(), taken.failure.take());
        drop(taken);
        if let Some(ticket) = ticket {
            self.core.leave(ticket, failure);
        }
    }
}
