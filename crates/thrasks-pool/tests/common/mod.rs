//! What the tests share.
#![allow(dead_code, unreachable_pub)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Wake,
    thread::JoinHandle,
};

use async_executor::Executor;
use event_listener::Event;
pub use futures_lite::future::block_on;
use thrasks_loop::LoopPool;
use thrasks_pool::{Local, PoolBuilder, Sendable, TaskPool, Worker};

/// A pool over loop threads.
pub fn pool(loops: usize, max_workers: usize) -> TaskPool {
    pool_of(TaskPool::builder().max_workers(max_workers), loops)
}

pub fn pool_of(builder: PoolBuilder, loops: usize) -> TaskPool {
    builder.build(LoopPool::builder().threads(loops).build().unwrap())
}

/// An executor of many threads, which stop when this is dropped.
pub struct Threads {
    pub executor: Arc<Executor<'static>>,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    is: AtomicUsize,
    told: Event,
}

impl Threads {
    pub fn new(threads: usize) -> Self {
        let (executor, stop) = (Arc::new(Executor::new()), Arc::new(Stop::default()));
        let threads = (0..threads)
            .map(|_| {
                let (executor, stop) = (executor.clone(), stop.clone());
                std::thread::spawn(move || {
                    let listener = stop.told.listen();
                    if stop.is.load(Ordering::SeqCst) == 0 {
                        block_on(executor.run(listener));
                    }
                })
            })
            .collect();
        Self { executor, stop, threads }
    }

    pub fn pool(&self, max_workers: usize) -> TaskPool<Sendable> {
        let executor = self.executor.clone();
        TaskPool::builder().max_workers(max_workers).build(move |worker: Worker<Sendable>| {
            executor.spawn(worker.run()).detach();
        })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.is.store(1, Ordering::SeqCst);
        self.stop.told.notify(usize::MAX);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// A pool whose workers run inside `submit`, to their end.
pub fn inline(max_workers: usize) -> TaskPool<Local> {
    let builder = TaskPool::builder().max_workers(max_workers);
    builder.build(|worker: Worker<Local>| block_on(worker.run()))
}

/// Something that asynchronous code waits for until the test opens it.
#[derive(Clone, Default)]
pub struct Gate(Arc<GateState>);

#[derive(Default)]
struct GateState {
    waiting: AtomicUsize,
    open: AtomicUsize,
    changed: Event,
}

impl Gate {
    /// Waits until the gate is open.
    pub async fn pass(&self) {
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        self.0.changed.notify(usize::MAX);
        loop {
            let listener = self.0.changed.listen();
            if self.0.open.load(Ordering::SeqCst) > 0 {
                return;
            }
            listener.await;
        }
    }

    pub fn open(&self) {
        self.0.open.store(1, Ordering::SeqCst);
        self.0.changed.notify(usize::MAX);
    }

    /// Blocks until so many have come to it.
    pub fn wait_for(&self, count: usize) {
        loop {
            let listener = self.0.changed.listen();
            if self.0.waiting.load(Ordering::SeqCst) >= count {
                return;
            }
            block_on(listener);
        }
    }
}

/// Counts what is alive, and the most there ever were.
#[derive(Clone, Default)]
pub struct Census(Arc<Numbers>);

#[derive(Default)]
struct Numbers {
    alive: AtomicUsize,
    most: AtomicUsize,
    born: AtomicUsize,
}

impl Census {
    pub fn life<T>(&self, value: T) -> Life<T> {
        self.0.born.fetch_add(1, Ordering::SeqCst);
        let alive = self.0.alive.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(alive, Ordering::SeqCst);
        Life { value, census: self.clone() }
    }

    pub fn alive(&self) -> usize {
        self.0.alive.load(Ordering::SeqCst)
    }

    pub fn most(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }

    pub fn born(&self) -> usize {
        self.0.born.load(Ordering::SeqCst)
    }
}

pub struct Life<T> {
    pub value: T,
    census: Census,
}

impl<T> Drop for Life<T> {
    fn drop(&mut self) {
        self.census.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Panics when it is dropped.
pub struct Bomb(pub &'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// A waker that panics.
pub struct BadWaker;

impl Wake for BadWaker {
    fn wake(self: Arc<Self>) {
        panic!("a bad waker");
    }
}

/// A waker that counts.
#[derive(Default)]
pub struct CountWaker(pub AtomicUsize);

impl Wake for CountWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
