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

    pub(crate) fn is_over(&self) -> bool {
        lock(&self.0).over
    }

    /// The error that it ended with, once.
    pub(crate) fn take_error(&self) -> Option<JoinError> {
        lock(&self.0).error.take()
    }

    /// Whether it is over, and the error of its very end, once. If `all`, because no item comes any
    /// more, a panic that was to be the last one is told here; that of its end then is not.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, all: bool) -> Poll<Result<(), JoinError>> {
        let mut state = lock(&self.0);
        if state.over {
            let error = state.error.take_if(|error| all && error.is_panic());
            let late = state.late_error.take();
            drop(state);
            return Poll::Ready(error.or(late).map_or(Ok(()), Err));
        }
        let old = state.waiter.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }
}
