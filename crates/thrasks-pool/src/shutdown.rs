use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use thrasks_loop::QuietWaker;

use crate::{Kind, shared::Shared, sync::EventListener};

/// Waits for a pool to have ended: see [`TaskPool::shutdown`](crate::TaskPool::shutdown).
///
/// # Cancel safety
///
/// It only watches.
///
/// # Examples
///
/// ```
/// use futures_lite::future::block_on;
/// use thrasks_loop::LoopPool;
/// use thrasks_pool::{Local, Shutdown, TaskPool};
///
/// let pool = TaskPool::new(LoopPool::builder().threads(1).build()?);
/// let job = pool.submit(|| async { 7 });
/// let shutdown: Shutdown<Local> = pool.shutdown(true, false);
/// block_on(shutdown);
/// assert!(job.is_finished());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Shutdown<K: Kind> {
    /// `None` if there is nothing to wait for.
    shared: Option<Arc<Shared<K>>>,
    listener: Option<EventListener>,
    quiet: QuietWaker,
}

impl<K: Kind> Shutdown<K> {
    pub(crate) fn new(shared: Option<Arc<Shared<K>>>) -> Self {
        Self { shared, listener: None, quiet: QuietWaker::new() }
    }
}

impl<K: Kind> Future for Shutdown<K> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(shared) = &this.shared else { return Poll::Ready(()) };
        while !shared.roster.is_finished() {
            // It listens before it looks again.
            let Some(listener) = &mut this.listener else {
                this.listener = Some(shared.ended.listen());
                continue;
            };
            let mut cx = Context::from_waker(this.quiet.cover(cx.waker()));
            if Pin::new(listener).poll(&mut cx).is_pending() {
                return Poll::Pending;
            }
            this.listener = None;
        }
        this.listener = None;
        Poll::Ready(())
    }
}

impl<K: Kind> fmt::Debug for Shutdown<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finished = self.shared.as_ref().is_none_or(|shared| shared.roster.is_finished());
        f.debug_struct("Shutdown").field("finished", &finished).finish()
    }
}
