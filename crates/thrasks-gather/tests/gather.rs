//! What a gather gives, and what has ended by then.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    cell::Cell,
    future::{Future, IntoFuture, pending},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use common::{Alive, BoxError, Latch, PanicOnDrop, pool};
use futures_lite::future::{block_on, poll_once, yield_now};
use thrasks_gather::{Failure, gather, gather_settled, try_gather};
use thrasks_group::TaskGroup;
use thrasks_loop::LoopPool;
use thrasks_sched::{PerWorker, place_fn};

fn run<G: IntoFuture>(gather: G) -> G::Output {
    block_on(gather.into_future())
}

#[test]
fn results_are_in_the_order_of_the_factories() {
    let pool = pool(3);
    for n in [0, 1, 2, 100, 5000] {
        let jobs = (0..n).map(|i| {
            move || async move {
                for _ in 0..(n - i) % 5 {
                    yield_now().await;
                }
                i
            }
        });
        let expected: Vec<_> = (0..n).collect();
        assert_eq!(run(gather(&pool, jobs.clone())).unwrap(), expected);
        assert_eq!(run(gather(&pool, jobs.clone()).limit(3)).unwrap(), expected);
        let ok = jobs.clone().map(|job| move || async move { Ok::<_, ()>(job().await) });
        assert_eq!(run(try_gather(&pool, ok.clone())).unwrap(), expected);
        assert_eq!(run(try_gather(&pool, ok).limit(7)).unwrap(), expected);
        let settled = run(gather_settled(&pool, jobs).limit(1));
        assert_eq!(settled.into_iter().map(Result::unwrap).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn nothing_gives_an_empty_vec_even_on_a_closed_pool() {
    let pool = pool(1);
    pool.close();
    let none = std::iter::empty::<fn() -> std::future::Ready<u8>>;
    assert!(run(gather(&pool, none())).unwrap().is_empty());
    assert!(run(gather(&pool, none()).limit(3)).unwrap().is_empty());
    assert!(run(gather_settled(&pool, none())).is_empty());
}

#[test]
fn runs_futures_that_are_not_send() {
    let pool = pool(2);
    let values = run(gather(
        &pool,
        (0..10).map(|i| {
            move || {
                let cell = Rc::new(Cell::new(i));
                async move {
                    let other = cell.clone();
                    yield_now().await;
                    other.set(cell.get() * 2);
                    cell.get()
                }
            }
        }),
    ));
    assert_eq!(values.unwrap(), (0..10).map(|i| i * 2).collect::<Vec<_>>());
}

#[test]
fn the_first_error_cancels_the_rest_which_have_ended_when_it_is_there() {
    for limit in [None, Some(10)] {
        let (pool, alive) = (pool(3), Alive::default());
        let jobs = (0..50).map(|i| {
            let guard = alive.guard();
            move || async move {
                let _guard = guard;
                match i {
                    5 => Err("five"),
                    _ => pending::<Result<(), _>>().await,
                }
            }
        });
        let mut gather = try_gather(&pool, jobs);
        if let Some(limit) = limit {
            gather = gather.limit(limit);
        }
        assert_eq!(run(gather).unwrap_err().into_error().unwrap(), "five");
        assert_eq!(alive.now(), 0);
    }
}

#[test]
fn the_error_is_the_first_in_time_not_in_order() {
    let (pool, latch) = (pool(1), Latch::default());
    let jobs = [1, 0].map(|turn| {
        let latch = latch.clone();
        move || async move {
            if turn == 0 {
                latch.open();
            } else {
                latch.wait().await;
            }
            Err::<(), _>(turn)
        }
    });
    assert_eq!(run(try_gather(&pool, jobs)).unwrap_err().into_error().unwrap(), 0);
}

#[test]
fn an_error_keeps_tasks_that_have_not_started_from_starting() {
    let pool = pool(1);
    let started = Arc::new(AtomicUsize::new(0));
    let jobs = (0..3000).map(|_| {
        let started = started.clone();
        move || async move {
            started.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(())
        }
    });
    assert!(run(try_gather(&pool, jobs)).is_err());
    assert_eq!(started.load(Ordering::Relaxed), 1);
}

#[test]
fn a_panic_is_a_failure_and_cancels_the_rest() {
    let (pool, alive) = (pool(2), Alive::default());
    for at in ["factory", "future", "drop"] {
        let jobs = (0..10).map(|i| {
            let guard = alive.guard();
            move || {
                if i == 3 && at == "factory" {
                    panic!("factory");
                }
                let bomb = (i == 3 && at == "drop").then(|| PanicOnDrop);
                async move {
                    let (_guard, _bomb) = (guard, &bomb);
                    if i != 3 {
                        pending::<()>().await;
                    }
                    assert!(at != "future", "future");
                }
            }
        });
        let failure = run(gather(&pool, jobs)).unwrap_err();
        assert!(failure.is_panic(), "{failure}");
        let expected = if at == "drop" { "dropped" } else { at };
        assert_eq!(failure.to_string(), format!("the task panicked: {expected}"));
        assert_eq!(alive.now(), 0);
    }
    assert_eq!(run(gather(&pool, [|| async { 1 }])).unwrap(), [1]);
}

#[test]
fn settled_gives_every_outcome_and_cancels_nothing() {
    let pool = pool(2);
    for limit in [None, Some(2)] {
        let mut gather = gather_settled(
            &pool,
            (0..6).map(|i| {
                move || async move {
                    yield_now().await;
                    match i % 3 {
                        0 => Ok(i),
                        1 => Err("odd"),
                        _ => panic!("{i}"),
                    }
                }
            }),
        );
        if let Some(limit) = limit {
            gather = gather.limit(limit);
        }
        let outcomes = run(gather);
        let shown: Vec<_> = outcomes
            .into_iter()
            .map(|outcome| outcome.map_err(|failure| failure.to_string()))
            .collect();
        let panicked = |i| Err(format!("the task panicked: {i}"));
        let expected =
            [Ok(Ok(0)), Ok(Err("odd")), panicked(2), Ok(Ok(3)), Ok(Err("odd")), panicked(5)];
        assert_eq!(shown, expected);
    }
}

#[test]
fn a_dropped_gather_cancels_its_tasks() {
    for limit in [None, Some(4)] {
        let (pool, alive) = (pool(2), Alive::default());
        let idle = Latch::default();
        let jobs = (0..3000).map(|_| {
            let guard = alive.guard();
            move || async move {
                let _guard = guard;
                pending::<()>().await;
            }
        });
        let mut gather = gather(&pool, jobs);
        if let Some(limit) = limit {
            gather = gather.limit(limit);
        }
        assert!(block_on(poll_once(gather.into_future())).is_none());
        // Each loop drops its tasks on its own: a task behind them finds nothing left, in a while.
        block_on(async {
            let (alive, latch) = (alive.clone(), idle.clone());
            pool.spawn(move || async move {
                while alive.now() > 0 {
                    yield_now().await;
                }
                latch.open();
            })
            .await
            .unwrap()
            .await
            .unwrap();
        });
        assert!(idle.is_open());
    }
}

#[test]
fn a_gather_dropped_inside_a_group_is_waited_for_by_the_group() {
    for limit in [None, Some(3)] {
        let (pool, alive, started) = (pool(3), Alive::default(), Latch::default());
        let result = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
            let (inner, alive, latch) = (pool.clone(), alive.clone(), started.clone());
            group.spawn(move || async move {
                let jobs = (0..100).map(|_| {
                    let (guard, latch) = (alive.guard(), latch.clone());
                    move || async move {
                        let _guard = guard;
                        latch.open();
                        pending::<()>().await;
                    }
                });
                let mut gather = gather(&inner, jobs);
                if let Some(limit) = limit {
                    gather = gather.limit(limit);
                }
                gather.await.unwrap();
                Ok(())
            })?;
            started.wait().await;
            Err::<(), _>("broke".into())
        }));
        assert_eq!(alive.now(), 0);
        assert_eq!(result.unwrap_err().to_string(), "broke");
    }
}

