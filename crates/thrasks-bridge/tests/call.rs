//! A closure on a thread, its result awaited.
#![cfg(not(thrasks_loom))]

mod common;

use std::sync::mpsc;

use common::{Drops, block_on, door, thread_name};
use thrasks_bridge::{BlockingPool, OwnThread};

fn pool(max_threads: usize) -> BlockingPool {
    BlockingPool::builder().max_threads(max_threads).name("test").build().unwrap()
}

#[test]
fn the_result_of_a_call_is_awaited() {
    assert_eq!(block_on(pool(1).call(|| (thread_name(), 42))).unwrap(), ("test-0".to_owned(), 42));
    assert_eq!(block_on(OwnThread::new().call(thread_name)).unwrap(), "thrasks-own");
}

#[test]
fn a_call_starts_without_being_awaited() {
    let (sender, receiver) = mpsc::channel();
    let call = pool(1).call(move || sender.send(()).unwrap());
    receiver.recv().unwrap();
    block_on(call).unwrap();
}

#[test]
fn a_panic_is_the_calls_outcome_and_the_thread_goes_on() {
    let pool = pool(1);
    let error = block_on(pool.call(|| panic!("oops"))).unwrap_err();
    assert_eq!(error.panic_message().as_deref(), Some("oops"));
    assert_eq!(block_on(pool.call(thread_name)).unwrap(), "test-0");
}

#[test]
fn a_queued_call_is_cancelled_and_its_closure_dropped_at_once() {
    let pool = pool(1);
    let (door, front) = door();
    let first = pool.call(move || front.stand());
    door.wait();
    let drops = Drops::default();
    let guard = drops.guard();
    let second = pool.call(move || drop(guard));
    assert!(!second.is_started() && first.is_started());
    assert!(second.cancel() && !second.cancel() && !first.cancel());
    assert_eq!(drops.count(), 1);
    assert!(block_on(second).unwrap_err().is_cancelled());
    door.open();
    block_on(first).unwrap();
}
