use std::task::{Context, Poll, Waker};

use thrasks_loop::JoinError;

use crate::{
    Place, Take, Window,
    quiet::{bury, quietly, wake},
    sync::{Mutex, lock},
};

/// A window, and whoever waits to take from it.
pub(crate) struct Channel<T> {
    pub(crate) window: Window<Result<T, JoinError>>,
    taker: Mutex<Option<Waker>>,
}

impl<T> Channel<T> {
    pub(crate) fn new(window: Window<Result<T, JoinError>>) -> Self {
        Self { window, taker: Mutex::new(None) }
    }

    pub(crate) fn fill(&self, place: Place, outcome: Result<T, JoinError>) {
        match self.window.fill(place, outcome) {
            Ok(true) => wake(lock(&self.taker).take()),
            Ok(false) => {}
            Err(outcome) => _ = quietly(|| drop(outcome)),
        }
    }

    /// The next outcome and the index of its place, or `None` when nothing is under way.
    pub(crate) fn poll_take(
        &self,
        cx: &Context<'_>,
    ) -> Poll<Option<(usize, Result<T, JoinError>)>> {
        if let Some(taken) = self.try_take() {
            return Poll::Ready(taken);
        }
        let waker = cx.waker().clone();
        let old = lock(&self.taker).replace(waker);
        drop(old);
        // Between the look above and the waker it may have come.
        match self.try_take() {
            Some(taken) => {
                let mine = lock(&self.taker).take();
                drop(mine);
                Poll::Ready(taken)
            }
            None => Poll::Pending,
        }
    }

    /// `None` when the next one is under way.
    fn try_take(&self) -> Option<Option<(usize, Result<T, JoinError>)>> {
        match self.window.take() {
            Take::Value { index, value } => Some(Some((index, value))),
            Take::Empty => Some(None),
            Take::Pending => None,
        }
    }

    pub(crate) fn close(&self) {
        bury(self.window.close());
        let taker = lock(&self.taker).take();
        drop(taker);
    }
}
