//! Running code that is not ours where a panic of it must not get through.
//!
//! A panic that is caught here has been reported by the process's panic hook already.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Waker,
};

/// Runs `f`. A panic of it goes no further.
pub(crate) fn quietly<R>(f: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Drops the payload of a panic, which may panic in its turn.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Whoever throws payloads that throw when dropped leaks the second one.
        std::mem::forget(second);
    }
}

/// Drops what nobody will use, each whatever the drops of the others do.
pub(crate) fn bury<J>(things: impl IntoIterator<Item = J>) {
    for thing in things {
        quietly(|| drop(thing));
    }
}

/// Wakes. A waker that panics is its owner's loss, not the thread's that has news for it.
pub(crate) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        quietly(|| waker.wake());
    }
}
