//! Groups inside of groups.
#![cfg(not(thrasks_loom))]

mod common;

use std::future::pending;

use common::{Alive, BoxError, Latch, pool};
use futures_lite::future::{block_on, poll_once};
use thrasks_group::{GroupError, TaskGroup};
use thrasks_loop::LoopPool;

/// A group in a child in a group ..., each of which spawns two.
async fn nest(pool: LoopPool, depth: u32) -> Result<u32, GroupError<BoxError>> {
    let inner = pool.clone();
    Box::pin(TaskGroup::<BoxError>::scope(&pool, async move |group| {
        if depth == 0 {
            return Ok(1);
        }
        let (a, b) = (inner.clone(), inner);
        let a = group.spawn(move || async move { Ok(nest(a, depth - 1).await?) })?;
        let b = group.spawn(move || async move { Ok(nest(b, depth - 1).await?) })?;
        Ok(a.await? + b.await?)
    }))
    .await
}

#[test]
fn groups_nest_on_one_thread_without_a_deadlock() {
    for threads in [1, 2] {
        let pool = pool(threads);
        assert_eq!(block_on(nest(pool, 5)).unwrap(), 32);
    }
}

#[test]
fn the_error_of_an_inner_group_is_one_error_of_the_outer() {
    let pool = pool(2);
    let inner_pool = pool.clone();
    let error = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        group.spawn(move || async move {
            Ok(TaskGroup::<BoxError>::builder(&inner_pool)
                .collect_errors()
                .scope(async |group| {
                    group.spawn(|| async { Err::<(), _>("a".into()) })?;
                    group.spawn(|| async { Err::<(), _>("b".into()) })?;
                    Ok(())
                })
                .await?)
        })?;
        Ok(())
    }))
    .unwrap_err();
    assert_eq!(error.failures().len(), 1);
    assert_eq!(error.to_string(), "2 failures in a task group: a; b");
}

/// A scope, inside of which `guards` children wait for ever.
async fn waiting(pool: LoopPool, alive: Alive, guards: usize, started: Latch) -> BoxError {
    let scope = TaskGroup::<BoxError>::scope(&pool, async |group| {
        for i in 0..guards {
            let (guard, started) = (alive.guard(), started.clone());
            group.spawn(move || async move {
                let _guard = guard;
                if i + 1 == guards {
                    started.open();
                }
                pending::<Result<(), _>>().await
            })?;
        }
        Ok(())
    });
    scope.await.unwrap_err().into()
}

#[test]
fn an_outer_group_waits_for_what_a_cancelled_child_had_running_in_its_own() {
    for _ in 0..50 {
        let (pool, alive, started) = (pool(3), Alive::default(), Latch::default());
        let error = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
            let inner = waiting(pool.clone(), alive.clone(), 20, started.clone());
            group.spawn(move || async move { Err::<(), _>(inner.await) })?;
            started.wait().await;
            Err::<(), _>("broke".into())
        }));
        // Here, not some time later.
        assert_eq!(alive.now(), 0);
        assert_eq!(error.unwrap_err().to_string(), "broke");
    }
}

#[test]
fn an_outer_group_waits_for_what_its_dropped_body_had_running_in_an_inner_one() {
    for _ in 0..50 {
        let (pool, alive, started) = (pool(3), Alive::default(), Latch::default());
        let error = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
            let latch = started.clone();
            group.spawn(move || async move {
                latch.wait().await;
                Err::<(), _>("broke".into())
            })?;
            Err::<(), _>(waiting(pool.clone(), alive.clone(), 20, started.clone()).await)
        }));
        assert_eq!(alive.now(), 0);
        assert_eq!(error.unwrap_err().to_string(), "broke");
    }
}

#[test]
fn a_child_that_drops_an_inner_scope_and_returns_has_not_ended_before_that() {
    for _ in 0..50 {
        let (pool, alive, started) = (pool(3), Alive::default(), Latch::default());
        block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
            let (pool, alive, started) = (pool.clone(), alive.clone(), started.clone());
            group.spawn(move || async move {
                let inner = waiting(pool, alive, 20, started.clone());
                {
                    let mut inner = std::pin::pin!(inner);
                    assert!(poll_once(&mut inner).await.is_none());
                    started.wait().await;
                }
                Ok(())
            })?;
            Ok(())
        }))
        .unwrap();
        assert_eq!(alive.now(), 0);
    }
}

#[test]
fn siblings_of_a_cancelled_inner_group_go_on() {
    let (pool, alive, started) = (pool(2), Alive::default(), Latch::default());
    block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let inner = waiting(pool.clone(), alive.clone(), 5, started.clone());
        let child = group.spawn(move || async move { Err::<(), _>(inner.await) })?;
        let sibling = group.spawn(|| async { Ok(7) })?;
        started.wait().await;
        child.cancel();
        assert!(child.await.is_err());
        assert_eq!(sibling.await, Ok(7));
        Ok(())
    }))
    .unwrap();
    assert_eq!(alive.now(), 0);
}
