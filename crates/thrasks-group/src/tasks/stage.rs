use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::Panic;

pin_project! {
    /// A factory, then the future that it makes, then nothing; no panic gets out.
    #[project = StageProj]
    pub(crate) enum Stage<F, Fut> {
        New { factory: Option<F> },
        Running { #[pin] future: Fut },
        Over,
    }
}

impl<F, Fut> Stage<F, Fut> {
    pub(crate) fn new(factory: F) -> Self {
        Self::New { factory: Some(factory) }
    }

    pub(crate) fn is_new(&self) -> bool {
        matches!(self, Self::New { .. })
    }

    /// The factory, if it has not been called.
    pub(crate) fn reclaim(self: Pin<&mut Self>) -> Option<F> {
        match self.project() {
            StageProj::New { factory } => factory.take(),
            _ => None,
        }
    }

    /// Drops what there is. A panic of that leaves nothing behind either.
    pub(crate) fn end(mut self: Pin<&mut Self>) -> Result<(), Panic> {
        Panic::catch(|| self.set(Self::Over))
    }
}

impl<F, Fut> Stage<F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    /// Calls the factory if that is still to do, polls the future, and drops it when it is ready
    /// or panicked. The first panic of these is the outcome.
    pub(crate) fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Fut::Output, Panic>> {
        let polled = Panic::catch(|| {
            if let Some(factory) = self.as_mut().reclaim() {
                let future = factory();
                self.set(Self::Running { future });
            }
            match self.as_mut().project() {
                StageProj::Running { future } => future.poll(cx),
                _ => unreachable!("polled after its end"),
            }
        });
        let outcome = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(panic) => Err(panic),
        };
        match (outcome, self.end()) {
            (Ok(value), Err(panic)) => {
                // Dropping the value may panic as well; the first panic counts.
                let _ = Panic::catch(|| drop(value));
                Poll::Ready(Err(panic))
            }
            (outcome, _) => Poll::Ready(outcome),
        }
    }
}
