//! Models of the handshakes, run by loom over every interleaving that the memory model allows, as
//! far as its bound on preemptions goes:
//! `RUSTFLAGS="--cfg thrasks_loom" cargo test -p thrasks-bridge --test loom --release`.
#![cfg(thrasks_loom)]

#[path = "loom/calls.rs"]
mod calls;
#[path = "loom/channel.rs"]
mod channel;
#[path = "loom/generator.rs"]
mod generator;
#[path = "loom/pool.rs"]
mod pool;
#[path = "loom/stream.rs"]
mod stream;

use loom::{model::Builder, thread};
use thrasks_bridge::{BlockingPool, BlockingPoolBuilder, Join, OwnThread, ThreadSpec};

/// Bugs of this kind show with two preemptions; three leave a margin, where it is affordable.
fn model(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(run);
}

/// A thread of the model. loom itself sees to it that all have ended.
fn spawn(spec: ThreadSpec) -> std::io::Result<Join> {
    thread::spawn(spec.main);
    Ok(Box::new(|| ()))
}

fn builder(max_threads: usize) -> BlockingPoolBuilder {
    BlockingPool::builder().max_threads(max_threads).spawn_hook(spawn)
}

fn pool(max_threads: usize) -> BlockingPool {
    builder(max_threads).build().unwrap()
}

fn own() -> OwnThread {
    OwnThread::new().spawn_hook(spawn)
}
