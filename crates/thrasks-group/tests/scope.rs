//! When a scope ends, and what it gives.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    cell::Cell,
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use common::{Alive, BoxError, Latch, PanicOnDrop, pool};
use futures_lite::future::{block_on, or, poll_once, yield_now};
use thrasks_group::{ChildError, Failure, GroupError, Panic, TaskGroup};

fn texts<E: std::fmt::Display>(error: &GroupError<E>) -> Vec<String> {
    error.failures().iter().map(ToString::to_string).collect()
}

#[test]
fn gives_the_value_of_the_body_and_of_the_children() {
    let pool = pool(2);
    let sum = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let handles = (0..10).map(|i| group.spawn(move || async move { Ok(i) }));
        let handles = handles.collect::<Result<Vec<_>, _>>()?;
        let mut sum = 0;
        for handle in handles {
            sum += handle.await?;
        }
        Ok(sum)
    }));
    assert_eq!(sum.unwrap(), 45);
}

#[test]
fn ends_after_every_child() {
    let (pool, alive, latch) = (pool(2), Alive::default(), Latch::default());
    block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        for _ in 0..10 {
            let (guard, latch) = (alive.guard(), latch.clone());
            group.spawn(move || async move {
                let _guard = guard;
                latch.wait().await;
                Ok(())
            })?;
        }
        // After the body: the scope must be waiting by then for this to mean anything.
        let latch = latch.clone();
        group.spawn(move || async move {
            for _ in 0..100 {
                yield_now().await;
            }
            latch.open();
            Ok(())
        })?;
        Ok(())
    }))
    .unwrap();
    assert_eq!(alive.now(), 0);
}

#[test]
fn every_handle_is_finished_when_the_scope_is_over() {
    let pool = pool(2);
    for _ in 0..100 {
        let handles = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
            (0..10)
                .map(|i| Ok(group.spawn(move || async move { Ok(i) })?))
                .collect::<Result<Vec<_>, BoxError>>()
        }))
        .unwrap();
        for (i, handle) in handles.into_iter().enumerate() {
            assert!(handle.is_finished());
            assert_eq!(block_on(poll_once(handle)), Some(Ok(i)));
        }
    }
}

#[test]
fn runs_futures_that_are_not_send() {
    let pool = pool(2);
    let value = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let child = group.spawn(|| {
            let cell = Rc::new(Cell::new(1));
            async move {
                let other = cell.clone();
                yield_now().await;
                other.set(cell.get() + 1);
                Ok(cell.get())
            }
        })?;
        Ok(child.await?)
    }));
    assert_eq!(value.unwrap(), 2);
}

#[test]
fn the_first_error_cancels_the_siblings_and_the_body() {
    let (pool, alive) = (pool(2), Alive::default());
    let result = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let _body = alive.guard();
        for _ in 0..5 {
            let guard = alive.guard();
            group.spawn(move || async move {
                let _guard = guard;
                pending::<()>().await;
                Ok(())
            })?;
        }
        group.spawn(|| async { Err::<(), _>("broke".into()) })?;
        pending::<()>().await;
        Ok(())
    }));
    assert_eq!(texts(&result.unwrap_err()), ["broke"]);
    assert_eq!(alive.now(), 0);
}

#[test]
fn an_error_of_the_body_cancels_the_children_and_comes_last() {
    let (pool, alive) = (pool(2), Alive::default());
    let result = block_on(TaskGroup::scope(&pool, async |group| {
        let started = Latch::default();
        let (guard, latch) = (alive.guard(), started.clone());
        group
            .spawn(move || async move {
                let _guard = guard;
                latch.open();
                pending::<Result<(), &str>>().await
            })
            .unwrap();
        started.wait().await;
        Err::<(), _>("body")
    }));
    assert_eq!(texts(&result.unwrap_err()), ["body"]);
    assert_eq!(alive.now(), 0);
}

