//! Calls on threads and streams from threads, trivial ones: what the crossing costs.
//!
//! `cargo bench -p thrasks-benches --bench bridge`

use std::{hint::black_box, time::Duration};

use blocking::{Unblock, unblock};
use criterion::{BenchmarkId, Criterion, Throughput};
use futures_lite::{StreamExt, future::block_on};
use thrasks_bridge::{BlockingPool, channel};
use tokio::runtime::Runtime;

const CALLS: u64 = 1000;
const ITEMS: u64 = 100_000;
const CAPACITY: usize = 64;

fn calls_one_by_one(c: &mut Criterion, pool: &BlockingPool, runtime: &Runtime) {
    let mut group = c.benchmark_group("call and await, one by one");
    group.throughput(Throughput::Elements(1));
    group.bench_function("thrasks", |b| {
        b.iter(|| block_on(pool.call(|| black_box(1))).expect("it does not fail"));
    });
    group.bench_function("blocking", |b| b.iter(|| block_on(unblock(|| black_box(1)))));
    group.bench_function("tokio", |b| {
        b.iter(|| {
            runtime.block_on(runtime.spawn_blocking(|| black_box(1))).expect("it does not fail")
        });
    });
    group.finish();
}

fn calls_at_once(c: &mut Criterion, pool: &BlockingPool, runtime: &Runtime) {
    let mut group = c.benchmark_group("call 1000, await all");
    group.throughput(Throughput::Elements(CALLS));
    group.bench_function("thrasks", |b| {
        b.iter(|| {
            let calls: Vec<_> = (0..CALLS).map(|i| pool.call(move || black_box(i))).collect();
            block_on(async {
                for call in calls {
                    call.await.expect("it does not fail");
                }
            });
        });
    });
    group.bench_function("blocking", |b| {
        b.iter(|| {
            let calls: Vec<_> = (0..CALLS).map(|i| unblock(move || black_box(i))).collect();
            block_on(async {
                for call in calls {
                    call.await;
                }
            });
        });
    });
    group.bench_function("tokio", |b| {
        b.iter(|| {
            let calls: Vec<_> =
                (0..CALLS).map(|i| runtime.spawn_blocking(move || black_box(i))).collect();
            block_on(async {
                for call in calls {
                    call.await.expect("it does not fail");
                }
            });
        });
    });
    group.finish();
}

fn streams(c: &mut Criterion, pool: &BlockingPool, runtime: &Runtime) {
    let mut group = c.benchmark_group("stream of 100 000 items");
    group.throughput(Throughput::Elements(ITEMS));
    for capacity in [CAPACITY, 1024] {
        group.bench_function(BenchmarkId::new("thrasks", capacity), |b| {
            b.iter(|| {
                let mut stream = pool.stream(capacity, || 0..ITEMS);
                block_on(async {
                    while let Some(item) = stream.next().await {
                        black_box(item.expect("it does not fail"));
                    }
                });
            });
        });
        group.bench_function(BenchmarkId::new("blocking", capacity), |b| {
            b.iter(|| {
                let mut stream = Unblock::with_capacity(capacity, 0..ITEMS);
                block_on(async {
                    while let Some(item) = stream.next().await {
                        black_box(item);
                    }
                });
            });
        });
        group.bench_function(BenchmarkId::new("tokio mpsc", capacity), |b| {
            b.iter(|| {
                let (sender, mut receiver) = tokio::sync::mpsc::channel(capacity);
                let drain = runtime.spawn_blocking(move || {
                    (0..ITEMS).try_for_each(|item| sender.blocking_send(item))
                });
                block_on(async {
                    while let Some(item) = receiver.recv().await {
                        black_box(item);
                    }
                    drain.await.expect("it does not fail").expect("nobody closes it");
                });
            });
        });
    }
    group.finish();
}

/// Both sides on one thread, neither ever waiting: the bookkeeping alone.
fn uncontended(c: &mut Criterion) {
    let mut group = c.benchmark_group("send and receive an item, on one thread");
    let items = CAPACITY as u64;
    group.throughput(Throughput::Elements(items));
    group.bench_function("thrasks", |b| {
        let (sender, mut receiver) = channel(CAPACITY);
        b.iter(|| {
            (0..items).for_each(|item| sender.try_send(black_box(item)).expect("there is room"));
            while let Ok(item) = receiver.try_next() {
                black_box(item);
            }
        });
    });
    group.bench_function("async-channel", |b| {
        let (sender, receiver) = async_channel::bounded(CAPACITY);
        b.iter(|| {
            (0..items).for_each(|item| sender.try_send(black_box(item)).expect("there is room"));
            while let Ok(item) = receiver.try_recv() {
                black_box(item);
            }
        });
    });
    group.bench_function("tokio mpsc", |b| {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(CAPACITY);
        b.iter(|| {
            (0..items).for_each(|item| sender.try_send(black_box(item)).expect("there is room"));
            while let Ok(item) = receiver.try_recv() {
                black_box(item);
            }
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("threads can be made");
    let pool = BlockingPool::builder().build().expect("nothing is wrong with it");
    uncontended(&mut criterion);
    calls_one_by_one(&mut criterion, &pool, &runtime);
    calls_at_once(&mut criterion, &pool, &runtime);
    streams(&mut criterion, &pool, &runtime);
    criterion.final_summary();
}
