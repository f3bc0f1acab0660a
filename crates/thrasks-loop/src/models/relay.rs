//! What wakes a task between its first step and its second.

use std::{sync::Arc, task::Waker};

use loom::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use super::Bell;
use crate::relay::Spare;

/// A task is woken by the waker of its first step while the executor is given it: it is polled
/// again, and sees what it was woken for.
pub fn a_task_that_is_woken_after_its_first_step_is_polled_again() {
    let spare = Spare::new();
    let work = Arc::new(AtomicUsize::new(0));
    let (waker, done) = (spare.waker().clone(), work.clone());
    // Gives the waker back, so that it is kept until then: `hear` trusts in the counter of
    // `std::sync::Arc`, which loom does not know.
    let waking = thread::spawn(move || {
        done.store(1, Relaxed);
        waker.wake_by_ref();
        waker
    });
    let (heard, none) = spare.hear();
    assert!(none.is_none(), "the relay is in use");
    let bell = Bell::new();
    if heard.pass_on(&Waker::from(bell.clone())) {
        assert_eq!(work.load(Relaxed), 1);
    }
    // It may be polled for nothing, but not be left asleep.
    while work.load(Relaxed) == 0 {
        bell.sleep();
    }
    waking.join().unwrap();
}
