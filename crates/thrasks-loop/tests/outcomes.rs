//! A panic of the user's code is an outcome: it kills no loop, hangs nobody, aborts nothing.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    future::Future,
    panic::panic_any,
    pin::{Pin, pin},
    sync::{Arc, mpsc},
    task::{Context, Poll},
    time::Duration,
};

use common::{BadWaker, Bomb, Drops, block_on, door};
use futures_lite::future::yield_now;
use thrasks_loop::{JoinError, LoopPool, LoopThread, Task};

/// The loop has taken the last task well, and takes the next one.
fn goes_on(pool: &LoopPool) {
    for worker in 0..pool.workers() {
        let handle = pool.spawn_on(worker, || async { 1 }).unwrap();
        assert_eq!(block_on(handle).unwrap(), 1);
    }
    assert!(pool.stats().loops.iter().all(|stats| stats.alive && stats.running == 0));
}

fn message(error: &JoinError) -> String {
    error.panic_message().expect("it panicked")
}

#[test]
fn a_panic_of_the_factory_is_the_outcome() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let bad = || -> std::future::Ready<()> { panic!("no future") };
    let error = block_on(pool.try_spawn(bad).unwrap()).unwrap_err();
    assert_eq!(message(&error), "no future");
    goes_on(&pool);
}

#[test]
fn a_panic_of_the_future_is_the_outcome_on_the_first_poll_and_later() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    for polls in [0, 1, 5] {
        let handle = pool.try_spawn(move || async move {
            for _ in 0..polls {
                yield_now().await;
            }
            panic!("after {polls}");
        });
        let error: JoinError = block_on(handle.unwrap()).unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(message(&error), format!("after {polls}"));
        assert_eq!(error.to_string(), format!("the task panicked: after {polls}"));
    }
    goes_on(&pool);
}

#[test]
fn the_payload_of_a_panic_can_be_had() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let handle = pool.try_spawn(|| async { panic_any(17_u8) }).unwrap();
    let error: JoinError = block_on(handle).unwrap_err();
    assert_eq!(error.panic_message(), None);
    assert_eq!(*error.try_into_panic().unwrap().downcast::<u8>().unwrap(), 17);
    let handle = pool.try_spawn(std::future::pending::<()>).unwrap();
    handle.cancel();
    assert!(block_on(handle).unwrap_err().try_into_panic().unwrap_err().is_cancelled());
}

// async-task aborts the process when the drop of a future panics, so these would not fail but die.

/// Ready, or pending for ever; its drop panics.
struct BadDrop {
    ready: bool,
    _bomb: Bomb,
}

impl Future for BadDrop {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        if self.ready { Poll::Ready(1) } else { Poll::Pending }
    }
}

#[test]
fn a_panic_in_the_drop_of_a_future_that_has_ended_is_the_outcome() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let handle = pool.try_spawn(|| BadDrop { ready: true, _bomb: Bomb("at the end") }).unwrap();
    assert_eq!(message(&block_on(handle).unwrap_err()), "at the end");
    goes_on(&pool);
}

#[test]
fn a_panic_in_the_drop_of_a_cancelled_future_is_the_outcome() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let handle = pool.try_spawn(|| BadDrop { ready: false, _bomb: Bomb("cancelled") }).unwrap();
    // Polled by now, and pending.
    block_on(pool.try_spawn(|| async {}).unwrap()).unwrap();
    handle.cancel();
    assert_eq!(message(&block_on(handle).unwrap_err()), "cancelled");
    goes_on(&pool);
}

#[test]
fn a_panic_in_the_drop_of_a_future_that_goes_with_its_loop_is_the_outcome_and_the_others_are_told()
{
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let mut others = Vec::new();
    let mut bad = Vec::new();
    for _ in 0..3 {
        bad.push(pool.try_spawn(|| BadDrop { ready: false, _bomb: Bomb("stop") }).unwrap());
        others.push(pool.try_spawn(std::future::pending::<()>).unwrap());
    }
    block_on(pool.try_spawn(|| async {}).unwrap()).unwrap();
    let report = pool.shutdown(Duration::ZERO);
    assert_eq!((report.completed, report.cancelled), (1, 6));
    assert!(report.unstopped.is_empty());
    for handle in bad {
        assert_eq!(message(&block_on(handle).unwrap_err()), "stop");
    }
    for handle in others {
        assert!(block_on(handle).unwrap_err().is_cancelled());
    }
}