#[test]
fn all_failures_are_told_in_the_order_of_spawning_and_the_body_last() {
    let pool = pool(3);
    for _ in 0..50 {
        let result: Result<(), GroupError<BoxError>> =
            block_on(TaskGroup::builder(&pool).collect_errors().scope(async |group| {
                for i in 0..20 {
                    group.spawn(move || async move {
                        if i % 3 == 0 {
                            yield_now().await;
                        }
                        match i {
                            5 => panic!("5"),
                            i if i % 2 == 0 => Ok(()),
                            i => Err(i.to_string().into()),
                        }
                    })?;
                }
                Err("body".into())
            }));
        let odd =
            ["1", "3", "the task panicked: 5", "7", "9", "11", "13", "15", "17", "19", "body"];
        assert_eq!(texts(&result.unwrap_err()), odd);
    }
}

#[test]
fn collecting_errors_lets_siblings_and_body_go_on() {
    let (pool, failed) = (pool(2), Latch::default());
    let mut body_went_on = false;
    let result =
        block_on(TaskGroup::<BoxError>::builder(&pool).collect_errors().scope(async |group| {
            let bad = group.spawn(|| async { Err::<(), _>("bad".into()) })?;
            let latch = failed.clone();
            let good = group.spawn(move || async move {
                latch.wait().await;
                Ok(7)
            })?;
            assert_eq!(bad.await, Err(ChildError::Failed));
            failed.open();
            assert_eq!(good.await, Ok(7));
            body_went_on = true;
            Ok(())
        }));
    assert_eq!(texts(&result.unwrap_err()), ["bad"]);
    assert!(body_went_on);
}

#[test]
fn a_cancelled_child_is_no_error_and_its_siblings_go_on() {
    let (pool, alive) = (pool(2), Alive::default());
    block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let (started, guard) = (Latch::default(), alive.guard());
        let latch = started.clone();
        let running = group.spawn(move || async move {
            let _guard = guard;
            latch.open();
            pending::<Result<(), _>>().await
        })?;
        let sibling = group.spawn(|| async { Ok(7) })?;
        started.wait().await;
        running.cancel();
        assert_eq!(running.await, Err(ChildError::Cancelled));
        assert_eq!(alive.now(), 0);
        assert_eq!(sibling.await, Ok(7));
        Ok(())
    }))
    .unwrap();
}

#[test]
fn a_child_cancelled_before_its_start_never_runs() {
    let pool = pool(1);
    block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let blocker = group.spawn(move || async move {
            let _ = blocked.recv();
            Ok(())
        })?;
        let child = group.spawn(|| -> std::future::Ready<Result<(), _>> { panic!("started") })?;
        child.cancel();
        drop(release);
        assert_eq!(blocker.await, Ok(()));
        assert_eq!(child.await, Err(ChildError::Cancelled));
        Ok(())
    }))
    .unwrap();
}

#[test]
fn dropping_a_handle_does_not_cancel_but_drops_the_value_with_the_child() {
    let (pool, alive) = (pool(2), Alive::default());
    let done = Latch::default();
    block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        for _ in 0..10 {
            let (guard, done) = (alive.guard(), done.clone());
            drop(group.spawn(move || async move {
                yield_now().await;
                done.open();
                Ok(guard)
            })?);
        }
        Ok(())
    }))
    .unwrap();
    assert!(done.is_open());
    assert_eq!(alive.now(), 0);
}

#[test]
fn a_value_is_kept_by_its_handle_alone() {
    let (pool, alive) = (pool(1), Alive::default());
    block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let guard = alive.guard();
        let mut handle = group.spawn(move || async move { Ok(guard) })?;
        let value = (&mut handle).await?;
        assert_eq!(alive.now(), 1);
        drop(value);
        assert_eq!(alive.now(), 0);

        let guard = alive.guard();
        let handle = group.spawn(move || async move { Ok(guard) })?;
        while !handle.is_finished() {
            yield_now().await;
        }
        assert_eq!(alive.now(), 1);
        drop(handle);
        assert_eq!(alive.now(), 0);
        Ok(())
    }))
    .unwrap();
}

#[test]
fn cancelling_the_group_drops_the_body_and_is_told_without_failures() {
    let (pool, alive) = (pool(2), Alive::default());
    let result = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let _body = alive.guard();
        let guard = alive.guard();
        let canceller = group.clone();
        group.spawn(move || async move {
            let _guard = guard;
            canceller.cancel();
            pending::<Result<(), _>>().await
        })?;
        pending::<()>().await;
        Ok(())
    }));
    assert!(result.unwrap_err().is_cancelled());
    assert_eq!(alive.now(), 0);
}

