//! The bound on what may wait to be started.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use loom::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread,
};

use super::Bell;
use crate::permits::Permits;

/// One permit, three who want it: each gets it, no two at once, and it is there in the end.
pub fn a_permit_goes_from_one_to_the_next() {
    let permits = Permits::new(1);
    let held = Arc::new(AtomicUsize::new(0));
    let take = |permits: Arc<Permits>, held: Arc<AtomicUsize>| {
        move || {
            let permit = Bell::block_on(permits.acquire()).expect("open");
            assert_eq!(held.fetch_add(1, SeqCst), 0);
            held.fetch_sub(1, SeqCst);
            drop(permit);
        }
    };
    let threads = [(); 2].map(|()| thread::spawn(take(permits.clone(), held.clone())));
    take(permits.clone(), held)();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(permits.try_acquire().is_some());
}

/// One who leaves the line, with a permit that it was handed and has not seen or without, keeps it
/// from nobody.
pub fn one_who_leaves_the_line_keeps_the_permit_from_nobody() {
    let permits = Permits::new(1);
    let held = permits.try_acquire().unwrap();
    let mut leaving = permits.acquire();
    let poll = Pin::new(&mut leaving).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(poll, Poll::Pending));
    let holder = thread::spawn(move || drop(held));
    let leaver = thread::spawn(move || drop(leaving));
    assert!(Bell::block_on(permits.acquire()).is_some());
    holder.join().unwrap();
    leaver.join().unwrap();
    assert!(permits.try_acquire().is_some());
}

/// Nobody waits on a bound that is closed.
pub fn closing_a_bound_ends_the_waiting() {
    let permits = Permits::new(0);
    let waiting = {
        let permits = permits.clone();
        thread::spawn(move || Bell::block_on(permits.acquire()).is_none())
    };
    permits.close();
    assert!(waiting.join().unwrap());
}
