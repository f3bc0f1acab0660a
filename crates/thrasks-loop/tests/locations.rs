//! A panic that is the caller's error is reported at the caller's line.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    task::{Context, Waker},
};

use common::block_on;
use thrasks_loop::{LoopPool, LoopThread};
use thrasks_sched::Queue;

/// The file and the text of the panic of `f`.
fn panic_of(f: impl FnOnce()) -> (String, String) {
    // The process's panic hook is everybody's.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (send, receive) = mpsc::channel();
    let old = take_hook();
    set_hook(Box::new(move |info| {
        let location = info.location().map(|location| location.file().to_owned());
        let _ = send.send((location.unwrap_or_default(), info.to_string()));
    }));
    let result = catch_unwind(AssertUnwindSafe(f));
    set_hook(old);
    assert!(result.is_err());
    receive.recv().unwrap()
}

#[test]
fn a_pool_of_no_threads() {
    let (file, text) = panic_of(|| {
        let _ = LoopPool::<thrasks_loop::Task>::from_threads(Arc::new(Queue::new(1)), vec![]);
    });
    assert!(file.ends_with("locations.rs"), "{file}");
    assert!(text.contains("at least one thread"), "{text}");
}

#[test]
fn a_pool_with_a_scheduler_for_another_number_of_workers() {
    let threads = vec![LoopThread::builder().start().unwrap()];
    let (file, text) = panic_of(|| {
        let _ = LoopPool::from_threads(Arc::new(Queue::new(2)), threads);
    });
    assert!(file.ends_with("locations.rs"), "{file}");
    assert!(text.contains("another number of workers"), "{text}");
}

#[test]
fn a_loop_that_joins_itself() {
    let (give, got) = mpsc::channel::<LoopThread>();
    let (send, receive) = mpsc::channel();
    let thread = LoopThread::builder().name("narcissus").start().unwrap();
    let handle = thread
        .spawn(move || async move {
            let thread = got.recv().unwrap();
            send.send(panic_of(|| drop(thread.join(None)))).unwrap();
        })
        .unwrap();
    give.send(thread).unwrap();
    let (file, text) = receive.recv().unwrap();
    assert!(file.ends_with("locations.rs"), "{file}");
    assert!(text.contains("narcissus cannot join its own thread"), "{text}");
    // It was stopped by the drop, after the task's only poll.
    block_on(handle).unwrap();
}

#[test]
fn a_handle_that_is_polled_after_its_end() {
    let thread = LoopThread::builder().start().unwrap();
    let mut handle = thread.spawn(|| async {}).unwrap();
    block_on(&mut handle).unwrap();
    let (file, text) = panic_of(|| {
        let _ = Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()));
    });
    assert!(file.ends_with("locations.rs"), "{file}");
    assert!(text.contains("after it had given its outcome"), "{text}");
}
