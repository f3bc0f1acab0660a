use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use super::crew::{Inner, Need, Seat, State};
use crate::{
    Job,
    quiet::discard,
    sync::{AtomicBool, Condvar, MutexGuard, Ordering, lock, wait},
    waiting::{enter, leave, take_panic, without_job},
};

/// What a thread of the pool runs.
///
/// Dropped without having run, by a spawn hook that failed or thought better of it, it takes the
/// thread off the pool's books.
pub(super) struct Main {
    /// Taken when it runs.
    inner: Option<Arc<Inner>>,
    number: u64,
}

impl Main {
    pub(super) fn new(inner: Arc<Inner>, number: u64) -> Self {
        Self { inner: Some(inner), number }
    }

    /// Does not panic, whatever the jobs do.
    pub(super) fn run(mut self) {
        let Some(inner) = self.inner.take() else { return };
        enter(inner.clone());
        let state = work(&inner, self.number);
        leave();
        // Under the same lock that found no need of this thread: nobody may count on it any more.
        inner.lose(state, self.number);
    }
}

impl Drop for Main {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            inner.lose(lock(&inner.state), self.number);
        }
    }
}

/// Runs jobs until there is no more need of this thread.
fn work(inner: &Arc<Inner>, number: u64) -> MutexGuard<'_, State> {
    let seat = Arc::new(Seat {
        number,
        bell: Condvar::new(),
        told: AtomicBool::new(false),
        away: AtomicBool::new(false),
    });
    let mut state = lock(&inner.state);
    loop {
        let came = state.arrive(number);
        if state.busy() > inner.cap {
            // Jobs have come back from a wait.
            return state;
        }
        if let Some((_, job)) = state.queue.pop_front() {
            state.running += 1;
            let need = if came { state.provide(inner.cap) } else { Need::Nothing };
            drop(state);
            // This thread is there, so no job is an orphan.
            let _ = inner.meet(need);
            let panicked = run(job);
            state = lock(&inner.state);
            state.running -= 1;
            state.completed += 1;
            state.panicked += u64::from(panicked);
        } else if state.closed || state.threads - state.waiting > inner.cap {
            return state;
        } else {
            let told;
            (state, told) = idle(inner, state, &seat);
            if !told {
                return state;
            }
        }
    }
}

/// Runs a job. Returns whether it panicked.
fn run(job: Job) -> bool {
    match catch_unwind(AssertUnwindSafe(job)) {
        Ok(()) => take_panic(),
        Err(payload) => {
            discard(payload);
            take_panic();
            true
        }
    }
}

/// Sleeps on the stack of idle threads. Returns whether it was taken off; otherwise it has been
/// idle for too long, and has left.
fn idle<'a>(
    inner: &'a Inner,
    mut state: MutexGuard<'a, State>,
    seat: &Arc<Seat>,
) -> (MutexGuard<'a, State>, bool) {
    seat.told.store(false, Ordering::Relaxed);
    state.idle.push(seat.clone());
    let hook = inner.idle_hook.as_ref();
    // For ever, if the clock does not reach so far.
    let retirement = Instant::now().checked_add(inner.keep_alive);
    let mut call = hook.and_then(|hook| Instant::now().checked_add(hook.every));
    loop {
        let deadline = match (retirement, call) {
            (Some(retirement), Some(call)) => Some(retirement.min(call)),
            (retirement, call) => retirement.or(call),
        };
        let late;
        (state, late) = wait(&seat.bell, state, deadline);
        if seat.told.load(Ordering::Relaxed) {
            return (state, true);
        }
        if !late {
            continue;
        }
        if deadline == retirement {
            state.idle.retain(|other| !Arc::ptr_eq(other, seat));
            return (state, false);
        }
        if let Some(hook) = hook {
            // Who takes this thread off the stack meanwhile has told it so when it looks next.
            seat.away.store(true, Ordering::Relaxed);
            drop(state);
            without_job(&hook.call);
            state = lock(&inner.state);
            seat.away.store(false, Ordering::Relaxed);
            call = Instant::now().checked_add(hook.every);
            if seat.told.load(Ordering::Relaxed) {
                return (state, true);
            }
        }
    }
}
