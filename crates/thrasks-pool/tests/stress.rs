//! Many threads at once.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use common::{Census, Threads, block_on, pool};
use futures_lite::{StreamExt, future::yield_now};
use thrasks_pool::{Job, Kind, TaskPool};

/// Jobs of many threads, some cancelled, some detached: each has one outcome, and nothing is left.
fn storm<K: Kind, Fut: Job<K> + Future<Output = usize>>(
    pool: &TaskPool<K>,
    job: fn(Census, usize) -> Fut,
) {
    let (census, outcomes) = (Census::default(), Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        for seed in 0..4usize {
            let (census, outcomes) = (census.clone(), outcomes.clone());
            scope.spawn(move || {
                let mut handles = Vec::new();
                for i in 0..500 {
                    let census = census.clone();
                    let handle = pool.submit(move || job(census, i));
                    match (i * 31 + seed) % 7 {
                        0 => handle.cancel(),
                        1 => {
                            drop(handle);
                            continue;
                        }
                        2 => {
                            handle.detach();
                            continue;
                        }
                        _ => {}
                    }
                    handles.push((i, handle));
                }
                for (i, handle) in handles {
                    match block_on(handle) {
                        Ok(value) => assert_eq!(value, i),
                        Err(error) => assert!(error.is_cancelled()),
                    }
                    outcomes.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    block_on(pool.shutdown(true, false));
    assert!(census.most() <= pool.max_workers(), "{}", census.most());
    assert_eq!(census.alive(), 0);
    let stats = pool.stats();
    assert_eq!((stats.workers, stats.queued, stats.lost), (0, 0, 0));
    assert_eq!(stats.submitted, 2000);
    assert_eq!(stats.completed + stats.removed, 2000);
    assert!(outcomes.load(Ordering::SeqCst) >= 1400);
}

async fn job(census: Census, i: usize) -> usize {
    let _alive = census.life(());
    for _ in 0..i % 4 {
        yield_now().await;
    }
    i
}

#[test]
fn a_storm_of_jobs_on_loops() {
    storm(&pool(3, 4), job);
}

#[test]
fn a_storm_of_jobs_on_an_executor() {
    storm(&Threads::new(3).pool(4), job);
}

#[test]
fn shutdowns_and_submits_at_once_lose_no_outcome() {
    for round in 0..200 {
        let pool = pool(1, 2);
        thread::scope(|scope| {
            let submitter = scope.spawn(|| {
                let handles: Vec<_> = (0..20).map(|i| pool.submit(async move || i)).collect();
                for (i, handle) in handles.into_iter().enumerate() {
                    match block_on(handle) {
                        Ok(value) => assert_eq!(value, i),
                        Err(error) => assert!(error.is_cancelled() || error.is_refused()),
                    }
                }
            });
            block_on(pool.shutdown(true, round % 2 == 0));
            submitter.join().unwrap();
        });
        assert_eq!(pool.stats().workers, 0);
    }
}

#[test]
fn streams_that_are_dropped_at_any_time_leave_nothing() {
    let (pool, census) = (pool(2, 3), Census::default());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for taken in 0..60 {
                    let lives = census.clone();
                    let items = (0..).map(move |i| lives.life(i));
                    let f = |item: common::Life<usize>| async {
                        yield_now().await;
                        item
                    };
                    let mut results = pool.map(items, 1 + taken % 9, f);
                    for i in 0..taken {
                        assert_eq!(block_on(results.next()).unwrap().unwrap().value, i);
                    }
                }
            });
        }
    });
    block_on(pool.shutdown(true, false));
    assert_eq!(census.alive(), 0);
    drop(stream_of_results(&pool));
}

/// A stream that is never polled submits nothing.
fn stream_of_results(pool: &TaskPool) -> impl futures_lite::Stream + use<> {
    pool.map(0.., 2, async |i: u8| i).take(2)
}
