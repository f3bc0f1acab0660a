//! What can be sent and shared.
#![cfg(not(thrasks_loom))]

use std::cell::Cell;

use thrasks_bridge::{
    BlockOnError, BlockingPool, BlockingPoolBuilder, Call, Feed, Generator, Once, OwnThread,
    Receiver, Refused, Resolver, Sender, ThreadStream, Waits, Yielder,
};

fn send<T: Send>() {}
fn send_sync<T: Send + Sync>() {}
fn unpin<T: Unpin>() {}

#[test]
fn handles_can_be_sent_and_shared() {
    send_sync::<BlockingPool>();
    send_sync::<OwnThread>();
    send_sync::<Waits<u32>>();
    send_sync::<BlockOnError>();
    send::<BlockingPoolBuilder>();
    send::<Refused>();
}

#[test]
fn what_carries_values_wants_them_to_be_send_and_no_more() {
    send_sync::<Call<Cell<u8>>>();
    send_sync::<Once<Cell<u8>>>();
    send_sync::<Sender<Cell<u8>>>();
    send_sync::<Resolver<Cell<u8>>>();
    send::<Receiver<Cell<u8>>>();
    send::<ThreadStream<Cell<u8>>>();
    send::<Feed<Cell<u8>>>();
    send::<Yielder<Cell<u8>, Cell<u8>, Cell<u8>>>();
    send::<Generator<Cell<u8>, Cell<u8>, Cell<u8>, Cell<u8>>>();
}

#[test]
fn what_is_polled_needs_no_pin() {
    unpin::<Call<std::marker::PhantomPinned>>();
    unpin::<Once<std::marker::PhantomPinned>>();
    unpin::<Receiver<std::marker::PhantomPinned>>();
    unpin::<ThreadStream<std::marker::PhantomPinned>>();
    unpin::<Generator<u8, u8, u8, std::marker::PhantomPinned>>();
}
