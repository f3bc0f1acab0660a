//! Maps: the window between the workers and whoever takes from it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Waker},
};

use futures_lite::Stream;
use loom::thread;
use thrasks_loop::models::Bell;
use thrasks_pool::{Take, Window};

use crate::{model, pool};

/// The taker is woken by the worker that fills the place it waits for, or finds it filled.
#[test]
fn who_waits_for_a_result_is_woken_by_it() {
    model(3, || {
        let pool = pool(1);
        let mut results = pool.map([7], 1, async |i| i);
        assert_eq!(Bell::block_on(results.next()).unwrap().unwrap(), 7);
        assert!(Bell::block_on(results.next()).is_none());
    });
}

/// Two workers fill their places in any order, and are taken in order.
#[test]
fn results_of_two_workers_are_taken_in_order() {
    model(2, || {
        let pool = pool(2);
        let mut results = pool.map([1, 2], 2, async |i| i);
        assert_eq!(Bell::block_on(results.next()).unwrap().unwrap(), 1);
        assert_eq!(Bell::block_on(results.next()).unwrap().unwrap(), 2);
    });
}

/// In any order, each is taken once.
#[test]
fn unordered_results_of_two_workers_are_each_taken_once() {
    model(2, || {
        let pool = pool(2);
        let mut results = pool.map_unordered([1, 2], 2, async |i| i);
        let first = Bell::block_on(results.next()).unwrap().unwrap();
        let second = Bell::block_on(results.next()).unwrap().unwrap();
        assert_eq!(first + second, 3);
    });
}

/// A stream that is dropped while a place is filled leaves nothing.
#[test]
fn a_stream_that_is_dropped_while_a_result_comes_leaves_nothing() {
    struct Alive(Arc<AtomicUsize>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }

    model(3, || {
        let (pool, alive) = (pool(1), Arc::new(AtomicUsize::new(1)));
        let item = Alive(alive.clone());
        let mut results = pool.map([item], 1, async |item| item);
        // Polled once, so that the job is under way.
        let polled = Pin::new(&mut results).poll_next(&mut Context::from_waker(Waker::noop()));
        drop((results, polled));
        Bell::block_on(pool.shutdown(true, false));
        assert_eq!(alive.load(SeqCst), 0);
    });
}

/// A taker that found the window pending hears of the fill: it says so.
#[test]
fn a_fill_and_a_take() {
    for ordered in [false, true] {
        model(3, move || {
            let window = Arc::new(if ordered { Window::ordered(2) } else { Window::unordered(2) });
            let bell = Bell::new();
            let places = [window.reserve().unwrap(), window.reserve().unwrap()];
            let threads = places.map(|place| {
                let (window, bell) = (window.clone(), bell.clone());
                thread::spawn(move || {
                    let value = place.index();
                    if window.fill(place, value).unwrap() {
                        std::task::Wake::wake(bell);
                    }
                })
            });
            let mut taken = Vec::new();
            while taken.len() < 2 {
                match window.take() {
                    Take::Value { value, .. } => taken.push(value),
                    Take::Pending => bell.sleep(),
                    Take::Empty => panic!("two were reserved"),
                }
            }
            assert!(taken == [0, 1] || (!ordered && taken == [1, 0]));
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }
}