#[test]
fn a_gather_waits_for_what_its_cancelled_tasks_had_running_in_groups() {
    let (pool, alive, started) = (pool(3), Alive::default(), Latch::default());
    let jobs = (0..2).map(|i| {
        let (inner, alive, latch) = (pool.clone(), alive.clone(), started.clone());
        move || async move {
            if i == 0 {
                latch.wait().await;
                return Err("broke");
            }
            let scope = TaskGroup::<BoxError>::scope(&inner, async |group| {
                for _ in 0..20 {
                    let guard = alive.guard();
                    group.spawn(move || async move {
                        let _guard = guard;
                        pending::<Result<(), _>>().await
                    })?;
                }
                latch.open();
                Ok(())
            });
            scope.await.unwrap();
            Ok(())
        }
    });
    assert_eq!(run(try_gather(&pool, jobs)).unwrap_err().to_string(), "broke");
    assert_eq!(alive.now(), 0);
}

#[test]
fn a_closed_pool_rejects_every_task_and_says_so() {
    let pool = pool(1);
    pool.close();
    for limit in [None, Some(2)] {
        let jobs = || (0..5000).map(|i| move || async move { i });
        let (mut all, mut settled) = (gather(&pool, jobs()), gather_settled(&pool, jobs()));
        if let Some(limit) = limit {
            (all, settled) = (all.limit(limit), settled.limit(limit));
        }
        let failure = run(all).unwrap_err();
        assert_eq!(failure.to_string(), "the task was not started: the scheduler is closed");
        let outcomes = run(settled);
        assert_eq!(outcomes.len(), 5000);
        assert!(outcomes.iter().all(|o| matches!(o, Err(Failure::Rejected(_)))));
    }
}

