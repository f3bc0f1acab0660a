//! The numbers of loops and pools.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use common::{LONG, block_on, door};
use thrasks_loop::{LoopPool, LoopThread};
use thrasks_sched::RoundRobin;

/// Works the processor for a while.
fn work(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[test]
fn what_waits_what_runs_and_what_is_done_is_counted() {
    let pool = LoopPool::builder().threads(2).name("p").scheduler(RoundRobin::new).build().unwrap();
    let (door, front) = door();
    let stuck = pool.spawn_on(0, || async move { front.stand() }).unwrap();
    door.wait();
    let queued: Vec<_> = (0..6).map(|_| pool.try_spawn(|| async {}).unwrap()).collect();
    let pending = pool.spawn_on(1, std::future::pending::<()>).unwrap();
    block_on(pool.spawn_on(1, || async {}).unwrap()).unwrap();

    // Three of the six went to each; loop 1 has done its three, and the one after them.
    let stats = pool.stats();
    assert_eq!((stats.queued, stats.running, stats.done), (3, 2, 4));
    let [zero, one] = &stats.loops[..] else { panic!() };
    assert_eq!((zero.name.as_str(), one.name.as_str()), ("p-0", "p-1"));
    assert_eq!((zero.queued, zero.running, zero.done), (3, 1, 0));
    assert_eq!((one.queued, one.running, one.done), (0, 1, 4));
    assert!(zero.alive && one.alive);
    assert_eq!(pool.loops()[0].stats().done, 0);

    door.open();
    block_on(stuck).unwrap();
    queued.into_iter().for_each(|handle| block_on(handle).unwrap());
    pending.cancel();
    assert!(block_on(pending).is_err());
    let stats = pool.stats();
    assert_eq!((stats.queued, stats.running, stats.done), (0, 0, 9));
    assert!(pool.shutdown(LONG).is_clean());
    assert!(pool.stats().loops.iter().all(|stats| !stats.alive));
}

#[test]
fn what_waits_in_the_inbox_is_counted() {
    let thread = LoopThread::builder().start().unwrap();
    let (door, front) = door();
    let stuck = thread.spawn(|| async move { front.stand() }).unwrap();
    door.wait();
    let queued = thread.spawn(|| async {}).unwrap();
    let stats = thread.stats();
    assert_eq!((stats.queued, stats.running, stats.done), (1, 1, 0));
    door.open();
    block_on(stuck).unwrap();
    block_on(queued).unwrap();
    assert_eq!(thread.stats().done, 2);
}

#[test]
fn work_counts_as_busy_while_it_goes_on() {
    let thread = LoopThread::builder().start().unwrap();
    let (door, front) = door();
    let stuck = thread.spawn(|| async move { front.stand() }).unwrap();
    door.wait();
    // It has not slept since, and still it is known to be busy.
    let before = thread.stats().busy;
    work(Duration::from_millis(5));
    assert!(thread.stats().busy >= before + Duration::from_millis(5));
    door.open();
    block_on(stuck).unwrap();
}

/// A regression test: the loop counted as asleep while it ran the task that had woken it.
#[test]
fn work_of_a_task_that_was_woken_counts_as_busy() {
    let thread = LoopThread::builder().start().unwrap();
    let (task, woken) = (event_listener::Event::new(), mpsc::channel::<()>());
    let task = std::sync::Arc::new(task);
    let event = task.clone();
    let handle = thread
        .spawn(move || async move {
            let listener = event.listen();
            woken.0.send(()).unwrap();
            listener.await;
            work(Duration::from_millis(20));
        })
        .unwrap();
    woken.1.recv_timeout(LONG).unwrap();
    let before = thread.stats().busy;
    task.notify(1);
    block_on(handle).unwrap();
    assert!(thread.stats().busy >= before + Duration::from_millis(20));
}

#[test]
fn sleep_does_not_count_as_busy() {
    let thread = LoopThread::builder().start().unwrap();
    block_on(thread.spawn(|| async {}).unwrap()).unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(50) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let stats = thread.stats();
    assert!(stats.busy < Duration::from_millis(40), "{stats:?}");
}
