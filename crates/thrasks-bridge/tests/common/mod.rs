//! What the tests share.
#![allow(dead_code, unreachable_pub)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::Wake,
    time::Duration,
};

pub use futures_lite::future::block_on;

/// Long enough for anything that happens at all; a test that waits this long has failed.
pub const LONG: Duration = Duration::from_secs(30);

/// A door that synchronous code stands in front of until the test opens it.
pub struct Door {
    arrived: mpsc::Receiver<()>,
    open: mpsc::SyncSender<()>,
}

pub struct InFront {
    arrive: mpsc::Sender<()>,
    opened: mpsc::Receiver<()>,
}

pub fn door() -> (Door, InFront) {
    let (arrive, arrived) = mpsc::channel();
    let (open, opened) = mpsc::sync_channel(1);
    (Door { arrived, open }, InFront { arrive, opened })
}

impl Door {
    /// Blocks until somebody stands in front of it.
    pub fn wait(&self) {
        self.arrived.recv_timeout(LONG).expect("nobody came");
    }

    pub fn open(&self) {
        let _ = self.open.send(());
    }
}

impl InFront {
    /// Blocks until the door is opened, or gone.
    pub fn stand(&self) {
        let _ = self.arrive.send(());
        let _ = self.opened.recv();
    }
}

/// Counts how often it was dropped.
#[derive(Clone, Default)]
pub struct Drops(pub Arc<AtomicUsize>);

impl Drops {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub fn guard(&self) -> DropGuard {
        DropGuard(self.clone())
    }
}

pub struct DropGuard(Drops);

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
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

pub fn thread_name() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

/// Waits for what another thread is about to do, and tells nobody of.
#[track_caller]
pub fn until(mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + LONG;
    while !done() {
        assert!(std::time::Instant::now() < deadline, "it never came to that");
        std::thread::yield_now();
    }
}
