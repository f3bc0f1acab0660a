//! What the tests of this crate share.
#![allow(dead_code)]

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use event_listener::Event;
use thrasks_loop::LoopPool;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub(crate) fn pool(threads: usize) -> LoopPool {
    LoopPool::builder().threads(threads).build().unwrap()
}

/// A latch: closed until it is opened, then open for good. Awaited, it waits for that.
#[derive(Clone, Default)]
pub(crate) struct Latch(Arc<(AtomicBool, Event)>);

impl Latch {
    pub(crate) fn open(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify(usize::MAX);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) async fn wait(&self) {
        while !self.is_open() {
            let listener = self.0.1.listen();
            if !self.is_open() {
                listener.await;
            }
        }
    }
}

/// Counts its guards: those that are there, and the most there ever were.
#[derive(Clone, Default)]
pub(crate) struct Alive(Arc<(AtomicUsize, AtomicUsize)>);

pub(crate) struct Guard(Alive);

impl Alive {
    pub(crate) fn guard(&self) -> Guard {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Guard(self.clone())
    }

    pub(crate) fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Panics when it is dropped.
pub(crate) struct PanicOnDrop;

impl Drop for PanicOnDrop {
    fn drop(&mut self) {
        panic!("dropped");
    }
}
