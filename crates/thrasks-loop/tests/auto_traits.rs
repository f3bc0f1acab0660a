//! What may go where.
#![cfg(not(thrasks_loom))]

use thrasks_loop::{
    Builder, Inbox, JoinError, JoinHandle, LocalDriver, LoopCache, LoopHandle, LoopPool, LoopStats,
    LoopThread, PoolStats, Report, Signal, SpawnError, Task, ThreadSpec, Work,
};

type NotSync = std::cell::Cell<u8>;

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn is_static<T: 'static>() {}
fn unpin<T: Unpin>() {}
fn error<T: std::error::Error>() {}

#[test]
fn what_is_shared_is_send_and_sync_also_over_jobs_that_are_not_sync() {
    send::<(LoopPool<NotSync>, LoopHandle<NotSync>, LoopThread<NotSync>)>();
    sync::<(LoopPool<NotSync>, LoopHandle<NotSync>)>();
    send::<(Inbox<NotSync>, LoopCache<u8, NotSync>, Signal)>();
    sync::<(Inbox<NotSync>, LoopCache<u8, NotSync>, Signal)>();
    send::<(Task, LocalDriver, ThreadSpec, Work<NotSync>)>();
    send::<(LoopStats, PoolStats, Report)>();
    sync::<(LoopStats, PoolStats, Report)>();
}

#[test]
fn handles_can_be_awaited_anywhere() {
    send::<JoinHandle<NotSync>>();
    sync::<JoinHandle<NotSync>>();
    unpin::<JoinHandle<std::marker::PhantomPinned>>();
    is_static::<JoinHandle<u8>>();
}

#[test]
fn errors_are_errors_that_fit_in_a_box() {
    error::<JoinError>();
    error::<SpawnError<fn()>>();
    send::<(JoinError, SpawnError<fn()>)>();
    sync::<(JoinError, SpawnError<fn()>)>();
}

#[test]
fn waiting_to_spawn_can_be_sent() {
    fn is_send<T: Send>(_: &T) {}
    let pool = Builder::new().threads(1).build().unwrap();
    // The future that it makes is not.
    is_send(&pool.spawn(|| async { *std::rc::Rc::new(1) }));
}
