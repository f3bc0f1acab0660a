//! Cancels tasks that wait for ever, and waits until all of them are gone.
//!
//! `cargo bench -p thrasks-benches --bench cancel`
//!
//! Each has begun before the time does, and is gone when its guard, which it holds, is dropped.

mod peers;
mod side_by_side;

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use criterion::Criterion;
use futures_lite::future::block_on;
use thrasks_group::TaskGroup;
use thrasks_loop::LoopPool;
use tokio::task::JoinSet;

use self::{
    peers::Peers,
    side_by_side::{Contender, compare},
};

const TASKS: usize = 10_000;

/// How many tasks are alive.
#[derive(Clone, Default)]
struct Alive(Arc<AtomicUsize>);

struct Guard(Alive);

impl Alive {
    fn enter(self) -> Guard {
        self.0.fetch_add(1, Ordering::AcqRel);
        Guard(self)
    }

    async fn stay(self) {
        let _guard = self.enter();
        pending::<()>().await;
    }

    fn wait_all(&self) {
        while self.0.load(Ordering::Acquire) < TASKS {
            thread::yield_now();
        }
    }

    /// Times `end`, by the end of which all of them are to be gone.
    fn time(&self, end: impl FnOnce()) -> Duration {
        self.wait_all();
        let start = Instant::now();
        end();
        let took = start.elapsed();
        assert_eq!(self.0.load(Ordering::Acquire), 0, "a task is still there");
        took
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn handles(pool: &LoopPool) -> Duration {
    let alive = Alive::default();
    let spawn = |_| {
        let alive = alive.clone();
        pool.try_spawn(move || alive.stay()).expect("the pool is open")
    };
    let handles: Vec<_> = (0..TASKS).map(spawn).collect();
    alive.time(|| {
        handles.iter().for_each(|handle| handle.cancel());
        block_on(async {
            for handle in handles {
                assert!(handle.await.is_err_and(|error| error.is_cancelled()));
            }
        });
    })
}

fn group(pool: &LoopPool) -> Duration {
    let alive = Alive::default();
    let group = TaskGroup::<()>::new(pool);
    let mut took = Duration::ZERO;
    block_on(async {
        let run = group.run(async |group| {
            for _ in 0..TASKS {
                let alive = alive.clone();
                let stay = move || async move {
                    alive.stay().await;
                    Ok(())
                };
                drop(group.spawn(stay).expect("the group is open"));
            }
            alive.wait_all();
            Ok(())
        });
        let mut run = std::pin::pin!(run);
        // The body ends in here; its children do not.
        assert!(futures_lite::future::poll_once(&mut run).await.is_none());
        let start = Instant::now();
        group.cancel();
        let _cancelled = run.await;
        took = start.elapsed();
    });
    assert_eq!(alive.0.load(Ordering::Acquire), 0, "a child is still there");
    took
}

fn join_set(peers: &Peers) -> Duration {
    let alive = Alive::default();
    let mut set = JoinSet::new();
    for _ in 0..TASKS {
        set.spawn_on(alive.clone().stay(), peers.tokio.handle());
    }
    alive.time(|| peers.tokio.block_on(set.shutdown()))
}

fn local_pool(peers: &Peers) -> Duration {
    let alive = Alive::default();
    let spawn = |_| {
        let alive = alive.clone();
        peers.local_pool.spawn_pinned(move || alive.stay())
    };
    let handles: Vec<_> = (0..TASKS).map(spawn).collect();
    alive.wait_all();
    let start = Instant::now();
    handles.iter().for_each(|handle| handle.abort());
    block_on(async {
        for handle in handles {
            assert!(handle.await.is_err_and(|error| error.is_cancelled()));
        }
    });
    // An abort is over for the one who waits before the future is dropped on its own thread.
    while alive.0.load(Ordering::Acquire) > 0 {
        thread::yield_now();
    }
    start.elapsed()
}

fn smol(peers: &Peers) -> Duration {
    let alive = Alive::default();
    let tasks: Vec<_> = (0..TASKS).map(|_| peers.smol.spawn(alive.clone().stay())).collect();
    alive.time(|| {
        let cancelled: Vec<_> = tasks.into_iter().map(|task| task.cancel()).collect();
        block_on(async {
            for task in cancelled {
                assert!(task.await.is_none());
            }
        });
    })
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let peers = &Peers::new();
    let contenders = vec![
        Contender::timed("thrasks handles, Queue", || handles(&peers.queue)),
        Contender::timed("thrasks handles, RoundRobin", || handles(&peers.round_robin)),
        Contender::timed("thrasks TaskGroup, Queue", || group(&peers.queue)),
        Contender::timed("thrasks TaskGroup, RoundRobin", || group(&peers.round_robin)),
        Contender::timed("tokio JoinSet::shutdown", || join_set(peers)),
        Contender::timed("tokio-util LocalPoolHandle", || local_pool(peers)),
        Contender::timed("smol Task::cancel", || smol(peers)),
    ];
    compare(&mut criterion, &format!("cancel {TASKS}"), TASKS as u64, contenders);
    criterion.final_summary();
}
