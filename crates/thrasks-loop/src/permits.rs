use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use event_listener::Event;
use thrasks_sched::Reason;

/// The bound on what may wait to be started.
#[derive(Debug)]
pub(crate) struct Permits {
    left: AtomicUsize,
    returned: Event,
}

/// The right of one task to wait; given back when the task starts or is dropped.
pub(crate) struct Permit {
    permits: Arc<Permits>,
}

impl Permits {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(capacity), returned: Event::new() })
    }

    pub(crate) fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        self.left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .ok()
            .map(|_| Permit { permits: self.clone() })
    }

    /// A permit of a bound, or none where there is no bound.
    pub(crate) fn try_acquire_of(permits: Option<&Arc<Self>>) -> Result<Option<Permit>, Reason> {
        match permits {
            None => Ok(None),
            Some(permits) => permits.try_acquire().map(Some).ok_or(Reason::Full),
        }
    }

    /// Waits for a permit, or for `closed` to become true: whoever closes calls
    /// [`wake_all`](Self::wake_all).
    pub(crate) async fn acquire(self: &Arc<Self>, closed: impl Fn() -> bool) -> Option<Permit> {
        loop {
            if closed() {
                return None;
            }
            if let Some(permit) = self.try_acquire() {
                return Some(permit);
            }
            let listener = self.returned.listen();
            // Between the look above and the listening a permit may have come back.
            if closed() {
                return None;
            }
            if let Some(permit) = self.try_acquire() {
                return Some(permit);
            }
            listener.await;
        }
    }

    pub(crate) fn wake_all(&self) {
        self.returned.notify(usize::MAX);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.left.fetch_add(1, Ordering::SeqCst);
        // `additional`: two permits that come back wake two waiters, even when the first of them
        // has not run yet. (A waiter that is dropped passes its notification on.)
        self.permits.returned.notify_additional(1);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}
