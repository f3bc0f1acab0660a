use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use loom::sync::Notify;

/// What a thread of a model sleeps on: a parker. loom reports a deadlock when nobody wakes it.
#[derive(Debug)]
pub struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

impl Bell {
    /// One that has not been rung.
    #[expect(clippy::new_ret_no_self, reason = "it is only ever shared")]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Notify::new()))
    }

    /// Blocks until it is rung, or returns at once if it was since the last time.
    pub fn sleep(&self) {
        self.0.wait();
    }

    /// Polls the future until it is ready, asleep in between.
    pub fn block_on<F: Future>(future: F) -> F::Output {
        let bell = Self::new();
        let waker = Waker::from(bell.clone());
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(value) => return value,
                Poll::Pending => bell.sleep(),
            }
        }
    }
}