#[test]
fn a_pool_closed_meanwhile_rejects_the_rest_without_a_recursion() {
    let (pool, latch) = (pool(1), Latch::default());
    let jobs = (0..20_000).map(|i| {
        let latch = latch.clone();
        move || async move {
            latch.wait().await;
            i
        }
    });
    let mut gather = gather_settled(&pool, jobs).limit(10_000).into_future();
    let outcomes = block_on(async {
        assert!(poll_once(&mut gather).await.is_none());
        pool.close();
        latch.open();
        gather.await
    });
    assert_eq!(outcomes.len(), 20_000);
    // Those that the loop had taken went on; nothing else hangs.
    assert!(matches!(outcomes.last(), Some(Err(Failure::Rejected(_)))));
}

#[test]
fn a_placement_that_fails_rejects_its_task_alone() {
    let calls = AtomicUsize::new(0);
    let pool = LoopPool::builder()
        .threads(2)
        .scheduler(move |threads| {
            let place = place_fn(move |_, _| match calls.fetch_add(1, Ordering::Relaxed) {
                3 => Ok(9),
                5 => Err("no idea".into()),
                call => Ok(call % 2),
            });
            PerWorker::new(threads, place)
        })
        .build()
        .unwrap();
    let outcomes = run(gather_settled(&pool, (0..8).map(|i| move || async move { i })));
    for (i, outcome) in outcomes.iter().enumerate() {
        match (i, outcome) {
            (3, Err(failure)) => assert!(failure.to_string().contains("worker 9"), "{failure}"),
            (5, Err(failure)) => assert!(failure.to_string().ends_with("no idea"), "{failure}"),
            (i, outcome) => assert_eq!(*outcome.as_ref().unwrap(), i),
        }
    }
}

#[test]
fn a_pool_that_ends_meanwhile_is_a_failure_and_no_hang() {
    for limit in [None, Some(2)] {
        let (pool, started) = (pool(2), Latch::default());
        let jobs = (0..100).map(|_| {
            let latch = started.clone();
            move || async move {
                latch.open();
                pending::<()>().await;
            }
        });
        let mut gather = gather(&pool, jobs);
        if let Some(limit) = limit {
            gather = gather.limit(limit);
        }
        let (ending, seen) = (pool.clone(), started.clone());
        let ender = std::thread::spawn(move || {
            block_on(seen.wait());
            ending.shutdown(Duration::ZERO);
        });
        let failure = run(gather).unwrap_err();
        assert!(matches!(failure, Failure::Lost | Failure::Rejected(_)), "{failure}");
        ender.join().unwrap();
    }
}

#[test]
fn a_gather_inside_a_task_of_the_same_single_thread_does_not_deadlock() {
    let pool = pool(1);
    let inner = pool.clone();
    let sums = run(gather(
        &pool,
        (0..4u64).map(|i| {
            let pool = inner.clone();
            move || async move {
                let jobs = (0..4).map(|j| move || async move { i * j });
                gather(&pool, jobs).limit(2).await.unwrap().into_iter().sum::<u64>()
            }
        }),
    ));
    assert_eq!(sums.unwrap(), [0, 6, 12, 18]);
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_waiter_is_woken_once() {
    let (pool, alive, latch) = (pool(2), Alive::default(), Latch::default());
    let jobs = (0..1000).map(|_| {
        let (guard, latch) = (alive.guard(), latch.clone());
        move || async move {
            let _guard = guard;
            latch.wait().await;
        }
    });
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    let mut gather = std::pin::pin!(gather(&pool, jobs).into_future());
    assert!(gather.as_mut().poll(&mut cx).is_pending());
    latch.open();
    while count.0.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    assert_eq!(alive.now(), 0);
    assert!(matches!(gather.as_mut().poll(&mut cx), Poll::Ready(Ok(_))));
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
}

#[test]
fn a_hundred_thousand_tasks() {
    let pool = pool(2);
    let n = 100_000u64;
    let values = run(gather(&pool, (0..n).map(|i| move || async move { i }))).unwrap();
    assert_eq!(values.into_iter().sum::<u64>(), n * (n - 1) / 2);
}

#[test]
#[should_panic(expected = "a gather was polled after it was ready")]
fn polling_after_the_end_panics() {
    let pool = pool(1);
    let mut gather = gather(&pool, [|| async { 1 }]).into_future();
    let _ = block_on(&mut gather);
    let _ = block_on(&mut gather);
}
