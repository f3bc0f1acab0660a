//! Cancelling, detaching and dropping handles.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Waker},
};

use common::{Drops, LONG, block_on, door};
use futures_lite::future::poll_once;
use thrasks_loop::{LoopPool, LoopThread};

#[test]
fn cancelled_before_its_start_a_task_never_runs_and_has_ended_at_once() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let (door, front) = door();
    let busy = pool.try_spawn(|| async move { front.stand() }).unwrap();
    door.wait();
    let ran = Arc::new(AtomicBool::new(false));
    let run = ran.clone();
    let mut handle = pool
        .try_spawn(move || {
            run.store(true, Ordering::SeqCst);
            async {}
        })
        .unwrap();
    assert!(block_on(poll_once(&mut handle)).is_none());
    handle.cancel();
    // The only loop is in synchronous code: nobody but the canceller can have done it.
    assert!(handle.is_finished());
    assert!(block_on(handle).unwrap_err().is_cancelled());
    door.open();
    block_on(busy).unwrap();
    block_on(pool.try_spawn(|| async {}).unwrap()).unwrap();
    assert!(!ran.load(Ordering::SeqCst));
    assert_eq!(pool.stats().done, 3);
}

#[test]
fn cancelled_while_it_runs_a_task_is_dropped_on_its_loop() {
    struct TellThread(mpsc::Sender<String>);
    impl Drop for TellThread {
        fn drop(&mut self) {
            self.0.send(common::thread_name()).unwrap();
        }
    }

    let pool = LoopPool::builder().threads(1).name("p").build().unwrap();
    let (started, start) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let handle = pool
        .try_spawn(move || async move {
            let _tell = TellThread(tell);
            started.send(()).unwrap();
            std::future::pending::<()>().await;
        })
        .unwrap();
    start.recv_timeout(LONG).unwrap();
    handle.cancel();
    assert!(block_on(handle).unwrap_err().is_cancelled());
    assert_eq!(told.try_recv().unwrap(), "p-0");
}

#[test]
fn cancelled_in_the_middle_of_a_poll_a_task_is_not_polled_again() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let (door, front) = door();
    let handle = pool
        .try_spawn(|| async move {
            front.stand();
            // Wakes itself.
            futures_lite::future::yield_now().await;
            unreachable!("it was cancelled");
        })
        .unwrap();
    door.wait();
    handle.cancel();
    assert!(!handle.is_finished());
    door.open();
    let outcome: Result<(), _> = block_on(handle);
    assert!(outcome.unwrap_err().is_cancelled());
}

#[test]
fn a_task_that_ends_first_keeps_its_result() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let (door, front) = door();
    let handle = pool
        .try_spawn(|| async move {
            front.stand();
            7
        })
        .unwrap();
    door.wait();
    handle.cancel();
    door.open();
    assert_eq!(block_on(handle).unwrap(), 7);

    let mut handle = pool.try_spawn(|| async { 8 }).unwrap();
    while !handle.is_finished() {
        std::thread::yield_now();
    }
    handle.cancel();
    assert_eq!(block_on(&mut handle).unwrap(), 8);
    handle.cancel();
    assert!(handle.is_finished());
}

#[test]
fn dropping_the_handle_cancels() {
    let thread = LoopThread::builder().start().unwrap();
    let drops = Drops::default();
    let guard = drops.guard();
    let (started, start) = mpsc::channel();
    let handle = thread
        .spawn(move || async move {
            let _guard = guard;
            started.send(()).unwrap();
            std::future::pending::<()>().await;
        })
        .unwrap();
    start.recv_timeout(LONG).unwrap();
    drop(handle);
    // Its turn on the loop comes before this one's.
    block_on(thread.spawn(|| async {}).unwrap()).unwrap();
    block_on(thread.spawn(|| async {}).unwrap()).unwrap();
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_detached_task_goes_on() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let (door, front) = door();
    let (send, receive) = mpsc::channel();
    pool.try_spawn(|| async move {
        front.stand();
        futures_lite::future::yield_now().await;
        send.send("done").unwrap();
    })
    .unwrap()
    .detach();
    door.wait();
    door.open();
    assert_eq!(receive.recv_timeout(LONG).unwrap(), "done");
}

#[test]
fn awaiting_a_reference_is_cancel_safe() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let (door, front) = door();
    let mut handle = pool
        .try_spawn(|| async move {
            front.stand();
            1
        })
        .unwrap();
    for _ in 0..3 {
        assert!(block_on(poll_once(&mut handle)).is_none());
    }
    door.wait();
    door.open();
    assert_eq!(block_on(handle).unwrap(), 1);
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let (door, front) = door();
    let mut handle = pool.try_spawn(|| async move { front.stand() }).unwrap();
    door.wait();
    let (first, second) =
        (Arc::new(common::CountWaker::default()), Arc::new(common::CountWaker::default()));
    for waker in [&first, &second] {
        let waker: Waker = waker.clone().into();
        let mut cx = Context::from_waker(&waker);
        assert!(std::future::Future::poll(std::pin::pin!(&mut handle), &mut cx).is_pending());
    }
    door.open();
    block_on(pool.try_spawn(|| async {}).unwrap()).unwrap();
    assert_eq!(first.0.load(Ordering::SeqCst), 0);
    assert_eq!(second.0.load(Ordering::SeqCst), 1);
}

#[test]
fn cancelling_from_the_task_itself_ends_it_at_its_next_suspension() {
    let thread = LoopThread::builder().start().unwrap();
    let (give, got) = mpsc::channel::<thrasks_loop::JoinHandle<()>>();
    let (send, receive) = mpsc::channel();
    let handle = thread
        .spawn(move || async move {
            drop(got.recv().unwrap());
            send.send("still here").unwrap();
            futures_lite::future::yield_now().await;
            send.send("never").unwrap();
        })
        .unwrap();
    give.send(handle).unwrap();
    assert_eq!(receive.recv_timeout(LONG).unwrap(), "still here");
    assert!(receive.recv_timeout(LONG).is_err());
}
