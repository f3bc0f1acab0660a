//! What can be sent and shared.
#![cfg(not(thrasks_loom))]

mod common;

use std::{cell::Cell, rc::Rc};

use common::{BoxError, pool};
use thrasks_group::{
    Builder, ChildError, Failure, GroupError, GroupHandle, GroupState, Hold, Panic, SpawnError,
    TaskGroup, Ticket,
};

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn send_value<T: Send>(_: &T) {}

#[test]
fn handles_and_groups_are_send_and_sync() {
    send::<TaskGroup<Cell<u8>>>();
    sync::<TaskGroup<Cell<u8>>>();
    send::<GroupHandle<Cell<u8>>>();
    sync::<GroupHandle<Cell<u8>>>();
    send::<Builder<Cell<u8>>>();
    send::<Ticket>();
    send::<Hold>();
    sync::<Hold>();
    send::<GroupState<u8, Cell<u8>>>();
    sync::<GroupState<u8, Cell<u8>>>();
}

#[test]
fn errors_fit_into_a_boxed_error() {
    fn boxed<T: Into<BoxError>>() {}
    boxed::<GroupError<BoxError>>();
    boxed::<GroupError<std::io::Error>>();
    boxed::<Failure<BoxError>>();
    boxed::<ChildError>();
    boxed::<Panic>();
    // A factory need not be `Sync`.
    sync::<SpawnError<Cell<u8>>>();
}

#[test]
fn a_scope_is_send_when_its_body_is() {
    let pool = pool(1);
    let scope = TaskGroup::<BoxError>::scope(&pool, async |group| {
        let handle = group.spawn(|| async {
            // The child is not.
            let rc = Rc::new(1);
            futures_lite::future::yield_now().await;
            Ok(*rc)
        })?;
        Ok(handle.await?)
    });
    send_value(&scope);
    // Thus it can itself be sent to a loop as a future.
    let handle = pool.spawn_future(scope).unwrap();
    assert_eq!(futures_lite::future::block_on(handle).unwrap().unwrap(), 1);
}
