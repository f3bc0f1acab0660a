//! `event_listener::Event` for the loom models, as far as these crates use it: the real one's
//! atomics are invisible to loom. Also for the crates above.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use loom::sync::{Condvar, Mutex, MutexGuard};

/// See `event_listener::Event`.
#[derive(Debug)]
pub struct Event(Arc<Told>);

#[derive(Debug)]
struct Told {
    list: Mutex<List>,
    changed: Condvar,
}

#[derive(Debug)]
struct List {
    next: usize,
    listeners: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    number: usize,
    told: bool,
    waker: Option<Waker>,
}

/// See `event_listener::EventListener`.
#[derive(Debug)]
pub struct EventListener {
    event: Arc<Told>,
    number: usize,
}

/// See `event_listener::Listener`.
pub trait Listener {
    /// Blocks until the event is told.
    fn wait(self);

    /// The same: no time passes in a model.
    fn wait_timeout(self, timeout: Duration) -> Option<()>;
}

impl Event {
    /// An event that nobody listens to.
    #[expect(clippy::new_without_default, reason = "as the real one is used")]
    pub fn new() -> Self {
        let list = Mutex::new(List { next: 0, listeners: Vec::new() });
        Self(Arc::new(Told { list, changed: Condvar::new() }))
    }

    /// Listens from now on.
    pub fn listen(&self) -> EventListener {
        let mut list = self.0.lock();
        let number = list.next;
        list.next += 1;
        list.listeners.push(Entry { number, told: false, waker: None });
        EventListener { event: self.0.clone(), number }
    }

    /// Tells everybody who listens.
    pub fn notify(&self, _all: usize) {
        let mut list = self.0.lock();
        let mut wakers = Vec::new();
        for entry in &mut list.listeners {
            entry.told = true;
            wakers.extend(entry.waker.take());
        }
        drop(list);
        self.0.changed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap()
    }
}

impl List {
    fn entry(&mut self, number: usize) -> &mut Entry {
        self.listeners.iter_mut().find(|entry| entry.number == number).expect("it listens")
    }
}

impl Listener for EventListener {
    fn wait(self) {
        let mut list = self.event.lock();
        while !list.entry(self.number).told {
            list = self.event.changed.wait(list).unwrap();
        }
    }

    fn wait_timeout(self, _timeout: Duration) -> Option<()> {
        self.wait();
        Some(())
    }
}

impl Future for EventListener {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut list = self.event.lock();
        let entry = list.entry(self.number);
        if entry.told {
            return Poll::Ready(());
        }
        entry.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for EventListener {
    fn drop(&mut self) {
        let mut list = self.event.lock();
        list.listeners.retain(|entry| entry.number != self.number);
    }
}
