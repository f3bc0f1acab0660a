//! Runs trivial futures on two threads and collects what they yield, in their order.
//!
//! `cargo bench -p thrasks-benches --bench gather`
//!
//! rayon has no futures: it deals out ranges of the inputs, and is what the machine can do.

mod peers;
mod side_by_side;

use std::hint::black_box;

use criterion::Criterion;
use futures_lite::future::block_on;
use futures_util::future::join_all;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use thrasks_gather::{gather, try_gather};
use thrasks_loop::LoopPool;

use self::{
    peers::{Peers, sum_below},
    side_by_side::{Contender, compare},
};

const SIZES: [u64; 3] = [100, 10_000, 1_000_000];

/// Of values that are in order, which the sum alone would not tell.
fn sum(values: &[u64]) -> u64 {
    assert!(values.is_sorted(), "the order is lost");
    values.iter().sum()
}

fn thrasks(pool: &LoopPool, n: u64) -> u64 {
    let factories = (0..n).map(|i| move || async move { black_box(i) });
    sum(&block_on(gather(pool, factories).into_future()).expect("none fails"))
}

fn thrasks_try(pool: &LoopPool, n: u64) -> u64 {
    let factories = (0..n).map(|i| move || async move { Ok::<_, ()>(black_box(i)) });
    sum(&block_on(try_gather(pool, factories).into_future()).expect("none fails"))
}

fn tokio_join_all(peers: &Peers, n: u64) -> u64 {
    peers.tokio.block_on(async {
        let handles = join_all((0..n).map(|i| tokio::spawn(async move { black_box(i) }))).await;
        let values: Vec<_> = handles.into_iter().map(|value| value.expect("none fails")).collect();
        sum(&values)
    })
}

/// Awaited one after the other, which costs less than a `join_all` and is as good in the end.
fn tokio_in_order(peers: &Peers, n: u64) -> u64 {
    peers.tokio.block_on(async {
        let spawn = |i| tokio::spawn(async move { black_box(i) });
        let handles: Vec<_> = (0..n).map(spawn).collect();
        let mut values = Vec::with_capacity(handles.len());
        for handle in handles {
            values.push(handle.await.expect("none fails"));
        }
        sum(&values)
    })
}

fn local_pool_in_order(peers: &Peers, n: u64) -> u64 {
    let spawn = |i| peers.local_pool.spawn_pinned(move || async move { black_box(i) });
    let handles: Vec<_> = (0..n).map(spawn).collect();
    block_on(async {
        let mut values = Vec::with_capacity(handles.len());
        for handle in handles {
            values.push(handle.await.expect("none fails"));
        }
        sum(&values)
    })
}

fn smol_in_order(peers: &Peers, n: u64) -> u64 {
    let mut tasks = Vec::new();
    peers.smol.spawn_many((0..n).map(|i| async move { black_box(i) }), &mut tasks);
    block_on(async {
        let mut values = Vec::with_capacity(tasks.len());
        for task in tasks {
            values.push(task.await);
        }
        sum(&values)
    })
}

fn rayon_collect(peers: &Peers, n: u64) -> u64 {
    let values: Vec<u64> = peers.rayon.install(|| (0..n).into_par_iter().map(black_box).collect());
    sum(&values)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let peers = &Peers::new();
    for n in SIZES {
        let sum = sum_below(n);
        let contenders = vec![
            Contender::new("thrasks gather, Queue", sum, || thrasks(&peers.queue, n)),
            Contender::new("thrasks gather, RoundRobin", sum, || thrasks(&peers.round_robin, n)),
            Contender::new("thrasks try_gather, Queue", sum, || thrasks_try(&peers.queue, n)),
            Contender::new("tokio spawn, join_all", sum, || tokio_join_all(peers, n)),
            Contender::new("tokio spawn, in order", sum, || tokio_in_order(peers, n)),
            Contender::new("LocalPoolHandle, in order", sum, || local_pool_in_order(peers, n)),
            Contender::new("smol spawn_many, in order", sum, || smol_in_order(peers, n)),
            Contender::new("rayon collect, no futures", sum, || rayon_collect(peers, n)),
        ];
        compare(&mut criterion, &format!("gather {n}"), n, contenders);
    }
    criterion.final_summary();
}
