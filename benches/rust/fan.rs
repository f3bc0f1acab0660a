//! Fan-out and fan-in: a task spawns 100 tasks, each of which spawns 100 and adds up what they
//! yield.
//!
//! `cargo bench -p thrasks-benches --bench fan`
//!
//! Everything but the first task is spawned, and awaited, on the threads that run it.

mod peers;
mod side_by_side;

use std::{hint::black_box, sync::Arc};

use async_executor::Executor;
use criterion::Criterion;
use futures_lite::future::block_on;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use thrasks_gather::gather;
use thrasks_loop::LoopPool;
use tokio::task::JoinSet;
use tokio_util::task::LocalPoolHandle;

use self::{
    peers::{Peers, sum_below},
    side_by_side::{Contender, compare},
};

const WIDTH: u64 = 100;

/// The number of the `i`th task of the `branch`th.
fn number(branch: u64, i: u64) -> u64 {
    black_box(branch * WIDTH + i)
}

fn thrasks_spawn(pool: &LoopPool) -> u64 {
    let branch = |pool: LoopPool, branch: u64| async move {
        let spawn = |i| pool.try_spawn(move || async move { number(branch, i) }).expect("open");
        let leaves: Vec<_> = (0..WIDTH).map(spawn).collect();
        let mut sum = 0;
        for leaf in leaves {
            sum += leaf.await.expect("it does not fail");
        }
        sum
    };
    let on = pool.clone();
    let root = pool.try_spawn(move || async move {
        let spawn = |i| {
            let inner = on.clone();
            on.try_spawn(move || branch(inner, i)).expect("open")
        };
        let branches: Vec<_> = (0..WIDTH).map(spawn).collect();
        let mut sum = 0;
        for branch in branches {
            sum += branch.await.expect("it does not fail");
        }
        sum
    });
    block_on(root.expect("open")).expect("it does not fail")
}

fn thrasks_gather(pool: &LoopPool) -> u64 {
    let on = pool.clone();
    let root = pool.try_spawn(move || async move {
        let branches = (0..WIDTH).map(|branch| {
            let on = on.clone();
            move || async move {
                let leaves = (0..WIDTH).map(|i| move || async move { number(branch, i) });
                gather(&on, leaves).await.expect("none fails").iter().sum::<u64>()
            }
        });
        gather(&on, branches).await.expect("none fails").iter().sum()
    });
    block_on(root.expect("open")).expect("it does not fail")
}

async fn tokio_branch(branch: u64) -> u64 {
    let mut set = JoinSet::new();
    for i in 0..WIDTH {
        set.spawn(async move { number(branch, i) });
    }
    set.join_all().await.into_iter().sum()
}

fn tokio(peers: &Peers) -> u64 {
    let root = peers.tokio.spawn(async {
        let mut set = JoinSet::new();
        for branch in 0..WIDTH {
            set.spawn(tokio_branch(branch));
        }
        set.join_all().await.into_iter().sum()
    });
    block_on(root).expect("it does not fail")
}

async fn local_pool_branch(pool: LocalPoolHandle, branch: u64) -> u64 {
    let spawn = |i| pool.spawn_pinned(move || async move { number(branch, i) });
    let leaves: Vec<_> = (0..WIDTH).map(spawn).collect();
    let mut sum = 0;
    for leaf in leaves {
        sum += leaf.await.expect("it does not fail");
    }
    sum
}

fn local_pool(peers: &Peers) -> u64 {
    let pool = peers.local_pool.clone();
    let root = peers.local_pool.spawn_pinned(move || async move {
        let spawn = |branch| {
            let inner = pool.clone();
            pool.spawn_pinned(move || local_pool_branch(inner, branch))
        };
        let branches: Vec<_> = (0..WIDTH).map(spawn).collect();
        let mut sum = 0;
        for branch in branches {
            sum += branch.await.expect("it does not fail");
        }
        sum
    });
    block_on(root).expect("it does not fail")
}

async fn smol_branch(executor: Arc<Executor<'static>>, branch: u64) -> u64 {
    let spawn = |i| executor.spawn(async move { number(branch, i) });
    let leaves: Vec<_> = (0..WIDTH).map(spawn).collect();
    let mut sum = 0;
    for leaf in leaves {
        sum += leaf.await;
    }
    sum
}

fn smol(peers: &Peers) -> u64 {
    let executor = peers.smol.clone();
    block_on(peers.smol.spawn(async move {
        let spawn = |branch| executor.spawn(smol_branch(executor.clone(), branch));
        let branches: Vec<_> = (0..WIDTH).map(spawn).collect();
        let mut sum = 0;
        for branch in branches {
            sum += branch.await;
        }
        sum
    }))
}

fn rayon(peers: &Peers) -> u64 {
    let leaves = |branch| (0..WIDTH).into_par_iter().map(move |i| number(branch, i)).sum::<u64>();
    peers.rayon.install(|| (0..WIDTH).into_par_iter().map(leaves).sum())
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let peers = &Peers::new();
    let all = WIDTH * WIDTH;
    let sum = sum_below(all);
    let contenders = vec![
        Contender::new("thrasks spawn, Queue", sum, || thrasks_spawn(&peers.queue)),
        Contender::new("thrasks spawn, RoundRobin", sum, || thrasks_spawn(&peers.round_robin)),
        Contender::new("thrasks gather, Queue", sum, || thrasks_gather(&peers.queue)),
        Contender::new("thrasks gather, RoundRobin", sum, || thrasks_gather(&peers.round_robin)),
        Contender::new("tokio JoinSet", sum, || tokio(peers)),
        Contender::new("tokio-util LocalPoolHandle", sum, || local_pool(peers)),
        Contender::new("smol Executor", sum, || smol(peers)),
        Contender::new("rayon, no futures", sum, || rayon(peers)),
    ];
    compare(&mut criterion, "fan out and in, 100 x 100", all, contenders);
    criterion.final_summary();
}
