//! Who may spawn, when, and where the children run.
#![cfg(not(thrasks_loom))]

mod common;

use common::{BoxError, Latch, pool};
use futures_lite::future::{block_on, yield_now};
use thrasks_group::{Refusal, TaskGroup};
use thrasks_loop::LoopPool;

#[test]
fn children_spawn_and_extend_the_wait() {
    let pool = pool(2);
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    fn grow(
        group: &TaskGroup<BoxError>,
        depth: u32,
        count: std::sync::Arc<std::sync::atomic::AtomicUsize>,
    ) -> Result<(), BoxError> {
        let clone = group.clone();
        group.spawn(move || async move {
            yield_now().await;
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if depth > 0 {
                grow(&clone, depth - 1, count.clone())?;
                grow(&clone, depth - 1, count)?;
            }
            Ok(())
        })?;
        Ok(())
    }
    let counted = count.clone();
    block_on(TaskGroup::scope(&pool, async move |group| grow(&group, 6, counted))).unwrap();
    assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 127);
}

#[test]
fn any_thread_may_spawn() {
    let pool = pool(2);
    let sum = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let handles: Vec<_> = std::thread::scope(|threads| {
            let spawners: Vec<_> = (0..4)
                .map(|i| {
                    let group = &group;
                    threads.spawn(move || group.spawn(move || async move { Ok(i) }).unwrap())
                })
                .collect();
            spawners.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut sum = 0;
        for handle in handles {
            sum += handle.await?;
        }
        Ok(sum)
    }));
    assert_eq!(sum.unwrap(), 6);
}

#[test]
fn a_spawn_is_refused_before_the_run_and_gives_the_factory_back() {
    let pool = pool(1);
    let group = TaskGroup::<BoxError>::new(&pool);
    let error = group.spawn(|| async { Ok(7) }).unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::NotEntered));
    assert_eq!(block_on(error.into_factory()()).unwrap(), 7);
}

#[test]
fn a_spawn_is_refused_once_the_last_task_and_the_body_have_ended() {
    let pool = pool(1);
    let group = TaskGroup::<BoxError>::new(&pool);
    block_on(group.run(async |_| Ok(()))).unwrap();
    let error = group.spawn(|| async { Ok(7) }).unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::Finished));
    assert_eq!(error.to_string(), "the child was not spawned: its group is finished");
}

#[test]
fn the_last_task_may_still_spawn_after_the_body_returned() {
    let pool = pool(1);
    let (body_over, spawned) = (Latch::default(), Latch::default());
    block_on(async {
        let group = TaskGroup::<BoxError>::new(&pool);
        let (over, done, clone) = (body_over.clone(), spawned.clone(), group.clone());
        let scope = group.run(async move |group| {
            group.spawn(move || async move {
                over.wait().await;
                clone.spawn(move || async move {
                    done.open();
                    Ok(())
                })?;
                Ok(())
            })?;
            Ok(())
        });
        let mut scope = std::pin::pin!(scope);
        assert!(futures_lite::future::poll_once(&mut scope).await.is_none());
        body_over.open();
        scope.await.unwrap();
    });
    assert!(spawned.is_open());
}

#[test]
fn a_spawn_is_refused_while_the_group_shuts_down() {
    let pool = pool(1);
    let result = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        group.cancel();
        let error = group.spawn(|| async { Ok(7) }).unwrap_err();
        assert_eq!(error.refusal(), Some(Refusal::ShuttingDown));
        assert!(error.to_string().contains("shutting down"));
        Ok(())
    }));
    assert!(result.is_ok());
}

#[test]
fn a_spawn_is_refused_by_a_closed_pool_and_leaves_nothing_behind() {
    for limit in [None, Some(1)] {
        let pool = pool(1);
        pool.close();
        let mut builder = TaskGroup::<BoxError>::builder(&pool);
        if let Some(limit) = limit {
            builder = builder.max_concurrency(limit);
        }
        block_on(builder.scope(async |group| {
            for _ in 0..3 {
                let error = group.spawn(|| async { Ok(7) }).unwrap_err();
                assert!(error.is_closed() && error.refusal().is_none());
                assert_eq!(error.to_string(), "the child was not spawned: the pool is closed");
                assert_eq!(error.into_factory()().await.unwrap(), 7);
            }
            Ok(())
        }))
        .unwrap();
    }
}

#[test]
fn a_spawn_is_refused_by_a_full_pool_and_gives_its_place_in_the_limit_back() {
    for limit in [None, Some(1)] {
        let pool = LoopPool::builder().threads(1).capacity(0).build().unwrap();
        let mut builder = TaskGroup::<BoxError>::builder(&pool);
        if let Some(limit) = limit {
            builder = builder.max_concurrency(limit);
        }
        block_on(builder.scope(async |group| {
            for _ in 0..3 {
                let error = group.spawn(|| async { Ok(7) }).unwrap_err();
                assert!(error.is_full());
                assert_eq!(error.into_factory()().await.unwrap(), 7);
            }
            Ok(())
        }))
        .unwrap();
    }
}

#[test]
fn spawn_on_runs_on_that_loop() {
    let pool = LoopPool::builder().threads(3).name("p").build().unwrap();
    for limit in [100, 1] {
        let names = block_on(TaskGroup::<BoxError>::builder(&pool).max_concurrency(limit).scope(
            async |group| {
                let mut names = Vec::new();
                let handles: Vec<_> = (0..9)
                    .map(|i| {
                        group.spawn_on(i % 3, || async {
                            yield_now().await;
                            Ok(std::thread::current().name().unwrap().to_owned())
                        })
                    })
                    .collect::<Result<_, _>>()?;
                for handle in handles {
                    names.push(handle.await?);
                }
                let error = group.spawn_on(3, || async { Ok(()) }).unwrap_err();
                assert!(
                    error
                        .to_string()
                        .ends_with("there is no worker 3, the pool has 3, numbered from 0")
                );
                Ok(names)
            },
        ));
        let expected: Vec<_> = (0..9).map(|i| format!("p-{}", i % 3)).collect();
        assert_eq!(names.unwrap(), expected);
    }
}
