//! The end of a pool: shut down, or dropped.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use common::{Drops, LONG, block_on, door};
use thrasks_loop::{LoopPool, LoopThread};
use thrasks_sched::RoundRobin;

#[test]
fn a_clean_shutdown_lets_everything_end() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    for _ in 0..500 {
        pool.try_spawn(|| async { futures_lite::future::yield_now().await }).unwrap().detach();
    }
    let report = pool.shutdown(LONG);
    assert_eq!((report.completed, report.cancelled), (500, 0));
    assert!(report.unstopped.is_empty());
    assert!(report.is_clean());
    assert!(report.took < LONG);
    assert!(pool.loops().iter().all(thrasks_loop::LoopHandle::has_exited));
    assert!(pool.try_spawn(|| async {}).unwrap_err().is_closed());
    // Again, it reports the same.
    let again = pool.shutdown(LONG);
    assert_eq!((again.completed, again.cancelled), (500, 0));
}

#[test]
fn a_shutdown_that_may_take_for_ever_takes_as_long_as_it_takes() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    pool.try_spawn(|| async {}).unwrap().detach();
    let report = pool.shutdown(Duration::MAX);
    assert!(report.is_clean());
    assert_eq!(report.completed, 1);
}

/// A regression test: the shutdown waited for one loop after another, each with the scheduler's
/// length in its condition. A loop that slept while the last job ran on another was never heard of
/// again, and the shutdown took all its patience.
#[test]
fn a_shutdown_ends_when_the_last_job_does_wherever_that_is() {
    for busy in [0, 1] {
        let pool = LoopPool::builder().threads(2).scheduler(RoundRobin::new).build().unwrap();
        let (door, front) = door();
        pool.spawn_on(busy, || async move { front.stand() }).unwrap().detach();
        door.wait();
        // Waits behind it, for that loop alone.
        pool.spawn_on(busy, || async {}).unwrap().detach();
        let closing = pool.clone();
        let shutdown = std::thread::spawn(move || closing.shutdown(LONG));
        while !pool.is_closed() {
            std::thread::yield_now();
        }
        door.open();
        let report = shutdown.join().unwrap();
        assert_eq!((report.completed, report.cancelled), (2, 0));
        assert!(report.took < LONG / 2, "{report:?}");
    }
}

#[test]
fn what_is_left_after_the_patience_is_cancelled_and_counted() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let drops = Drops::default();
    let running: Vec<_> = (0..3)
        .map(|_| {
            let guard = drops.guard();
            pool.try_spawn(move || async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            })
            .unwrap()
        })
        .collect();
    block_on(pool.try_spawn(|| async {}).unwrap()).unwrap();
    let report = pool.shutdown(Duration::from_millis(1));
    assert_eq!((report.completed, report.cancelled), (1, 3));
    assert!(report.unstopped.is_empty() && !report.is_clean());
    assert_eq!(drops.count(), 3);
    for handle in running {
        assert!(block_on(handle).unwrap_err().is_cancelled());
    }
}

#[test]
fn a_thread_in_synchronous_code_is_reported_and_ends_when_that_returns() {
    let pool = LoopPool::builder().threads(2).name("p").build().unwrap();
    let (door, front) = door();
    let stuck = pool
        .spawn_on(1, || async move {
            front.stand();
            std::future::pending::<()>().await;
        })
        .unwrap();
    door.wait();
    let queued = pool.spawn_on(1, || async {}).unwrap();
    let report = pool.shutdown(Duration::ZERO);
    assert_eq!(report.unstopped, ["p-1"]);
    assert_eq!((report.completed, report.cancelled), (0, 2));
    assert!(block_on(queued).unwrap_err().is_cancelled());
    assert!(!pool.loops()[1].has_exited());
    door.open();
    block_on(pool.loops()[1].exited());
    assert!(block_on(stuck).unwrap_err().is_cancelled());
    let again = pool.shutdown(Duration::ZERO);
    assert_eq!((again.completed, again.cancelled), (0, 2));
    assert!(again.unstopped.is_empty());
}

#[test]
fn two_shutdowns_at_once_both_wait() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    for _ in 0..100 {
        pool.try_spawn(|| async {}).unwrap().detach();
    }
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let pool = pool.clone();
            std::thread::spawn(move || pool.shutdown(LONG))
        })
        .collect();
    for thread in threads {
        let report = thread.join().unwrap();
        assert_eq!(report.completed, 100);
        assert!(report.is_clean());
    }
}

#[test]
fn a_shutdown_from_one_of_the_pools_own_loops_does_not_wait_for_that() {
    let pool = LoopPool::builder().threads(2).name("p").build().unwrap();
    let (send, receive) = mpsc::channel();
    let inner = pool.clone();
    pool.spawn_on(0, move || async move {
        send.send(inner.shutdown(Duration::from_millis(10))).unwrap();
    })
    .unwrap()
    .detach();
    let report = receive.recv_timeout(LONG).unwrap();
    assert_eq!(report.unstopped, ["p-0"]);
    assert_eq!(report.completed, 0);
    assert_eq!(report.cancelled, 1);
    block_on(pool.loops()[0].exited());
    block_on(pool.loops()[1].exited());
}

#[test]
fn the_last_handle_may_be_dropped_on_one_of_the_pools_own_loops() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    let loops = pool.loops().to_vec();
    let (go, went) = mpsc::channel::<()>();
    let inner = pool.clone();
    let handle = pool
        .spawn_on(1, move || async move {
            went.recv().unwrap();
            drop(inner);
            // Not polled again after this, but it gets there.
            5
        })
        .unwrap();
    drop(pool);
    go.send(()).unwrap();
    assert_eq!(block_on(handle).unwrap(), 5);
    for handle in &loops {
        block_on(handle.exited());
    }
}

