//! What can be sent and shared.
#![cfg(not(thrasks_loom))]

mod common;

use std::{cell::Cell, future::IntoFuture};

use common::pool;
use thrasks_gather::{Slots, gather, try_gather};

fn send_sync<T: Send + Sync>() {}
fn send<T: Send>(value: T) -> T {
    value
}

#[test]
fn slots_share_what_can_be_sent() {
    send_sync::<Slots<Cell<u8>>>();
}

#[test]
fn a_gather_is_send_when_its_iterator_is() {
    let pool = pool(1);
    let jobs = (0..3).map(|i| move || async move { i });
    let gather = send(send(gather(&pool, jobs)).into_future());
    // Thus it can itself be sent to a loop as a future.
    let values = futures_lite::future::block_on(pool.spawn_future(gather).unwrap()).unwrap();
    assert_eq!(values.unwrap(), [0, 1, 2]);
}

#[test]
fn a_future_that_awaits_a_gather_is_send() {
    let pool = pool(1);
    let inner = pool.clone();
    let future = async move {
        let jobs = ["1", "2"].map(|text| move || async move { text.parse::<u32>() });
        try_gather(&inner, jobs).limit(1).await.map_err(|failure| failure.to_string())
    };
    let values = futures_lite::future::block_on(pool.spawn_future(future).unwrap()).unwrap();
    assert_eq!(values, Ok(vec![1, 2]));
}
