//! Parallel maps over a serial iterator, and jobs one after another: what the pool costs.
//!
//! `cargo bench -p thrasks-benches --bench pool`

use std::{hint::black_box, sync::Arc, time::Duration};

use async_executor::Executor;
use criterion::{BenchmarkId, Criterion, Throughput};
use futures_lite::future::block_on;
use futures_util::StreamExt;
use rayon::iter::{ParallelBridge, ParallelIterator};
use thrasks_loop::LoopPool;
use thrasks_pool::{Local, Sendable, TaskPool, Worker};
use tokio::runtime::Runtime;

const ITEMS: u64 = 10_000;
const JOBS: u64 = 1000;
const BUFFER: usize = 100;

/// So many rounds of xorshift, about a nanosecond each.
fn work(rounds: u64, seed: u64) -> u64 {
    (0..rounds).fold(seed | 1, |x, _| {
        let x = x ^ (x << 13);
        let x = x ^ (x >> 7);
        x ^ (x << 17)
    })
}

struct Contenders {
    loops: TaskPool<Local>,
    executor: TaskPool<Sendable>,
    runtime: Runtime,
    rayon: rayon::ThreadPool,
}

impl Contenders {
    fn new(threads: usize) -> Self {
        let loops = LoopPool::builder().threads(threads).build().expect("threads can be made");
        let executor = Arc::new(Executor::new());
        for _ in 0..threads {
            let executor = executor.clone();
            std::thread::spawn(move || {
                block_on(executor.run(futures_lite::future::pending::<()>()));
            });
        }
        let spawner = move |worker: Worker<Sendable>| executor.spawn(worker.run()).detach();
        let builder = TaskPool::builder().max_workers(threads);
        Self {
            loops: builder.clone().build(loops),
            executor: builder.build(spawner),
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(threads)
                .build()
                .expect("threads can be made"),
            rayon: rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .expect("threads can be made"),
        }
    }
}

fn maps(c: &mut Criterion, on: &Contenders) {
    for (name, rounds) in [("nothing", 0), ("10 000 rounds", 10_000)] {
        let mut group = c.benchmark_group(format!("map 10 000 items, {name} each"));
        group.throughput(Throughput::Elements(ITEMS));
        group.bench_function("alone", |b| {
            b.iter(|| (0..ITEMS).map(|i| work(rounds, i)).for_each(|i| _ = black_box(i)));
        });
        group.bench_function("thrasks, loops", |b| {
            b.iter(|| {
                let mut results =
                    on.loops.map(0..ITEMS, BUFFER, move |i| async move { work(rounds, i) });
                block_on(async {
                    while let Some(result) = results.next().await {
                        black_box(result.expect("it does not fail"));
                    }
                });
            });
        });
        group.bench_function("thrasks, async-executor", |b| {
            b.iter(|| {
                let mut results =
                    on.executor.map(0..ITEMS, BUFFER, move |i| async move { work(rounds, i) });
                block_on(async {
                    while let Some(result) = results.next().await {
                        black_box(result.expect("it does not fail"));
                    }
                });
            });
        });
        group.bench_function("tokio, futures buffered", |b| {
            b.iter(|| {
                on.runtime.block_on(async {
                    let jobs = futures_util::stream::iter(0..ITEMS)
                        .map(|i| on.runtime.spawn(async move { work(rounds, i) }));
                    let mut results = jobs.buffered(BUFFER);
                    while let Some(result) = results.next().await {
                        black_box(result.expect("it does not fail"));
                    }
                });
            });
        });
        // Without the order, and without a bound on the results.
        group.bench_function("rayon par_bridge, unordered", |b| {
            b.iter(|| {
                on.rayon.install(|| {
                    let items = (0..ITEMS).par_bridge().map(|i| work(rounds, i));
                    items.for_each(|i| _ = black_box(i));
                });
            });
        });
        group.finish();
    }
}

fn jobs(c: &mut Criterion, on: &Contenders) {
    let mut group = c.benchmark_group("submit 1000 jobs, await all");
    group.throughput(Throughput::Elements(JOBS));
    group.bench_function(BenchmarkId::from_parameter("thrasks, loops"), |b| {
        b.iter(|| {
            let handles: Vec<_> = (0..JOBS).map(|i| on.loops.submit(async move || i)).collect();
            block_on(async {
                for handle in handles {
                    black_box(handle.await.expect("it does not fail"));
                }
            });
        });
    });
    group.bench_function(BenchmarkId::from_parameter("thrasks, async-executor"), |b| {
        b.iter(|| {
            let handles: Vec<_> = (0..JOBS).map(|i| on.executor.submit(async move || i)).collect();
            block_on(async {
                for handle in handles {
                    black_box(handle.await.expect("it does not fail"));
                }
            });
        });
    });
    group.bench_function(BenchmarkId::from_parameter("tokio spawn, no limit"), |b| {
        b.iter(|| {
            let handles: Vec<_> = (0..JOBS).map(|i| on.runtime.spawn(async move { i })).collect();
            block_on(async {
                for handle in handles {
                    black_box(handle.await.expect("it does not fail"));
                }
            });
        });
    });
    group.bench_function(BenchmarkId::from_parameter("tokio spawn, semaphore"), |b| {
        let permits = Arc::new(tokio::sync::Semaphore::new(2));
        b.iter(|| {
            let handles: Vec<_> = (0..JOBS)
                .map(|i| {
                    let permits = permits.clone();
                    on.runtime.spawn(async move {
                        let _permit = permits.acquire().await.expect("it is not closed");
                        i
                    })
                })
                .collect();
            block_on(async {
                for handle in handles {
                    black_box(handle.await.expect("it does not fail"));
                }
            });
        });
    });
    group.finish();
}

fn main() {
    let mut c = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    let contenders = Contenders::new(2);
    maps(&mut c, &contenders);
    jobs(&mut c, &contenders);
    c.final_summary();
}
