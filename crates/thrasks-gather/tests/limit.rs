//! `limit`, by counting what is alive, and how far the iterator is ahead.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use common::{Alive, Latch, pool};
use futures_lite::future::{block_on, yield_now};
use thrasks_gather::gather;

#[test]
fn never_more_tasks_are_alive_than_allowed() {
    for limit in [1, 2, 3, 8] {
        let (pool, alive) = (pool(3), Alive::default());
        let jobs = (0..500).map(|i| {
            let alive = alive.clone();
            move || {
                let guard = alive.guard();
                async move {
                    let _guard = guard;
                    for _ in 0..i % 4 {
                        yield_now().await;
                    }
                }
            }
        });
        let done = block_on(gather(&pool, jobs).limit(limit).into_future()).unwrap();
        assert_eq!(done.len(), 500);
        assert!(alive.most() <= limit, "{} > {limit}", alive.most());
    }
}

#[test]
fn as_many_are_alive_as_allowed() {
    let (pool, latch) = (pool(1), Latch::default());
    // Nine that wait for the tenth: with room for fewer this would hang.
    let jobs = (0..10).map(|i| {
        let latch = latch.clone();
        move || async move {
            match i {
                9 => latch.open(),
                _ => latch.wait().await,
            }
        }
    });
    block_on(gather(&pool, jobs).limit(10).into_future()).unwrap();
}

#[test]
fn the_iterator_is_at_most_as_far_ahead_as_the_limit() {
    let (pool, alive) = (pool(2), Alive::default());
    let ended = Arc::new(AtomicUsize::new(0));
    let limit = 4;
    let jobs = (0..500).map(|i| {
        // Those made and not ended: alive ones, and those that wait.
        let ahead = i - ended.load(Ordering::SeqCst);
        assert!(ahead < 2 * limit, "{ahead} made ahead");
        let (guard, ended) = (alive.guard(), ended.clone());
        move || async move {
            let _guard = guard;
            yield_now().await;
            ended.fetch_add(1, Ordering::SeqCst);
        }
    });
    block_on(gather(&pool, jobs).limit(limit).into_future()).unwrap();
    assert!(alive.most() <= 2 * limit + 2);
}

#[test]
fn tasks_start_in_order() {
    let pool = pool(2);
    let (tell, told) = mpsc::channel();
    let jobs = (0..300).map(|i| {
        let tell = tell.clone();
        move || async move { tell.send(i).unwrap() }
    });
    block_on(gather(&pool, jobs).limit(1).into_future()).unwrap();
    drop(tell);
    assert_eq!(told.iter().collect::<Vec<_>>(), (0..300).collect::<Vec<_>>());
}

#[test]
#[should_panic(expected = "limit(0) would never run a task")]
fn zero_is_refused() {
    let _ = gather(&pool(1), [|| async {}]).limit(0);
}
