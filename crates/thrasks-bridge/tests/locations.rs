//! A panic that is the caller's error is reported at the caller's line.
#![cfg(not(thrasks_loom))]

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    pin::Pin,
    sync::{Mutex, mpsc},
    task::{Context, Waker},
};

use thrasks_bridge::{
    OwnThread, Yielder, channel, generator, once_from_callback, stream, stream_from_callback,
    stream_with,
};

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
fn a_capacity_of_nothing() {
    let own = OwnThread::new();
    blamed(|| drop(channel::<u8>(0)), "got 0: write None for one without a bound");
    blamed(|| drop(stream(&own, 0, || 0..1)), "got 0");
    blamed(|| drop(own.stream(0, || 0..1)), "got 0");
    blamed(|| drop(stream_with::<u8, _>(&own, 0, |_| ())), "got 0");
    blamed(|| drop(stream_from_callback::<u8, _>(&own, 0, drop)), "got 0");
}

#[test]
fn an_outcome_that_is_asked_for_twice() {
    let mut call = OwnThread::new().call(|| 1);
    futures_lite::future::block_on(&mut call).unwrap();
    blamed(|| poll(&mut call), "polled after it had given its outcome");
    let mut once = once_from_callback(&OwnThread::new(), |resolver| resolver.resolve(1).unwrap());
    futures_lite::future::block_on(&mut once).unwrap();
    blamed(|| poll(&mut once), "polled after it had given its outcome");
}

#[test]
fn a_step_that_was_not_begun() {
    let mut silent = generator(OwnThread::new(), |_: &mut Yielder<u8, u8, u8>| ());
    let mut cx = Context::from_waker(Waker::noop());
    blamed(|| drop(silent.poll_step(&mut cx)), "send or throw first");
}
