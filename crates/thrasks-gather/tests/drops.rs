//! Gathers that are dropped, fail or panic at random points, inside of a group: whatever happens,
//! nothing is alive when the group has ended.
#![cfg(not(thrasks_loom))]

mod common;

use std::{future::pending, panic, pin::pin, sync::Once};

use common::{Alive, BoxError, pool};
use futures_lite::future::{block_on, poll_once, yield_now};
use proptest::prelude::*;
use thrasks_gather::{gather_settled, try_gather};
use thrasks_group::TaskGroup;
use thrasks_loop::LoopPool;

#[derive(Debug, Clone)]
enum Job {
    Yield(u8),
    Forever,
    Fail,
    Panic,
    /// A gather of these, dropped after so many polls.
    Gather(Vec<Job>, Gathering),
}

#[derive(Debug, Clone, Copy)]
struct Gathering {
    settled: bool,
    limit: Option<usize>,
    polls: u8,
}

fn jobs() -> impl Strategy<Value = Vec<Job>> {
    let leaf = prop_oneof![
        6 => (0..20u8).prop_map(Job::Yield),
        1 => Just(Job::Forever),
        1 => Just(Job::Fail),
        1 => Just(Job::Panic),
    ];
    let job = leaf.prop_recursive(3, 60, 8, |job| {
        (prop::collection::vec(job, 0..8), gathering())
            .prop_map(|(jobs, gathering)| Job::Gather(jobs, gathering))
    });
    prop::collection::vec(job, 0..12)
}

fn gathering() -> impl Strategy<Value = Gathering> {
    (any::<bool>(), prop::option::of(1..5usize), any::<u8>())
        .prop_map(|(settled, limit, polls)| Gathering { settled, limit, polls })
}

async fn perform(job: Job, pool: LoopPool, alive: Alive) -> Result<(), ()> {
    let _guard = alive.guard();
    match job {
        Job::Yield(times) => {
            for _ in 0..times {
                yield_now().await;
            }
        }
        Job::Forever => pending().await,
        Job::Fail => return Err(()),
        Job::Panic => panic!("planned"),
        Job::Gather(jobs, gathering) => Box::pin(run(jobs, gathering, pool, alive)).await,
    }
    Ok(())
}

async fn run(jobs: Vec<Job>, gathering: Gathering, pool: LoopPool, alive: Alive) {
    let jobs = jobs.into_iter().map(|job| {
        let (guard, pool, alive) = (alive.guard(), pool.clone(), alive.clone());
        move || async move {
            let _guard = guard;
            perform(job, pool, alive).await
        }
    });
    let gather = async {
        if gathering.settled {
            let mut gather = gather_settled(&pool, jobs);
            if let Some(limit) = gathering.limit {
                gather = gather.limit(limit);
            }
            gather.await;
        } else {
            let mut gather = try_gather(&pool, jobs);
            if let Some(limit) = gathering.limit {
                gather = gather.limit(limit);
            }
            let _ = gather.await;
        }
    };
    let mut gather = pin!(gather);
    for _ in 0..gathering.polls {
        if poll_once(&mut gather).await.is_some() {
            break;
        }
        yield_now().await;
    }
}

/// The planned panics are many; they need not all be printed.
fn quiet() {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref() != Some(&"planned") {
                before(info);
            }
        }));
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..<_>::default() })]
    #[test]
    fn nothing_is_alive_when_the_group_around_it_has_ended(
        jobs in jobs(),
        gathering in gathering(),
        threads in 1..4usize,
    ) {
        quiet();
        let (pool, alive) = (pool(threads), Alive::default());
        let result = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
            let (pool, alive) = (pool.clone(), alive.clone());
            group.spawn(move || async move {
                run(jobs, gathering, pool, alive).await;
                Ok(())
            })?;
            Ok(())
        }));
        prop_assert!(result.is_ok());
        prop_assert_eq!(alive.now(), 0);
    }
}
