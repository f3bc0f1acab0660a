//! Spawns and joins trivial futures on two threads: what a task costs when it does nothing.
//!
//! `cargo bench -p thrasks-benches --bench spawn_join`

use std::{hint::black_box, thread, time::Duration};

use async_executor::{Executor, LocalExecutor};
use criterion::{BenchmarkId, Criterion, Throughput};
use futures_lite::future::block_on;
use thrasks_loop::{Builder, LoopPool, Task};
use thrasks_sched::{Queue, RoundRobin};
use tokio::{runtime::Runtime, task::JoinSet};
use tokio_util::task::LocalPoolHandle;

const THREADS: usize = 2;
const SIZES: [u64; 2] = [100, 10_000];

fn one_by_one(pool: &LoopPool, n: u64) -> u64 {
    let handles: Vec<_> = (0..n)
        .map(|i| pool.try_spawn(move || async move { black_box(i) }).expect("the pool is open"))
        .collect();
    block_on(async {
        let mut sum = 0;
        for handle in handles {
            sum += handle.await.expect("it does not fail");
        }
        sum
    })
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
    block_on(async {
        let mut sum = 0;
        for handle in handles {
            sum += handle.await.expect("it does not fail");
        }
        sum
    })
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
    let handles: Vec<_> =
        (0..n).map(|i| pool.spawn_pinned(move || async move { black_box(i) })).collect();
    block_on(async {
        let mut sum = 0;
        for handle in handles {
            sum += handle.await.expect("it does not fail");
        }
        sum
    })
}

fn smol_executor(executor: &Executor<'_>, n: u64) -> u64 {
    let tasks: Vec<_> = (0..n).map(|i| executor.spawn(async move { black_box(i) })).collect();
    block_on(async {
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        sum
    })
}

fn smol_local_executor(n: u64) -> u64 {
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

fn spawn_join(c: &mut Criterion) {
    let pool = |builder: Builder| builder.threads(THREADS).build().expect("threads can be made");
    let queue = pool(LoopPool::builder().scheduler(Queue::new));
    let round_robin = pool(LoopPool::builder().scheduler(RoundRobin::new));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .build()
        .expect("threads can be made");
    let local_pool = LocalPoolHandle::new(THREADS);
    let executor: &Executor<'static> = Box::leak(Box::new(Executor::new()));
    for _ in 0..THREADS {
        thread::spawn(|| block_on(executor.run(std::future::pending::<()>())));
    }

    let mut group = c.benchmark_group("spawn_join");
    group.sample_size(20).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_millis(1_500));
    for n in SIZES {
        type Contender<'a> = (&'a str, Box<dyn Fn() -> u64 + 'a>);
        let contenders: [Contender<'_>; 8] = [
            ("thrasks Queue", Box::new(|| one_by_one(&queue, n))),
            ("thrasks RoundRobin", Box::new(|| one_by_one(&round_robin, n))),
            ("thrasks Queue, batch", Box::new(|| as_a_batch(&queue, n))),
            ("thrasks RoundRobin, batch", Box::new(|| as_a_batch(&round_robin, n))),
            ("tokio JoinSet", Box::new(|| tokio_join_set(&runtime, n))),
            ("tokio-util LocalPoolHandle", Box::new(|| tokio_local_pool(&local_pool, n))),
            ("smol Executor", Box::new(|| smol_executor(executor, n))),
            ("smol LocalExecutor, one thread", Box::new(|| smol_local_executor(n))),
        ];
        group.throughput(Throughput::Elements(n));
        for (name, contender) in contenders {
            assert_eq!(contender(), n * (n - 1) / 2, "{name} lost a task");
            group.bench_function(BenchmarkId::new(name, n), |b| b.iter(&contender));
        }
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    spawn_join(&mut criterion);
    criterion.final_summary();
}
