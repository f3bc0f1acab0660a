//! From a thread, a future on a loop.
#![cfg(not(thrasks_loom))]

mod common;

use std::{rc::Rc, sync::mpsc};

use common::{block_on, door, thread_name};
use thrasks_bridge::{BlockingPool, block_on_loop};
use thrasks_loop::{LoopPool, LoopThread};

#[test]
fn the_future_runs_on_the_loop_and_need_not_be_send() {
    let thread = LoopThread::builder().name("a-loop").start().unwrap();
    let outcome = block_on_loop(&thread.handle(), || {
        let shared = Rc::new(7);
        async move { (thread_name(), *shared) }
    });
    assert_eq!(outcome.unwrap(), ("a-loop".to_owned(), 7));
}

#[test]
fn it_does_not_hold_a_place_in_the_pool() {
    let pool = BlockingPool::builder().max_threads(1).build().unwrap();
    let thread = LoopThread::builder().start().unwrap();
    let (handle, inner) = (thread.handle(), pool.clone());
    // The future needs the pool that the call came from.
    let outer = pool.call(move || {
        block_on_loop(&handle, move || async move { inner.call(|| 7).await.unwrap() })
    });
    assert_eq!(block_on(outer).unwrap().unwrap(), 7);
}

#[test]
fn a_loop_is_not_waited_for_on_its_own_thread_nor_in_a_circle() {
    let pool = LoopPool::builder().threads(3).build().unwrap();
    let [a, b, c] = pool.loops() else { unreachable!("three") };
    let (a, b, c) = (a.clone(), b.clone(), c.clone());
    let itself = a.clone();
    let own = pool.spawn_on(0, || async move { block_on_loop(&itself, || async {}) }).unwrap();
    let error = block_on(own).unwrap().unwrap_err();
    assert!(error.would_deadlock());
    assert!(error.to_string().contains("await the future instead"), "{error}");
    // a waits for b, which waits for c, which may not wait for a.
    let start = a.clone();
    let outcome = block_on_loop(&start, move || async move {
        block_on_loop(&b, move || async move {
            block_on_loop(&c, move || async move {
                block_on_loop(&a, || async {}).unwrap_err().would_deadlock()
            })
            .unwrap()
        })
        .unwrap()
    });
    assert!(outcome.unwrap());
}

#[test]
fn two_loops_that_go_for_each_other_at_once_do_not_both_wait() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    for _ in 0..50 {
        let handles: Vec<_> = (0..2)
            .map(|me| {
                let other = pool.loops()[1 - me].clone();
                pool.spawn_on(me, move || async move { block_on_loop(&other, || async { 1 }) })
                    .unwrap()
            })
            .collect();
        let outcomes: Vec<_> = handles.into_iter().map(|one| block_on(one).unwrap()).collect();
        for outcome in &outcomes {
            match outcome {
                Ok(value) => assert_eq!(*value, 1),
                Err(error) => assert!(error.would_deadlock()),
            }
        }
        assert!(outcomes.iter().any(Result::is_ok));
    }
}

#[test]
fn a_panic_and_the_end_of_the_loop_are_errors() {
    let thread = LoopThread::builder().start().unwrap();
    let handle = thread.handle();
    let error = block_on_loop(&handle, || async { panic!("oops") }).unwrap_err();
    assert!(error.is_panic());
    assert_eq!(error.to_string(), "the task panicked: oops");

    let (door, front) = door();
    let (stop, stops) = mpsc::channel::<()>();
    let waiting = std::thread::spawn(move || {
        block_on_loop(&handle, move || {
            front.stand();
            std::future::pending::<()>()
        })
        .unwrap_err()
    });
    door.wait();
    let handle = thread.handle();
    drop(thread);
    door.open();
    let error = waiting.join().unwrap();
    assert!(error.is_stopped() && !error.is_panic());
    let error = block_on_loop(&handle, || async {}).unwrap_err();
    assert!(error.is_stopped());
    drop((stop, stops));
}
