use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::stage::Stage;
use crate::{Enclosure, within};

pin_project! {
    /// A future that is made and polled [within](crate::within) an enclosure, to its end: for all of
    /// that, [`Hold::current`](crate::Hold::current) is a hold on it.
    ///
    /// It tells nobody how it ended; who does is whoever polls it, or a
    /// [`Supervised`](crate::Supervised).
    ///
    /// # Panics
    ///
    /// When the factory or the future does. What is left of it then is to be dropped.
    ///
    /// # Cancel safety
    ///
    /// A drop drops the factory, or the future, as far as it came: what that held is lost.
    /// Awaited by reference, it can be awaited again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use thrasks_group::{Enclosed, Enclosure, Hold};
    ///
    /// struct Nothing;
    /// impl Enclosure for Nothing {
    ///     fn hold(&self) {}
    ///     fn release(&self) {}
    /// }
    ///
    /// let enclosed = Enclosed::new(|| async { Hold::current().is_some() }, Arc::new(Nothing));
    /// assert!(futures_lite::future::block_on(enclosed));
    /// ```
    #[must_use = "a future does nothing unless it is polled"]
    pub struct Enclosed<F, Fut, C> {
        #[pin]
        stage: Stage<F, Fut>,
        // `None` once it is over.
        enclosure: Option<Arc<C>>,
    }
}

impl<F, Fut, C> Enclosed<F, Fut, C>
where
    F: FnOnce() -> Fut,
    Fut: Future,
    C: Enclosure,
{
    /// The future that `factory` makes, when this is polled first.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use thrasks_group::{Enclosed, Enclosure};
    ///
    /// struct Nothing;
    /// impl Enclosure for Nothing {
    ///     fn hold(&self) {}
    ///     fn release(&self) {}
    /// }
    ///
    /// let enclosed = Enclosed::new(|| async { 6 * 7 }, Arc::new(Nothing));
    /// assert_eq!(futures_lite::future::block_on(enclosed), 42);
    /// ```
    pub fn new(factory: F, enclosure: Arc<C>) -> Self {
        Self { stage: Stage::new(factory), enclosure: Some(enclosure) }
    }
}

impl<F, Fut, C> Future for Enclosed<F, Fut, C>
where
    F: FnOnce() -> Fut,
    Fut: Future,
    C: Enclosure,
{
    type Output = Fut::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fut::Output> {
        let mut this = self.project();
        let enclosure = this.enclosure.take().expect("polled after it was ready");
        match within(enclosure, || this.stage.as_mut().poll(cx)) {
            (enclosure, Poll::Pending) => {
                *this.enclosure = Some(enclosure);
                Poll::Pending
            }
            (_, Poll::Ready(Ok(output))) => Poll::Ready(output),
            (_, Poll::Ready(Err(panic))) => panic.resume(),
        }
    }
}

impl<F, Fut, C> fmt::Debug for Enclosed<F, Fut, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enclosed").field("over", &self.enclosure.is_none()).finish_non_exhaustive()
    }
}