#[test]
fn cancelling_the_group_after_its_body_keeps_the_value_of_the_body() {
    let pool = pool(2);
    let result = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let canceller = group.clone();
        group.spawn(move || async move {
            for _ in 0..100 {
                yield_now().await;
            }
            canceller.cancel();
            pending::<Result<(), _>>().await
        })?;
        Ok(7)
    }));
    assert_eq!(result.unwrap(), 7);
}

#[test]
fn a_group_cancelled_before_it_runs_never_calls_its_body() {
    let pool = pool(1);
    let group = TaskGroup::<BoxError>::new(&pool);
    group.cancel();
    let result = block_on(group.run(async |_| -> Result<(), BoxError> { panic!("called") }));
    assert!(result.unwrap_err().is_cancelled());
    block_on(group.ended());
}

#[test]
fn cancelling_twice_and_after_the_end_does_nothing() {
    let pool = pool(1);
    let group = TaskGroup::<BoxError>::new(&pool);
    let result = block_on(group.run(async |group| {
        group.cancel();
        group.cancel();
        Ok(7)
    }));
    assert_eq!(result.unwrap(), 7);
    group.cancel();
}

#[test]
fn a_panic_of_a_child_is_an_error_with_its_payload() {
    let (pool, alive) = (pool(2), Alive::default());
    let result = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let guard = alive.guard();
        group.spawn(move || async move {
            let _guard = guard;
            pending::<Result<(), _>>().await
        })?;
        group.spawn::<_, _, ()>(|| async { std::panic::panic_any(42) })?;
        pending::<()>().await;
        Ok(())
    }));
    assert_eq!(alive.now(), 0);
    let mut failures = result.unwrap_err().into_failures();
    let Some(Failure::Panicked(panic)) = failures.pop() else { panic!("{failures:?}") };
    assert_eq!(panic.into_payload().downcast_ref(), Some(&42));
    assert!(failures.is_empty());
}

#[test]
fn a_panic_of_a_factory_is_an_error() {
    let pool = pool(1);
    let result = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let child = group.spawn(|| -> std::future::Ready<Result<(), _>> { panic!("factory") })?;
        assert_eq!(child.await, Err(ChildError::Panicked));
        Ok(())
    }));
    assert_eq!(texts(&result.unwrap_err())[0], "the task panicked: factory");
}

#[test]
fn a_panic_in_the_drop_of_a_future_is_an_error_whether_it_returned_or_was_cancelled() {
    let pool = pool(1);
    for cancelled in [false, true] {
        let result = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
            let started = Latch::default();
            let latch = started.clone();
            let child = group.spawn(move || {
                let bomb = PanicOnDrop;
                async move {
                    // Moved in, and dropped with the future rather than in its last poll.
                    let _bomb = &bomb;
                    latch.open();
                    match cancelled {
                        true => pending().await,
                        false => Ok(()),
                    }
                }
            })?;
            started.wait().await;
            if cancelled {
                child.cancel();
            }
            pending::<()>().await;
            Ok(())
        }));
        assert_eq!(texts(&result.unwrap_err()), ["the task panicked: dropped"]);
    }
    // The loop is alive.
    assert!(
        block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
            Ok(group.spawn(|| async { Ok(1) })?.await?)
        }))
        .is_ok()
    );
}

#[test]
fn a_panic_in_the_drop_of_an_unwanted_value_is_an_error() {
    let pool = pool(1);
    let result = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let unwanted = Latch::default();
        let latch = unwanted.clone();
        drop(group.spawn(move || async move {
            latch.wait().await;
            Ok(PanicOnDrop)
        })?);
        unwanted.open();
        Ok(())
    }));
    assert_eq!(texts(&result.unwrap_err()), ["the task panicked: dropped"]);
}