#[test]
fn dropping_a_pool_does_not_block_and_cancels() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let loops = pool.loops().to_vec();
    let (door, front) = door();
    let stuck = pool
        .try_spawn(|| async move {
            front.stand();
            std::future::pending::<()>().await;
        })
        .unwrap();
    door.wait();
    let queued = pool.try_spawn(|| async {}).unwrap();
    // The door is closed: a drop that waited for the thread would never come back.
    drop(pool);
    assert!(block_on(queued).unwrap_err().is_cancelled());
    assert!(!loops[0].has_exited());
    door.open();
    assert!(block_on(stuck).unwrap_err().is_cancelled());
    block_on(loops[0].exited());
}

#[test]
fn dropping_a_thread_does_not_block_and_cancels() {
    let thread = LoopThread::builder().start().unwrap();
    let handle = thread.handle();
    let (door, front) = door();
    let stuck = thread.spawn(|| async move { front.stand() }).unwrap();
    door.wait();
    let queued = thread.spawn(|| async {}).unwrap();
    drop(thread);
    door.open();
    // It was in its only poll, and ended.
    block_on(stuck).unwrap();
    assert!(block_on(queued).unwrap_err().is_cancelled());
    block_on(handle.exited());
}

#[test]
fn a_thread_that_does_not_end_in_time_is_given_back() {
    let thread = LoopThread::builder().start().unwrap();
    let (door, front) = door();
    thread.spawn(|| async move { front.stand() }).unwrap().detach();
    door.wait();
    let thread = thread.join(Some(Instant::now())).unwrap_err();
    door.open();
    thread.join(None).unwrap();
}

/// A regression test: the thread counted as ended before its exit hook had run, and joining it then
/// waited for the hook without a deadline.
#[test]
fn an_exit_hook_that_hangs_does_not_hang_the_shutdown() {
    let (door, front) = door();
    let front = Arc::new(Mutex::new(Some(front)));
    let pool = LoopPool::builder()
        .threads(1)
        .name("p")
        .on_exit(move |_| front.lock().unwrap().take().unwrap().stand())
        .build()
        .unwrap();
    let report = pool.shutdown(Duration::ZERO);
    assert_eq!(report.unstopped, ["p-0"]);
    door.wait();
    assert!(!pool.loops()[0].has_exited());
    door.open();
    block_on(pool.loops()[0].exited());
}

#[test]
fn tasks_that_spawn_into_their_pool_while_it_shuts_down_are_refused_or_run() {
    for _ in 0..20 {
        let pool = LoopPool::builder().threads(2).build().unwrap();
        let (send, receive) = mpsc::channel();
        for _ in 0..4 {
            let (pool, send) = (pool.clone(), send.clone());
            pool.clone()
                .try_spawn(move || async move {
                    let mut ran = 0_u64;
                    loop {
                        match pool.try_spawn(|| async {}) {
                            Ok(handle) => {
                                handle.await.unwrap();
                                ran += 1;
                            }
                            Err(error) => {
                                assert!(error.is_closed());
                                break;
                            }
                        }
                    }
                    send.send(ran).unwrap();
                })
                .unwrap()
                .detach();
        }
        drop(send);
        let report = pool.shutdown(LONG);
        let ran: u64 = receive.iter().sum();
        assert_eq!((report.completed, report.cancelled), (ran + 4, 0));
        assert!(report.is_clean());
    }
}

/// A job that is out of its queue and not begun must not be missed by the shutdown.
#[test]
fn whatever_was_accepted_before_the_shutdown_runs_within_its_patience() {
    for round in 0..200 {
        let pool = LoopPool::builder().threads(2).build().unwrap();
        let n = round % 5 + 1;
        for worker in 0..n {
            let task = || async {};
            match round % 2 {
                0 => pool.try_spawn(task).unwrap().detach(),
                _ => pool.spawn_on(worker % 2, task).unwrap().detach(),
            }
        }
        let report = pool.shutdown(LONG);
        assert_eq!((report.completed, report.cancelled), (n as u64, 0), "round {round}");
    }
}

#[test]
fn closing_gives_back_what_no_loop_has_taken_and_lets_the_rest_go_on() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let (door, front) = door();
    let running = pool.try_spawn(|| async move { front.stand() }).unwrap();
    door.wait();
    let queued = pool.try_spawn(|| async { 3 }).unwrap();
    let tasks = pool.close();
    assert_eq!(tasks.len(), 1);
    assert!(!queued.is_finished());
    door.open();
    block_on(running).unwrap();
    // It is a task like any other.
    let other = LoopPool::builder().threads(1).build().unwrap();
    for task in tasks {
        other.submit(task).unwrap();
    }
    assert_eq!(block_on(queued).unwrap(), 3);
}

#[test]
fn a_dismissed_pool_leaves_its_threads_running() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    for _ in 0..10 {
        block_on(pool.try_spawn(|| async {}).unwrap()).unwrap();
    }
    let threads = pool.dismiss();
    assert_eq!(threads.len(), 2);
    assert!(pool.shutdown(Duration::ZERO).is_clean());
    drop(pool);
    let pool = LoopPool::from_threads(Arc::new(RoundRobin::new(2)), threads);
    for _ in 0..3 {
        block_on(pool.try_spawn(|| async {}).unwrap()).unwrap();
    }
    // What the loops did for the former pool is not counted.
    assert_eq!(pool.stats().done, 3);
    assert_eq!(pool.stats().loops.iter().map(|stats| stats.done).sum::<u64>(), 13);
    let report = pool.shutdown(LONG);
    assert_eq!((report.completed, report.cancelled), (3, 0));
}
