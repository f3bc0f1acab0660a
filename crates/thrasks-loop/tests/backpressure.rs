//! A bounded pool: who waits, who is refused, who gets the factory back.
#![cfg(not(thrasks_loom))]

mod common;

use std::{sync::mpsc, time::Duration};

use common::{block_on, door};
use futures_lite::future::{or, poll_once};
use thrasks_loop::{LoopPool, LoopThread};

/// A pool of one loop that is kept busy, with room for `capacity` that wait.
fn busy_pool(capacity: usize) -> (LoopPool, common::Door) {
    let pool = LoopPool::builder().threads(1).capacity(capacity).build().unwrap();
    let (door, front) = door();
    pool.try_spawn(|| async move { front.stand() }).unwrap().detach();
    door.wait();
    (pool, door)
}

#[test]
fn try_spawn_gives_the_factory_back_when_the_pool_is_full() {
    let (pool, door) = busy_pool(2);
    let queued = [pool.try_spawn(|| async { 1 }).unwrap(), pool.try_spawn(|| async { 2 }).unwrap()];
    let text = String::from("mine");
    let error = pool.try_spawn(move || async move { text }).unwrap_err();
    assert!(error.is_full() && !error.is_closed());
    assert!(pool.spawn_on(0, || async {}).unwrap_err().is_full());
    assert!(pool.spawn_future(async {}).unwrap_err().is_full());
    door.open();
    for (i, handle) in queued.into_iter().enumerate() {
        assert_eq!(block_on(handle).unwrap(), i + 1);
    }
    // Usable, and there is room now.
    let handle = pool.try_spawn(error.into_factory()).unwrap();
    assert_eq!(block_on(handle).unwrap(), "mine");
}

#[test]
fn try_spawn_gives_the_factory_back_when_the_pool_is_closed() {
    let (pool, door) = busy_pool(1);
    door.open();
    assert!(pool.close().is_empty());
    let error = pool.try_spawn(|| async { 3 }).unwrap_err();
    assert!(error.is_closed() && !error.is_full());
    assert_eq!(block_on(error.into_factory()()), 3);
    let error = block_on(pool.spawn(|| async { 4 })).unwrap_err();
    assert!(error.is_closed());
    assert_eq!(block_on(error.into_factory()()), 4);
    assert!(pool.spawn_on(0, || async {}).unwrap_err().is_closed());
}

#[test]
fn a_closed_pool_without_a_bound_refuses_spawn() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    assert!(pool.close().is_empty());
    assert!(block_on(pool.spawn(|| async {})).unwrap_err().is_closed());
}

#[test]
fn spawn_waits_for_room() {
    let (pool, door) = busy_pool(1);
    let first = pool.try_spawn(|| async { 1 }).unwrap();
    let mut second = Box::pin(pool.spawn(|| async { 2 }));
    assert!(block_on(poll_once(&mut second)).is_none());
    door.open();
    assert_eq!(block_on(first).unwrap(), 1);
    assert_eq!(block_on(block_on(second).unwrap()).unwrap(), 2);
}

#[test]
fn those_who_wait_are_served_in_order_and_try_spawn_does_not_overtake() {
    let (pool, door) = busy_pool(1);
    let (send, receive) = mpsc::channel();
    pool.try_spawn(|| async {}).unwrap().detach();
    let mut waiting: Vec<_> = (0..5)
        .map(|i| {
            let send = send.clone();
            Box::pin(pool.spawn(move || async move { send.send(i).unwrap() }))
        })
        .collect();
    for spawn in &mut waiting {
        assert!(block_on(poll_once(spawn)).is_none());
    }
    door.open();
    // Started, so its place is free; but it has been given to the first in line.
    while pool.stats().done < 2 {
        std::thread::yield_now();
    }
    assert!(pool.try_spawn(|| async {}).unwrap_err().is_full());
    // Served in order, whoever looks first.
    for spawn in waiting.iter_mut().rev().take(4) {
        assert!(block_on(poll_once(spawn)).is_none());
    }
    for spawn in waiting {
        block_on(spawn).unwrap().detach();
    }
    drop(send);
    assert_eq!(receive.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn one_who_stops_waiting_loses_nobody_a_place() {
    let (pool, door) = busy_pool(1);
    let first = pool.try_spawn(|| async {}).unwrap();
    let mut given_up = Box::pin(pool.spawn(|| async { unreachable!("given up") }));
    let mut second = Box::pin(pool.spawn(|| async { 2 }));
    let unspawned = block_on(or(
        async {
            (&mut given_up).await.map(|handle: thrasks_loop::JoinHandle<()>| drop(handle)).is_ok()
        },
        async { false },
    ));
    assert!(!unspawned);
    assert!(block_on(poll_once(&mut second)).is_none());
    door.open();
    block_on(first).unwrap();
    // Handed the place, and gone without having looked.
    drop(given_up);
    assert_eq!(block_on(block_on(second).unwrap()).unwrap(), 2);
}

#[test]
fn a_cancelled_task_leaves_its_place_when_the_loop_comes_to_it() {
    let (pool, door) = busy_pool(1);
    drop(pool.try_spawn(|| async {}).unwrap());
    assert!(pool.try_spawn(|| async {}).unwrap_err().is_full());
    door.open();
    block_on(block_on(pool.spawn(|| async {})).unwrap()).unwrap();
}

#[test]
fn closing_ends_the_waiting() {
    for shutdown in [false, true] {
        let (pool, door) = busy_pool(1);
        let queued = pool.try_spawn(|| async {}).unwrap();
        let waiter = pool.clone();
        let (send, receive) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut spawn = Box::pin(waiter.spawn(|| async { 9 }));
            assert!(block_on(poll_once(&mut spawn)).is_none());
            send.send(()).unwrap();
            block_on(spawn).unwrap_err()
        });
        receive.recv_timeout(common::LONG).unwrap();
        if shutdown {
            pool.shutdown(Duration::ZERO);
        } else {
            drop(pool.close());
        }
        let error = thread.join().unwrap();
        assert!(error.is_closed());
        assert_eq!(block_on(error.into_factory()()), 9);
        assert!(block_on(queued).unwrap_err().is_cancelled());
        door.open();
    }
}

#[test]
fn a_single_thread_can_be_bounded_too() {
    let thread = LoopThread::builder().capacity(1).start().unwrap();
    let (door, front) = door();
    let busy = thread.spawn(|| async move { front.stand() }).unwrap();
    door.wait();
    let queued = thread.spawn(|| async {}).unwrap();
    assert!(thread.spawn(|| async {}).unwrap_err().is_full());
    door.open();
    block_on(busy).unwrap();
    block_on(queued).unwrap();
    thread.stop();
    block_on(thread.handle().exited());
    let error = thread.spawn(|| async { 1 }).unwrap_err();
    assert!(error.is_closed());
    assert_eq!(block_on(error.into_factory()()), 1);
}
