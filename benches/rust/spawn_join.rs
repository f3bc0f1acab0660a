//! Spawns and joins trivial futures on two threads: what a task costs when it does nothing.
//!
//! `cargo bench -p thrasks-benches --bench spawn_join`
//!
//! The futures of thrasks and of `LocalPoolHandle` are made on their threads, by factories, and
//! need not be `Send`; rayon has no futures at all.

mod peers;
mod side_by_side;

use std::{
    future::Future,
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
};

use async_executor::{Executor, LocalExecutor};
use criterion::Criterion;
use futures_lite::future::block_on;
use thrasks_loop::{LoopPool, Task};
use tokio::{runtime::Runtime, task::JoinSet};
use tokio_util::task::LocalPoolHandle;

use self::{
    peers::{Peers, sum_below},
    side_by_side::{Contender, compare},
};

const SIZES: [u64; 3] = [100, 10_000, 1_000_000];

/// Awaits all, in the order in which they were spawned.
fn join<H, T>(handles: Vec<H>, value: impl Fn(T) -> u64) -> u64
where
    H: Future<Output = T>,
{
    block_on(async {
        let mut sum = 0;
        for handle in handles {
            sum += value(handle.await);
        }
        sum
    })
}

fn one_by_one(pool: &LoopPool, n: u64) -> u64 {
    let spawn = |i| pool.try_spawn(move || async move { black_box(i) }).expect("the pool is open");
    join((0..n).map(spawn).collect(), |outcome| outcome.expect("it does not fail"))
}

fn as_a_batch(pool: &LoopPool, n: u64) -> u64 {
    let mut handles = Vec::with_capacity(usize::try_from(n).expect("it fits"));
    let mut tasks = (0..n).map(|i| {
        let (task, handle) = Task::new(move || async move { black_box(i) });
        handles.push(handle);
        task
    });
    pool.submit_batch(&mut tasks).expect("the pool is open");
    drop(tasks);
    join(handles, |outcome| outcome.expect("it does not fail"))
}

fn tokio_join_set(runtime: &Runtime, n: u64) -> u64 {
    runtime.block_on(async {
        let mut set = JoinSet::new();
        for i in 0..n {
            set.spawn(async move { black_box(i) });
        }
        let mut sum = 0;
        while let Some(result) = set.join_next().await {
            sum += result.expect("it does not fail");
        }
        sum
    })
}

fn tokio_local_pool(pool: &LocalPoolHandle, n: u64) -> u64 {
    let spawn = |i| pool.spawn_pinned(move || async move { black_box(i) });
    join((0..n).map(spawn).collect(), |outcome| outcome.expect("it does not fail"))
}

fn smol_executor(executor: &Executor<'_>, n: u64) -> u64 {
    let spawn = |i| executor.spawn(async move { black_box(i) });
    join((0..n).map(spawn).collect(), |value| value)
}

fn local_executor(n: u64) -> u64 {
    let executor = LocalExecutor::new();
    let tasks: Vec<_> = (0..n).map(|i| executor.spawn(async move { black_box(i) })).collect();
    block_on(executor.run(async {
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        sum
    }))
}

fn rayon_scope(pool: &rayon::ThreadPool, n: u64) -> u64 {
    let sum = AtomicU64::new(0);
    let add = |i| _ = sum.fetch_add(black_box(i), Ordering::Relaxed);
    pool.in_place_scope(|scope| (0..n).for_each(|i| scope.spawn(move |_| add(i))));
    sum.into_inner()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let peers = &Peers::new();
    for n in SIZES {
        let sum = sum_below(n);
        let contenders = vec![
            Contender::new("thrasks Queue", sum, || one_by_one(&peers.queue, n)),
            Contender::new("thrasks RoundRobin", sum, || one_by_one(&peers.round_robin, n)),
            Contender::new("thrasks Queue, batch", sum, || as_a_batch(&peers.queue, n)),
            Contender::new("thrasks RoundRobin, batch", sum, || as_a_batch(&peers.round_robin, n)),
            Contender::new("tokio JoinSet", sum, || tokio_join_set(&peers.tokio, n)),
            Contender::new("tokio-util LocalPoolHandle", sum, || {
                tokio_local_pool(&peers.local_pool, n)
            }),
            Contender::new("smol Executor", sum, || smol_executor(&peers.smol, n)),
            Contender::new("LocalExecutor, one thread", sum, || local_executor(n)),
            Contender::new("rayon scope, no futures", sum, || rayon_scope(&peers.rayon, n)),
        ];
        compare(&mut criterion, &format!("spawn and join {n}"), n, contenders);
    }
    criterion.final_summary();
}
