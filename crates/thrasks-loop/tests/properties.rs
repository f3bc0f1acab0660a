//! Whatever is done to it, a pool gives every task one outcome, the right one, and counts it.
#![cfg(not(thrasks_loom))]

mod common;

use std::time::Duration;

use common::{LONG, block_on};
use futures_lite::future::yield_now;
use proptest::prelude::*;
use thrasks_loop::{JoinError, JoinHandle, LoopPool};
use thrasks_sched::{LeastLoaded, Queue, RoundRobin};

#[derive(Debug, Clone, Copy)]
enum Kind {
    Ready,
    Yields(u8),
    Panics(u8),
    Pending,
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Awaited,
    Cancelled,
    Detached,
    Dropped,
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => Just(Kind::Ready),
        3 => (0..5_u8).prop_map(Kind::Yields),
        2 => (0..3_u8).prop_map(Kind::Panics),
        1 => Just(Kind::Pending),
    ]
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Awaited),
        2 => Just(Fate::Cancelled),
        1 => Just(Fate::Detached),
        1 => Just(Fate::Dropped),
    ]
}

fn pool(scheduler: u8, threads: usize, capacity: Option<usize>) -> LoopPool {
    let builder = LoopPool::builder().threads(threads);
    let builder = match capacity {
        Some(capacity) => builder.capacity(capacity),
        None => builder,
    };
    match scheduler {
        0 => builder.scheduler(Queue::new),
        1 => builder.scheduler(RoundRobin::new),
        _ => builder.scheduler(LeastLoaded::new),
    }
    .build()
    .unwrap()
}

async fn run(kind: Kind, number: usize) -> usize {
    match kind {
        Kind::Ready => {}
        Kind::Yields(times) => {
            for _ in 0..times {
                yield_now().await;
            }
        }
        Kind::Panics(after) => {
            for _ in 0..after {
                yield_now().await;
            }
            std::panic::resume_unwind(Box::new(number));
        }
        Kind::Pending => std::future::pending().await,
    }
    number
}

fn check(
    kind: Kind,
    fate: Fate,
    number: usize,
    outcome: Result<usize, JoinError>,
) -> Result<(), TestCaseError> {
    match (kind, outcome) {
        (Kind::Ready | Kind::Yields(_), Ok(value)) => prop_assert_eq!(value, number),
        (Kind::Panics(_), Err(error)) if error.is_panic() => {
            let payload = error.try_into_panic().unwrap();
            prop_assert_eq!(*payload.downcast::<usize>().unwrap(), number);
        }
        (_, Err(error)) if error.is_cancelled() => {
            prop_assert!(matches!(fate, Fate::Cancelled), "nobody cancelled {number}");
        }
        (_, outcome) => prop_assert!(false, "{kind:?} ended with {outcome:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_task_has_the_outcome_that_it_should(
        scheduler in 0..3_u8,
        threads in 1..4_usize,
        capacity in prop_oneof![Just(None), (1..4_usize).prop_map(Some)],
        tasks in prop::collection::vec((kinds(), fates(), prop::option::of(0..4_usize)), 0..60),
    ) {
        let pool = pool(scheduler, threads, capacity);
        let mut handles: Vec<(Kind, Fate, usize, JoinHandle<usize>)> = Vec::new();
        let mut spawned = 0;
        let mut forever = 0;
        for (number, (kind, fate, on)) in tasks.into_iter().enumerate() {
            let factory = move || run(kind, number);
            let handle = match on {
                Some(worker) => match pool.spawn_on(worker, factory) {
                    Ok(handle) => handle,
                    Err(error) => {
                        prop_assert!(worker >= threads || error.is_full());
                        continue;
                    }
                },
                None => block_on(pool.spawn(factory)).unwrap(),
            };
            spawned += 1;
            match (fate, kind) {
                (Fate::Cancelled, _) => {
                    handle.cancel();
                    handles.push((kind, fate, number, handle));
                }
                (Fate::Detached, kind) => {
                    forever += usize::from(matches!(kind, Kind::Pending));
                    handle.detach();
                }
                // For ever is too long to wait.
                (Fate::Dropped, _) | (Fate::Awaited, Kind::Pending) => drop(handle),
                (Fate::Awaited, _) => handles.push((kind, fate, number, handle)),
            }
        }
        for (kind, fate, number, handle) in handles {
            check(kind, fate, number, block_on(handle))?;
        }
        let patience = if forever == 0 { LONG } else { Duration::from_millis(200) };
        let report = pool.shutdown(patience);
        prop_assert!(report.unstopped.is_empty());
        prop_assert_eq!(report.cancelled, forever);
        prop_assert_eq!(report.completed, spawned - forever as u64);
    }
}
