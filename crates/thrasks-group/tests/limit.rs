//! `max_concurrency`, by counting what is alive.
#![cfg(not(thrasks_loom))]

mod common;

use std::{future::pending, sync::mpsc};

use common::{Alive, BoxError, Latch, pool};
use futures_lite::future::{block_on, yield_now};
use thrasks_group::{ChildError, Failure, TaskGroup};

#[test]
fn never_more_children_are_alive_than_allowed_and_all_of_them_run() {
    for limit in [1, 2, 7] {
        let (pool, alive) = (pool(3), Alive::default());
        let done = block_on(TaskGroup::<BoxError>::builder(&pool).max_concurrency(limit).scope(
            async |group| {
                let handles: Vec<_> = (0..200)
                    .map(|_| {
                        let alive = alive.clone();
                        group.spawn(move || {
                            let guard = alive.guard();
                            async move {
                                let _guard = guard;
                                for _ in 0..5 {
                                    yield_now().await;
                                }
                                Ok(1)
                            }
                        })
                    })
                    .collect::<Result<_, _>>()?;
                let mut done = 0;
                for handle in handles {
                    done += handle.await?;
                }
                Ok(done)
            },
        ));
        assert_eq!(done.unwrap(), 200);
        assert!(alive.most() <= limit, "{} > {limit}", alive.most());
        assert_eq!(alive.now(), 0);
    }
}

#[test]
fn as_many_are_alive_as_allowed() {
    let (pool, latch) = (pool(1), Latch::default());
    // Three that wait for the third: with room for fewer this would hang.
    block_on(TaskGroup::<BoxError>::builder(&pool).max_concurrency(3).scope(async |group| {
        for _ in 0..2 {
            let latch = latch.clone();
            group.spawn(move || async move {
                latch.wait().await;
                Ok(())
            })?;
        }
        let latch = latch.clone();
        group.spawn(move || async move {
            latch.open();
            Ok(())
        })?;
        Ok(())
    }))
    .unwrap();
}

#[test]
fn children_start_in_the_order_of_their_spawning() {
    let pool = pool(2);
    let (tell, told) = mpsc::channel();
    block_on(TaskGroup::<BoxError>::builder(&pool).max_concurrency(1).scope(async |group| {
        for i in 0..100 {
            let tell = tell.clone();
            group.spawn(move || async move { Ok(tell.send(i)?) })?;
        }
        Ok(())
    }))
    .unwrap();
    drop(tell);
    assert_eq!(told.iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_failure_ends_those_that_wait_without_starting_them() {
    let pool = pool(1);
    let result =
        block_on(TaskGroup::<BoxError>::builder(&pool).max_concurrency(1).scope(async |group| {
            let go = Latch::default();
            let latch = go.clone();
            group.spawn(move || async move {
                latch.wait().await;
                Err::<(), _>("broke".into())
            })?;
            for _ in 0..10_000 {
                group.spawn(|| -> std::future::Ready<Result<(), _>> { panic!("started") })?;
            }
            go.open();
            pending::<()>().await;
            Ok(())
        }));
    assert_eq!(result.unwrap_err().to_string(), "broke");
}

#[test]
fn a_waiting_child_that_is_cancelled_never_starts() {
    let pool = pool(1);
    block_on(TaskGroup::<BoxError>::builder(&pool).max_concurrency(1).scope(async |group| {
        let go = Latch::default();
        let latch = go.clone();
        let first = group.spawn(move || async move {
            latch.wait().await;
            Ok(())
        })?;
        let waiting: Vec<_> = (0..10_000)
            .map(|_| group.spawn(|| -> std::future::Ready<Result<(), _>> { panic!("started") }))
            .collect::<Result<_, _>>()?;
        let last = group.spawn(|| async { Ok(7) })?;
        for handle in &waiting {
            handle.cancel();
        }
        go.open();
        first.await?;
        for handle in waiting {
            assert_eq!(handle.await, Err(ChildError::Cancelled));
        }
        assert_eq!(last.await, Ok(7));
        Ok(())
    }))
    .unwrap();
}

#[test]
fn a_pool_closed_meanwhile_rejects_those_that_wait_without_a_recursion() {
    let pool = pool(1);
    let result =
        block_on(TaskGroup::<BoxError>::builder(&pool).max_concurrency(1).collect_errors().scope(
            async |group| {
                let (started, go) = (Latch::default(), Latch::default());
                let (latch, first) = (go.clone(), started.clone());
                group.spawn(move || async move {
                    first.open();
                    latch.wait().await;
                    Ok(())
                })?;
                started.wait().await;
                for _ in 0..10_000 {
                    group.spawn(|| async { Ok(()) })?;
                }
                group.pool().close();
                go.open();
                Ok(())
            },
        ));
    let failures = result.unwrap_err().into_failures();
    assert_eq!(failures.len(), 10_000);
    assert!(failures.iter().all(|failure| matches!(failure, Failure::Rejected(_))));
    assert_eq!(failures[0].to_string(), "the task was not started: the scheduler is closed");
}

#[test]
#[should_panic(expected = "max_concurrency(0) would never run a child")]
fn zero_is_refused() {
    let _ = TaskGroup::<BoxError>::builder(&pool(1)).max_concurrency(0);
}
