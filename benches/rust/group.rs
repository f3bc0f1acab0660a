//! A scope that spawns trivial tasks and ends when the last of them has.
//!
//! `cargo bench -p thrasks-benches --bench group`
//!
//! Nobody awaits a task by itself: what is measured is entering, spawning, the count of those that
//! are left, and leaving.

mod peers;
mod side_by_side;

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use criterion::Criterion;
use futures_lite::{StreamExt, future::block_on};
use futures_util::stream::FuturesUnordered;
use thrasks_group::TaskGroup;
use thrasks_loop::LoopPool;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use self::{
    peers::{Peers, sum_below},
    side_by_side::{Contender, compare},
};

const SIZES: [u64; 3] = [100, 10_000, 1_000_000];

/// What the tasks leave behind.
#[derive(Clone, Default)]
struct Sum(Arc<AtomicU64>);

impl Sum {
    fn add(&self, i: u64) {
        self.0.fetch_add(black_box(i), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn task_group(pool: &LoopPool, n: u64) -> u64 {
    let sum = Sum::default();
    block_on(TaskGroup::<()>::scope(pool, async |group| {
        for i in 0..n {
            let sum = sum.clone();
            let spawned = group.spawn(move || async move {
                sum.add(i);
                Ok(())
            });
            drop(spawned.expect("the group is open"));
        }
        Ok(())
    }))
    .expect("none fails");
    sum.get()
}

fn join_set(peers: &Peers, n: u64) -> u64 {
    let sum = Sum::default();
    peers.tokio.block_on(async {
        let mut set = JoinSet::new();
        for i in 0..n {
            let sum = sum.clone();
            set.spawn(async move { sum.add(i) });
        }
        while let Some(result) = set.join_next().await {
            result.expect("none fails");
        }
    });
    sum.get()
}

/// It counts, and learns of no failure.
fn task_tracker(peers: &Peers, n: u64) -> u64 {
    let sum = Sum::default();
    peers.tokio.block_on(async {
        let tracker = TaskTracker::new();
        for i in 0..n {
            let sum = sum.clone();
            tracker.spawn(async move { sum.add(i) });
        }
        tracker.close();
        tracker.wait().await;
    });
    sum.get()
}

fn local_pool(peers: &Peers, n: u64) -> u64 {
    let sum = Sum::default();
    let spawn = |i| {
        let sum = sum.clone();
        peers.local_pool.spawn_pinned(move || async move { sum.add(i) })
    };
    let handles: Vec<_> = (0..n).map(spawn).collect();
    block_on(async {
        for handle in handles {
            handle.await.expect("none fails");
        }
    });
    sum.get()
}

fn smol_unordered(peers: &Peers, n: u64) -> u64 {
    let sum = Sum::default();
    let spawn = |i| {
        let sum = sum.clone();
        peers.smol.spawn(async move { sum.add(i) })
    };
    let tasks: FuturesUnordered<_> = (0..n).map(spawn).collect();
    block_on(tasks.for_each(|()| ()));
    sum.get()
}

fn smol_in_order(peers: &Peers, n: u64) -> u64 {
    let sum = Sum::default();
    let spawn = |i| {
        let sum = sum.clone();
        peers.smol.spawn(async move { sum.add(i) })
    };
    let tasks: Vec<_> = (0..n).map(spawn).collect();
    block_on(async {
        for task in tasks {
            task.await;
        }
    });
    sum.get()
}

fn rayon_scope(peers: &Peers, n: u64) -> u64 {
    let sum = Sum::default();
    peers.rayon.in_place_scope(|scope| {
        for i in 0..n {
            let sum = sum.clone();
            scope.spawn(move |_| sum.add(i));
        }
    });
    sum.get()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let peers = &Peers::new();
    for n in SIZES {
        let sum = sum_below(n);
        let contenders = vec![
            Contender::new("thrasks TaskGroup, Queue", sum, || task_group(&peers.queue, n)),
            Contender::new("thrasks TaskGroup, RoundRobin", sum, || {
                task_group(&peers.round_robin, n)
            }),
            Contender::new("tokio JoinSet", sum, || join_set(peers, n)),
            Contender::new("tokio-util TaskTracker", sum, || task_tracker(peers, n)),
            Contender::new("tokio-util LocalPoolHandle", sum, || local_pool(peers, n)),
            Contender::new("smol, FuturesUnordered", sum, || smol_unordered(peers, n)),
            Contender::new("smol, in order", sum, || smol_in_order(peers, n)),
            Contender::new("rayon scope, no futures", sum, || rayon_scope(peers, n)),
        ];
        compare(&mut criterion, &format!("group {n}"), n, contenders);
    }
    criterion.final_summary();
}
