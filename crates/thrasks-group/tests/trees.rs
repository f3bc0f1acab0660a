//! Random trees of groups, with failures, panics, cancels, children that spawn, and scopes that are
//! dropped anywhere: whatever happens, nothing is alive when the outermost one has ended.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    future::pending,
    panic,
    pin::{Pin, pin},
    sync::Once,
};

use common::{Alive, BoxError, pool};
use futures_lite::future::{block_on, or, poll_once, yield_now};
use proptest::prelude::*;
use thrasks_group::{GroupError, TaskGroup};

/// What a task does, one after another.
type Plan = Vec<Act>;

#[derive(Debug, Clone)]
enum Act {
    Yield(u8),
    Forever,
    Fail,
    Panic,
    CancelGroup,
    /// Spawns a sibling, and forgets or cancels it.
    Spawn(Plan, bool),
    /// Spawns a sibling and awaits it.
    Await(Plan),
    /// Runs a group with these children.
    Nest(Vec<Plan>, Options),
    /// Runs a group with these children, and drops it after so many polls.
    Abandon(Vec<Plan>, u8),
}

#[derive(Debug, Clone, Copy)]
struct Options {
    collect: bool,
    limit: Option<usize>,
}

/// How the outermost scope ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Cancel,
    Drop,
}

fn options() -> impl Strategy<Value = Options> {
    (any::<bool>(), prop::option::of(1..4usize))
        .prop_map(|(collect, limit)| Options { collect, limit })
}

fn plan() -> impl Strategy<Value = Plan> {
    let leaf = prop_oneof![
        6 => (0..20u8).prop_map(Act::Yield),
        2 => Just(Act::Forever),
        1 => Just(Act::Fail),
        1 => Just(Act::Panic),
        1 => Just(Act::CancelGroup),
    ];
    let act = leaf.prop_recursive(4, 40, 4, |act| {
        let plan = prop::collection::vec(act, 0..4);
        let plans = prop::collection::vec(plan.clone(), 0..4);
        prop_oneof![
            (plan.clone(), any::<bool>()).prop_map(|(plan, cancel)| Act::Spawn(plan, cancel)),
            plan.prop_map(Act::Await),
            (plans.clone(), options()).prop_map(|(plans, options)| Act::Nest(plans, options)),
            (plans, 0..10u8).prop_map(|(plans, polls)| Act::Abandon(plans, polls)),
        ]
    });
    prop::collection::vec(act, 0..6)
}

async fn nest(
    group: TaskGroup<BoxError>,
    plans: Vec<Plan>,
    alive: Alive,
) -> Result<(), GroupError<BoxError>> {
    let scope = group.run(async move |group| {
        let _guard = alive.guard();
        for plan in plans {
            spawn(&group, plan, &alive)?;
        }
        Ok(())
    });
    scope.await
}

fn spawn(
    group: &TaskGroup<BoxError>,
    plan: Plan,
    alive: &Alive,
) -> Result<thrasks_group::GroupHandle<()>, BoxError> {
    let (alive, clone, guard) = (alive.clone(), group.clone(), alive.guard());
    Ok(group.spawn(move || async move {
        let _guard = guard;
        perform(plan, clone, alive).await
    })?)
}

fn perform(
    plan: Plan,
    group: TaskGroup<BoxError>,
    alive: Alive,
) -> Pin<Box<dyn Future<Output = Result<(), BoxError>>>> {
    Box::pin(async move {
        let _guard = alive.guard();
        for act in plan {
            match act {
                Act::Yield(times) => {
                    for _ in 0..times {
                        yield_now().await;
                    }
                }
                Act::Forever => pending().await,
                Act::Fail => return Err("planned".into()),
                Act::Panic => panic!("planned"),
                Act::CancelGroup => group.cancel(),
                Act::Spawn(plan, cancel) => {
                    let handle = spawn(&group, plan, &alive)?;
                    if cancel {
                        handle.cancel();
                    }
                }
                Act::Await(plan) => spawn(&group, plan, &alive)?.await?,
                Act::Nest(plans, options) => {
                    nest(make(&group, options), plans, alive.clone()).await?;
                }
                Act::Abandon(plans, polls) => {
                    let options = Options { collect: false, limit: None };
                    let mut inner = pin!(nest(make(&group, options), plans, alive.clone()));
                    for _ in 0..polls {
                        if poll_once(&mut inner).await.is_some() {
                            break;
                        }
                        yield_now().await;
                    }
                }
            }
        }
        Ok(())
    })
}

fn make(outer: &TaskGroup<BoxError>, options: Options) -> TaskGroup<BoxError> {
    let mut builder = TaskGroup::builder(outer.pool());
    if options.collect {
        builder = builder.collect_errors();
    }
    if let Some(limit) = options.limit {
        builder = builder.max_concurrency(limit);
    }
    builder.build()
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
    fn nothing_is_alive_when_the_outermost_scope_has_ended(
        plans in prop::collection::vec(plan(), 1..5),
        options in options(),
        threads in 1..4usize,
        patience in 0..200u32,
        end in prop_oneof![Just(End::Cancel), Just(End::Drop)],
    ) {
        quiet();
        let (pool, alive) = (pool(threads), Alive::default());
        let mut builder = TaskGroup::<BoxError>::builder(&pool);
        if options.collect {
            builder = builder.collect_errors();
        }
        if let Some(limit) = options.limit {
            builder = builder.max_concurrency(limit);
        }
        let group = builder.build();
        block_on(async {
            let impatient = async {
                for _ in 0..patience {
                    yield_now().await;
                    std::thread::yield_now();
                }
                match end {
                    End::Cancel => {
                        group.cancel();
                        pending::<()>().await;
                    }
                    End::Drop => (),
                }
            };
            let scope = nest(group.clone(), plans, alive.clone());
            or(async { drop(scope.await) }, impatient).await;
            if let End::Drop = end {
                group.ended().await;
            }
        });
        prop_assert_eq!(alive.now(), 0);
    }
}
