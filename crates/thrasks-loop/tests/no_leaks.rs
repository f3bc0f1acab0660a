//! Pools come and go, and leave nothing behind. Alone in this file: it counts the process's threads.
#![cfg(all(not(thrasks_loom), target_os = "linux"))]

mod common;

use std::{
    fs,
    sync::mpsc,
    time::{Duration, Instant},
};

use common::{LONG, block_on};
use thrasks_loop::LoopPool;

/// How many threads of this process are a leaky pool's.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    tasks.filter_map(|task| name(task.unwrap())).filter(|name| name.starts_with("leaky")).count()
}

#[test]
fn a_hundred_pools_leave_no_thread_behind() {
    let (exit, exits) = mpsc::channel();
    for round in 0..100 {
        let exit = exit.clone();
        let pool = LoopPool::builder()
            .threads(2)
            .name("leaky")
            .on_exit(move |index| exit.send(index).unwrap())
            .build()
            .unwrap();
        let handle = pool.try_spawn(move || async move { round }).unwrap();
        let forever = pool.try_spawn(std::future::pending::<()>).unwrap();
        if round == 0 {
            // A thread has its name by the time it runs something.
            for worker in 0..2 {
                block_on(pool.spawn_on(worker, || async {}).unwrap()).unwrap();
            }
            // The thread of async-io's, which one of them has started, passes for one until it has
            // set its own name.
            let start = Instant::now();
            while threads() != 2 {
                assert!(start.elapsed() < LONG, "{} threads are counted", threads());
                std::thread::yield_now();
            }
        }
        match round % 3 {
            0 => drop(pool),
            1 => assert!(pool.shutdown(Duration::ZERO).unstopped.is_empty()),
            _ => {
                assert_eq!(block_on(handle).unwrap(), round);
                drop(forever);
                assert!(pool.shutdown(LONG).is_clean());
            }
        }
    }
    for _ in 0..200 {
        exits.recv_timeout(LONG).unwrap();
    }
    // Each has called its exit hook; there is no event for its last instruction.
    let start = Instant::now();
    while threads() > 0 {
        assert!(start.elapsed() < LONG, "{} threads are left", threads());
        std::thread::yield_now();
    }
}
