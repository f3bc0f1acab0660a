//! What runs futures on two threads: thrasks, and its peers.
#![allow(dead_code, reason = "each bench uses what it needs of it")]

use std::{sync::Arc, thread};

use async_executor::Executor;
use futures_lite::future::{block_on, pending};
use thrasks_loop::LoopPool;
use thrasks_sched::{Queue, RoundRobin};
use tokio::runtime::Runtime;
use tokio_util::task::LocalPoolHandle;

pub(crate) const THREADS: usize = 2;

pub(crate) struct Peers {
    pub(crate) queue: LoopPool,
    pub(crate) round_robin: LoopPool,
    pub(crate) tokio: Runtime,
    pub(crate) local_pool: LocalPoolHandle,
    pub(crate) smol: Arc<Executor<'static>>,
    pub(crate) rayon: rayon::ThreadPool,
}

impl Peers {
    pub(crate) fn new() -> Self {
        let smol = Arc::new(Executor::new());
        for _ in 0..THREADS {
            let smol = smol.clone();
            thread::spawn(move || block_on(smol.run(pending::<()>())));
        }
        Self {
            queue: LoopPool::builder()
                .threads(THREADS)
                .scheduler(Queue::new)
                .build()
                .expect("threads can be made"),
            round_robin: LoopPool::builder()
                .threads(THREADS)
                .scheduler(RoundRobin::new)
                .build()
                .expect("threads can be made"),
            tokio: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(THREADS)
                .build()
                .expect("threads can be made"),
            local_pool: LocalPoolHandle::new(THREADS),
            smol,
            rayon: rayon::ThreadPoolBuilder::new()
                .num_threads(THREADS)
                .build()
                .expect("threads can be made"),
        }
    }
}

/// The sum of the numbers below `n`: what `n` tasks that yield their number yield together.
pub(crate) fn sum_below(n: u64) -> u64 {
    n * (n - 1) / 2
}