#[test]
fn a_panic_in_the_drop_of_a_factory_that_never_ran_is_nobodys_loss() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let (door, front) = door();
    let busy = pool.try_spawn(|| async move { front.stand() }).unwrap();
    door.wait();
    let bomb = Bomb("never ran");
    let cancelled = pool
        .try_spawn(move || async move {
            let _bomb = &bomb;
        })
        .unwrap();
    cancelled.cancel();
    assert!(block_on(cancelled).unwrap_err().is_cancelled());
    door.open();
    block_on(busy).unwrap();
    goes_on(&pool);

    // Dropped with the queue.
    let (door, front) = common::door();
    pool.try_spawn(|| async move { front.stand() }).unwrap().detach();
    door.wait();
    let handles: Vec<_> = (0..2)
        .map(|_| {
            let bomb = Bomb("in the queue");
            pool.try_spawn(move || async move {
                let _bomb = &bomb;
            })
            .unwrap()
        })
        .collect();
    drop(pool);
    for handle in handles {
        assert!(block_on(handle).unwrap_err().is_cancelled());
    }
    door.open();
}

#[test]
fn a_panic_in_the_drop_of_a_result_that_nobody_wants_stays_on_the_loop() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let (gate, front) = door();
    let unwanted = pool.try_spawn(|| async move {
        front.stand();
        Bomb("unwanted")
    });
    unwanted.unwrap().detach();
    gate.open();
    // And one whose handle goes while it runs.
    let (door, front) = door();
    let handle = pool
        .try_spawn(|| async move {
            front.stand();
            Bomb("unwanted, too")
        })
        .unwrap();
    door.wait();
    drop(handle);
    door.open();
    goes_on(&pool);
}

#[test]
fn a_panic_with_a_payload_that_panics_when_dropped_stays_on_the_loop() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    pool.try_spawn(|| async { panic_any(Bomb("payload")) }).unwrap().detach();
    let handle = pool.try_spawn(|| async { panic_any(Bomb("payload")) }).unwrap();
    let error: JoinError = block_on(handle).unwrap_err();
    std::mem::forget(error);
    goes_on(&pool);
}

#[test]
fn a_waker_that_panics_is_its_owners_loss() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let bad = Arc::new(BadWaker).into();
    let mut cx = Context::from_waker(&bad);

    // Woken from the loop, at the end of the task.
    let (door, front) = door();
    let mut handle = pool.try_spawn(|| async move { front.stand() }).unwrap();
    door.wait();
    assert!(pin!(&mut handle).poll(&mut cx).is_pending());
    door.open();
    goes_on(&pool);
    block_on(handle).unwrap();

    // Woken by the drop of the task, with its loop.
    let mut handle = pool.try_spawn(std::future::pending::<()>).unwrap();
    assert!(pin!(&mut handle).poll(&mut cx).is_pending());
    let last = pool.try_spawn(std::future::pending::<()>).unwrap();
    assert!(pool.shutdown(Duration::ZERO).unstopped.is_empty());
    assert!(block_on(handle).unwrap_err().is_cancelled());
    assert!(block_on(last).unwrap_err().is_cancelled());
}

#[test]
fn when_the_outcome_is_there_the_future_is_gone_and_counted() {
    let thread = LoopThread::builder().start().unwrap();
    for i in 1..=200 {
        let drops = Drops::default();
        let guard = drops.guard();
        let handle = thread.spawn(move || async move {
            let _guard = guard;
            yield_now().await;
        });
        block_on(handle.unwrap()).unwrap();
        assert_eq!(drops.count(), 1);
        let stats = thread.stats();
        assert_eq!((stats.done, stats.running), (i, 0));
    }
}

#[test]
fn a_task_dropped_unstarted_is_cancelled() {
    let (task, handle) = Task::new(|| async { 1 });
    assert!(!handle.is_finished());
    drop(task);
    assert!(handle.is_finished());
    assert!(block_on(handle).unwrap_err().is_cancelled());
}

#[test]
fn a_drop_that_spawns_while_the_loop_stops_gets_its_factory_back_or_is_cancelled() {
    struct SpawnsOnDrop(LoopPool, mpsc::Sender<bool>);
    impl Drop for SpawnsOnDrop {
        fn drop(&mut self) {
            let outcome = match self.0.try_spawn(|| async {}) {
                Ok(handle) => block_on(handle).unwrap_err().is_cancelled(),
                Err(error) => error.is_closed(),
            };
            self.1.send(outcome).unwrap();
        }
    }

    let pool = LoopPool::builder().threads(2).build().unwrap();
    let (send, receive) = mpsc::channel();
    for worker in [0, 1, 0] {
        let guard = SpawnsOnDrop(pool.clone(), send.clone());
        let task = pool.spawn_on(worker, move || async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        task.unwrap().detach();
    }
    for worker in 0..2 {
        block_on(pool.spawn_on(worker, || async {}).unwrap()).unwrap();
    }
    let report = pool.shutdown(Duration::ZERO);
    assert_eq!((report.cancelled, report.unstopped.len()), (3, 0));
    for _ in 0..3 {
        assert!(receive.recv_timeout(common::LONG).unwrap());
    }
}
