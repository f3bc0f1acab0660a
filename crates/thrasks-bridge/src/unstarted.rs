use std::{error::Error, sync::Arc};

use crate::{
    Execute,
    quiet::quietly,
    sync::{Mutex, lock},
};

/// A job that may be cancelled as long as no thread has begun with it.
pub(crate) struct Unstarted(Arc<dyn Cancel>);

trait Cancel: Send + Sync {
    fn cancel(&self) -> bool;
}

/// Where the job's closure waits for its thread: whoever takes it out, to call it or to drop it, is
/// the only one. It is dropped without the lock.
struct Slot<F>(Mutex<Option<F>>);

impl<F: Send> Cancel for Slot<F> {
    fn cancel(&self) -> bool {
        let f = lock(&self.0).take();
        let mine = f.is_some();
        quietly(|| drop(f));
        mine
    }
}

/// What the job holds: dropped unrun, it drops the closure.
struct Ticket<F: Send>(Arc<Slot<F>>);

impl<F: Send> Drop for Ticket<F> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Unstarted {
    /// Gives `f` to the threads. When they refuse it, `refused` is told why before `f` is dropped.
    pub(crate) fn submit<F>(
        on: &(impl Execute + ?Sized),
        f: F,
        refused: impl FnOnce(Box<dyn Error + Send + Sync>),
    ) -> Self
    where
        F: FnOnce() + Send + 'static,
    {
        let slot = Arc::new(Slot(Mutex::new(Some(f))));
        let ticket = Ticket(slot.clone());
        let job = Box::new(move || {
            let f = lock(&ticket.0.0).take();
            if let Some(f) = f {
                f();
            }
        });
        if let Err(error) = on.execute(job) {
            let (job, reason) = error.into_parts();
            refused(reason);
            quietly(|| drop(job));
        }
        Self(slot)
    }

    /// Drops the closure, unless a thread has begun with it. Returns whether it did.
    pub(crate) fn cancel(&self) -> bool {
        self.0.cancel()
    }
}
