//! Schedulers alone, on one thread: what it costs to push a job and to pop it.
//!
//! `cargo bench -p thrasks-benches --bench sched`

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput};
use thrasks_sched::{LeastLoaded, Queue, RoundRobin, Scheduler};

const WORKERS: usize = 4;
const JOBS: u64 = 1_000;

/// Pops until there is nothing for anybody.
fn drain(scheduler: &dyn Scheduler<u64>) -> u64 {
    let mut sum = 0;
    for worker in 0..WORKERS {
        while let Some(job) = scheduler.pop(worker) {
            sum += job;
            scheduler.finish(worker);
        }
    }
    sum
}

fn push_pop(scheduler: &dyn Scheduler<u64>) -> u64 {
    for job in 0..JOBS {
        let wake = scheduler.push(job).expect("it is open");
        let _ = black_box(wake);
    }
    drain(scheduler)
}

fn batch_pop(scheduler: &dyn Scheduler<u64>) -> u64 {
    let batch = scheduler.push_batch(&mut (0..JOBS));
    let _ = black_box(batch.wake);
    drain(scheduler)
}

fn sched(c: &mut Criterion) {
    let schedulers: [(&str, Box<dyn Scheduler<u64>>); 3] = [
        ("Queue", Box::new(Queue::new(WORKERS))),
        ("RoundRobin", Box::new(RoundRobin::new(WORKERS))),
        ("LeastLoaded", Box::new(LeastLoaded::new(WORKERS))),
    ];
    let mut group = c.benchmark_group("sched");
    group.sample_size(20).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(JOBS));
    for (name, scheduler) in &schedulers {
        assert_eq!(push_pop(scheduler), JOBS * (JOBS - 1) / 2, "{name} lost a job");
        group.bench_function(format!("{name}: push, pop"), |b| b.iter(|| push_pop(scheduler)));
        group.bench_function(format!("{name}: batch, pop"), |b| b.iter(|| batch_pop(scheduler)));
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    sched(&mut criterion);
    criterion.final_summary();
}
