//! Many tasks, from many threads.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use common::{LONG, block_on};
use futures_lite::future::yield_now;
use thrasks_loop::LoopPool;
use thrasks_sched::{LeastLoaded, Queue, RoundRobin};

const SUBMITTERS: usize = 4;
const TASKS: usize = 100_000;

fn every_result_comes_once(pool: &LoopPool) {
    let ran: Arc<Vec<AtomicU8>> = Arc::new((0..TASKS).map(|_| AtomicU8::new(0)).collect());
    std::thread::scope(|scope| {
        for submitter in 0..SUBMITTERS {
            let ran = ran.clone();
            scope.spawn(move || {
                let mut handles = Vec::new();
                for i in (submitter..TASKS).step_by(SUBMITTERS) {
                    let ran = ran.clone();
                    let task = move || async move {
                        if i % 3 == 0 {
                            yield_now().await;
                        }
                        ran[i].fetch_add(1, Ordering::Relaxed);
                        i
                    };
                    let handle = if i % 7 == 0 {
                        pool.try_spawn(task)
                            .or_else(|error| block_on(pool.spawn(error.into_factory())))
                    } else {
                        block_on(pool.spawn(task))
                    };
                    handles.push((i, handle.unwrap()));
                }
                for (i, handle) in handles {
                    assert_eq!(block_on(handle).unwrap(), i);
                }
            });
        }
    });
    assert!(ran.iter().all(|ran| ran.load(Ordering::Relaxed) == 1));
    let report = pool.shutdown(LONG);
    assert_eq!((report.completed, report.cancelled), (TASKS as u64, 0));
    assert!(report.is_clean());
}

#[test]
fn queue() {
    every_result_comes_once(&LoopPool::builder().threads(3).scheduler(Queue::new).build().unwrap());
}

#[test]
fn queue_with_a_bound() {
    let builder = LoopPool::builder().threads(2).capacity(50);
    every_result_comes_once(&builder.scheduler(Queue::new).build().unwrap());
}

#[test]
fn round_robin() {
    let builder = LoopPool::builder().threads(3);
    every_result_comes_once(&builder.scheduler(RoundRobin::new).build().unwrap());
}

#[test]
fn least_loaded() {
    let builder = LoopPool::builder().threads(3);
    every_result_comes_once(&builder.scheduler(LeastLoaded::new).build().unwrap());
}

/// Everybody gets an outcome, and the report knows of each.
#[test]
fn a_shutdown_in_the_middle_of_everything_loses_nobody() {
    for round in 0..50_u64 {
        let builder = LoopPool::builder().threads(2).capacity(100);
        let pool = if round % 2 == 0 {
            builder.scheduler(Queue::new).build().unwrap()
        } else {
            builder.scheduler(RoundRobin::new).build().unwrap()
        };
        let closing = pool.clone();
        let submitters: Vec<_> = (0..3)
            .map(|_| {
                let pool = pool.clone();
                std::thread::spawn(move || {
                    let mut handles = Vec::new();
                    while let Ok(handle) = block_on(pool.spawn(|| async {
                        yield_now().await;
                    })) {
                        handles.push(handle);
                    }
                    let spawned = handles.len() as u64;
                    let ok = handles.into_iter().map(block_on);
                    (spawned, ok.filter(Result::is_ok).count() as u64)
                })
            })
            .collect();
        while pool.stats().done < round * 10 {
            std::thread::yield_now();
        }
        let patience = if round % 4 < 2 { Duration::ZERO } else { LONG };
        let report = closing.shutdown(patience);
        let (spawned, ok) = submitters
            .into_iter()
            .map(|submitter| submitter.join().unwrap())
            .fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        assert!(report.unstopped.is_empty());
        assert_eq!(report.completed, ok);
        assert_eq!(report.completed + report.cancelled as u64, spawned);
    }
}
