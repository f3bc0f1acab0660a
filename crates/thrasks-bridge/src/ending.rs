use std::task::{Context, Poll, Waker};

use thrasks_loop::JoinError;

use crate::sync::{Mutex, lock};

/// How what runs on a thread for a stream has ended: for the stream to find.
///
/// Nothing of the user's runs, and nothing of it is dropped, with the lock held (cloning the
/// waiter's waker excepted).
#[derive(Default)]
pub(crate) struct Ending(Mutex<State>);

#[derive(Default)]
struct State {
    over: bool,
    /// For the stream's last item.
    error: Option<JoinError>,
    /// For whoever waits for the end.
    late_error: Option<JoinError>,
    waiter: Option<Waker>,
}

impl Ending {
    /// It is over, if it was not before. Returns whom to wake.
    pub(crate) fn end(
        &self,
        error: Option<JoinError>,
        late_error: Option<JoinError>,
    ) -> Option<Waker> {
        let mut state = lock(&self.0);
        if state.over {
            drop(state);
            return None;
        }
        state.over = true;
        state.error = error;
        state.late_error = late_error;
        state.waiter.take()
    }

    /// The error that it ended with, once.
    pub(crate) fn take_error(&self) -> Option<JoinError> {
        lock(&self.0).error.take()
    }

    /// Whether it is over, and the error of its very end, once.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), JoinError>> {
        let mut state = lock(&self.0);
        if state.over {
            return Poll::Ready(state.late_error.take().map_or(Ok(()), Err));
        }
        let old = state.waiter.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }
}
