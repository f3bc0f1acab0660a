//! Threads kept warm.
#![cfg(not(thrasks_loom))]

mod common;

use std::{sync::Arc, time::Duration};

use common::{Drops, block_on};
use thrasks_loop::{LoopCache, LoopThread};

fn thread(name: &str) -> LoopThread {
    LoopThread::builder().name(name).start().unwrap()
}

fn names(threads: &[LoopThread]) -> Vec<&str> {
    threads.iter().map(LoopThread::name).collect()
}

#[test]
fn the_one_that_became_idle_last_is_taken_first_and_only_of_its_kind() {
    let cache = LoopCache::new();
    for (key, name) in [(1, "a"), (2, "b"), (1, "c"), (1, "d")] {
        cache.put(key, thread(name));
    }
    assert_eq!(names(&cache.take(&1, 2)), ["d", "c"]);
    assert_eq!(cache.len(), 2);
    assert!(cache.take(&3, 1).is_empty());
    assert_eq!(names(&cache.take(&1, 5)), ["a"]);
    assert_eq!(names(&cache.take(&2, 0)), [""; 0]);
    assert_eq!(names(&cache.drain()), ["b"]);
    assert!(cache.is_empty());
}

#[test]
fn threads_that_have_ended_are_not_given_out() {
    let cache = LoopCache::new();
    let dead = thread("dead");
    let handle = dead.handle();
    cache.put((), thread("alive"));
    cache.put((), dead);
    assert_eq!(cache.len(), 2);
    handle.stop();
    block_on(handle.exited());
    assert_eq!(names(&cache.take(&(), 2)), ["alive"]);
    assert!(cache.is_empty());

    let dead = thread("dead");
    dead.stop();
    cache.put((), dead);
    assert!(cache.is_empty());
}

#[test]
fn a_thread_retires_when_it_has_been_idle_for_long_enough() {
    let cache = LoopCache::new();
    let (young, other) = (thread("young"), thread("other"));
    let handle = young.handle();
    cache.put((), young);
    cache.put((), other);
    assert!(cache.retire(&handle, Duration::from_secs(600)).is_none());
    let retired = cache.retire(&handle, Duration::ZERO).unwrap();
    assert_eq!(retired.name(), "young");
    assert!(cache.retire(&handle, Duration::ZERO).is_none());
    assert_eq!(cache.len(), 1);
}

#[test]
fn a_closed_cache_keeps_nothing() {
    let cache = LoopCache::new();
    cache.put((), thread("a"));
    assert_eq!(names(&cache.close()), ["a"]);
    let late = thread("late");
    let handle = late.handle();
    cache.put((), late);
    block_on(handle.exited());
    assert!(cache.is_empty());
    assert!(cache.take(&(), 1).is_empty());
    assert!(cache.retire(&handle, Duration::ZERO).is_none());
    assert!(cache.drain().is_empty() && cache.close().is_empty());
}

/// A regression test: a key was dropped with the lock held when there was one like it already, and
/// the last key of a kind was kept for ever.
#[test]
fn keys_go_with_their_threads_and_without_the_lock() {
    struct Key {
        kind: u32,
        cache: std::sync::Weak<LoopCache<Key, thrasks_loop::Task>>,
        _guard: common::DropGuard,
    }
    impl PartialEq for Key {
        fn eq(&self, other: &Self) -> bool {
            self.kind == other.kind
        }
    }
    impl Eq for Key {}
    impl Drop for Key {
        fn drop(&mut self) {
            // Hangs when the lock is held.
            if let Some(cache) = self.cache.upgrade() {
                cache.len();
            }
        }
    }

    let cache = Arc::new(LoopCache::new());
    let drops = Drops::default();
    let key = |kind| Key { kind, cache: Arc::downgrade(&cache), _guard: drops.guard() };
    cache.put(key(1), thread("a"));
    cache.put(key(1), thread("b"));
    cache.put(key(2), thread("c"));
    assert_eq!(drops.count(), 0);
    assert_eq!(cache.take(&key(1), 2).len(), 2);
    assert_eq!(drops.count(), 3);
    assert_eq!(cache.close().len(), 1);
    assert_eq!(drops.count(), 4);
    cache.put(key(1), thread("d"));
    assert_eq!(drops.count(), 5);
}

#[test]
fn dropping_the_cache_stops_its_threads() {
    let cache = LoopCache::new();
    let thread = thread("a");
    let handle = thread.handle();
    cache.put((), thread);
    drop(cache);
    block_on(handle.exited());
}
