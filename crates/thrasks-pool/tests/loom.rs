//! Models of the handshakes, run by loom over every interleaving that the memory model allows, as
//! far as its bound on preemptions goes:
//! `RUSTFLAGS="--cfg thrasks_loom" cargo test -p thrasks-pool --test loom --release`.
#![cfg(thrasks_loom)]

#[path = "loom/jobs.rs"]
mod jobs;
#[path = "loom/map.rs"]
mod map;
#[path = "loom/roster.rs"]
mod roster;

use loom::{model::Builder, thread};
use thrasks_loop::models::Bell;
use thrasks_pool::{Sendable, TaskPool, Worker};

/// Bugs of this kind show with two preemptions; three leave a margin, where it is affordable.
fn model(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(run);
}

/// A pool whose workers are threads of the model. loom itself sees to it that all have ended.
fn pool(max_workers: usize) -> TaskPool<Sendable> {
    TaskPool::builder().max_workers(max_workers).build(|worker: Worker<Sendable>| {
        thread::spawn(move || Bell::block_on(worker.run()));
    })
}
