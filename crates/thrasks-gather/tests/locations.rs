//! A panic that is the caller's error is reported at the caller's line.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    pin::Pin,
    sync::{Mutex, mpsc},
    task::{Context, Waker},
};

use common::pool;
use futures_lite::future::block_on;
use thrasks_gather::{Slots, gather};

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

#[track_caller]
fn blamed(f: impl FnOnce(), for_what: &str) {
    let (file, text) = panic_of(f);
    assert!(file.ends_with("locations.rs"), "{file}");
    assert!(text.contains(for_what), "{text}");
}

fn poll<F: Future + Unpin>(future: &mut F) {
    let _ = Pin::new(future).poll(&mut Context::from_waker(Waker::noop()));
}

#[test]
fn a_limit_of_nothing() {
    let pool = pool(1);
    blamed(|| drop(gather(&pool, [|| async { 1 }]).limit(0)), "limit(0) would never run a task");
}

#[test]
fn a_gather_that_is_polled_after_its_end() {
    let mut gather = gather(&pool(1), [|| async { 1 }]).into_future();
    assert_eq!(block_on(&mut gather).unwrap(), [1]);
    blamed(|| poll(&mut gather), "polled after it was ready");
}

#[test]
fn an_outcome_too_many() {
    let slots = Slots::new(1);
    assert!(slots.fill(0, "a"));
    blamed(|| _ = slots.fill(0, "b"), "slot 0 was filled twice");
    blamed(|| slots.place(0, "b"), "slot 0 was filled twice");
    blamed(|| _ = slots.fill(1, "b"), "out of bounds");
    blamed(|| _ = slots.settle(1), "1 outcomes were counted where 0 were left");
}