#[test]
fn a_panic_of_the_body_goes_on_after_every_child_has_ended() {
    for collect in [false, true] {
        let (pool, alive) = (pool(2), Alive::default());
        let panic = Panic::catch(|| {
            let mut builder = TaskGroup::<BoxError>::builder(&pool);
            if collect {
                builder = builder.collect_errors();
            }
            block_on(builder.scope(async |group| {
                for _ in 0..5 {
                    let guard = alive.guard();
                    group.spawn(move || async move {
                        let _guard = guard;
                        pending::<Result<(), _>>().await
                    })?;
                }
                yield_now().await;
                if alive.now() == 5 {
                    panic!("body");
                }
                Ok(())
            }))
        });
        assert_eq!(panic.unwrap_err().message().as_deref(), Some("body"));
        assert_eq!(alive.now(), 0);
    }
}

#[test]
fn a_panic_in_the_drop_of_an_aborted_body_goes_on_after_every_child_has_ended() {
    let (pool, alive) = (pool(2), Alive::default());
    let panic = Panic::catch(|| {
        block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
            let _bomb = PanicOnDrop;
            let guard = alive.guard();
            group.spawn(move || async move {
                let _guard = guard;
                pending::<Result<(), _>>().await
            })?;
            group.cancel();
            pending::<()>().await;
            Ok(())
        }))
    });
    assert_eq!(panic.unwrap_err().message().as_deref(), Some("dropped"));
    assert_eq!(alive.now(), 0);
}

#[test]
fn resume_panic_gives_the_panic_of_the_child_to_the_caller() {
    let pool = pool(1);
    let error = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        group.spawn::<_, _, ()>(|| async { panic!("child") })?;
        Ok(())
    }))
    .unwrap_err();
    let resumed = catch_unwind(AssertUnwindSafe(|| error.resume_panic())).unwrap_err();
    assert_eq!(resumed.downcast_ref(), Some(&"child"));
}

#[test]
fn a_dropped_scope_cancels_its_children_and_ended_waits_for_them() {
    let (pool, alive) = (pool(2), Alive::default());
    let group = TaskGroup::<BoxError>::new(&pool);
    let scope = group.run(async |group| {
        for _ in 0..5 {
            let guard = alive.guard();
            group.spawn(move || async move {
                let _guard = guard;
                pending::<Result<(), _>>().await
            })?;
        }
        Ok(())
    });
    block_on(async {
        assert!(poll_once(scope).await.is_none());
        group.ended().await;
    });
    assert_eq!(alive.now(), 0);
}

#[test]
fn a_scope_dropped_before_its_first_poll_ends_the_group() {
    let pool = pool(1);
    let group = TaskGroup::<BoxError>::new(&pool);
    drop(group.run(async |_| Ok(())));
    block_on(group.ended());
    assert!(group.spawn(|| async { Ok(()) }).unwrap_err().refusal().is_some());
}

#[test]
fn cancelled_from_outside_the_scope_still_waits() {
    let (pool, alive) = (pool(2), Alive::default());
    let group = TaskGroup::<BoxError>::new(&pool);
    let scope = group.run(async |group| {
        for _ in 0..5 {
            let guard = alive.guard();
            group.spawn(move || async move {
                let _guard = guard;
                pending::<Result<(), _>>().await
            })?;
        }
        pending::<()>().await;
        Ok(())
    });
    let result = block_on(or(scope, async {
        yield_now().await;
        group.cancel();
        pending().await
    }));
    assert!(result.unwrap_err().is_cancelled());
    assert_eq!(alive.now(), 0);
}

#[test]
fn a_pool_that_ends_under_the_group_is_a_failure_and_no_hang() {
    let (pool, alive) = (pool(2), Alive::default());
    let result = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
        let started = Latch::default();
        let (guard, latch) = (alive.guard(), started.clone());
        group.spawn(move || async move {
            let _guard = guard;
            latch.open();
            pending::<Result<(), _>>().await
        })?;
        started.wait().await;
        let pool = group.pool().clone();
        std::thread::spawn(move || pool.shutdown(std::time::Duration::ZERO));
        pending::<()>().await;
        Ok(())
    }));
    let failures = result.unwrap_err().into_failures();
    assert!(matches!(failures[..], [Failure::Lost]), "{failures:?}");
    assert_eq!(alive.now(), 0);
}
