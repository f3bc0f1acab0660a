//! Maps: their order, their bound, their end.

mod common;

use std::{
    future::{pending, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use common::{Census, Gate, Threads, block_on, inline, pool};
use futures_lite::{Stream, StreamExt, future::yield_now, stream};

/// Some that take long, some that do not.
async fn uneven(i: u64) -> u64 {
    for _ in 0..(i * 7919) % 13 {
        yield_now().await;
    }
    i
}

#[test]
fn results_keep_the_order_of_the_inputs() {
    let threads = Threads::new(2);
    for (workers, buffer) in [(1, 1), (2, 1), (3, 2), (4, 64), (16, 7)] {
        let on_loops = pool(2, workers).map(0..500, buffer, uneven).try_collect::<_, _, Vec<_>>();
        assert!(block_on(on_loops).unwrap().into_iter().eq(0..500), "{workers}, {buffer}");
        let on_executor = threads.pool(workers).map(0..500, buffer, uneven);
        let results: Vec<_> = block_on(on_executor.try_collect()).unwrap();
        assert!(results.into_iter().eq(0..500), "{workers}, {buffer}");
    }
}

#[test]
fn unordered_results_are_all_there_and_a_slow_one_holds_up_nobody() {
    let (pool, gate) = (pool(1, 2), Gate::default());
    let at = gate.clone();
    let mut results = pool.map_unordered(0..10, 2, move |i| {
        let gate = at.clone();
        async move {
            if i == 0 {
                gate.pass().await;
            }
            i
        }
    });
    for i in 1..10 {
        assert_eq!(block_on(results.next()).unwrap().unwrap(), i);
    }
    assert_eq!(results.in_flight(), 1);
    gate.open();
    assert_eq!(block_on(results.next()).unwrap().unwrap(), 0);
    assert!(block_on(results.next()).is_none());
}

/// Maps a million and returns the most items that were alive, from the making of one to the end of
/// its result.
fn most_of_a_million(buffer: usize, ordered: bool) -> usize {
    let threads = Threads::new(2);
    let (pool, census) = (threads.pool(4), Census::default());
    let lives = census.clone();
    let items = (0..1_000_000u64).map(move |i| lives.life(i));
    let f = |mut item: common::Life<u64>| async move {
        item.value *= 2;
        item
    };
    let mut results =
        if ordered { pool.map(items, buffer, f) } else { pool.map_unordered(items, buffer, f) };
    let (mut next, mut sum) = (0, 0);
    block_on(async {
        while let Some(result) = results.next().await {
            let item = result.unwrap();
            assert!(!ordered || item.value == 2 * next);
            next += 1;
            sum += item.value;
            assert!(results.in_flight() < buffer);
        }
    });
    assert_eq!((next, sum), (1_000_000, 999_999 * 1_000_000));
    assert_eq!((census.born(), census.alive()), (1_000_000, 0));
    census.most()
}

#[test]
fn of_a_million_items_no_more_are_alive_than_the_buffer_holds() {
    assert!(most_of_a_million(100, true) <= 100);
}

#[test]
fn of_a_million_items_in_any_order_no_more_are_alive_either() {
    assert!(most_of_a_million(100, false) <= 100);
}

#[test]
fn a_slow_first_result_does_not_lift_the_bound() {
    let (pool, gate, census) = (pool(2, 4), Gate::default(), Census::default());
    // Open from the start: it only counts who went through.
    let done = Gate::default();
    done.open();
    let (lives, gates) = (census.clone(), (gate.clone(), done.clone()));
    let mut results = pool.map((0..100).map(move |i| lives.life(i)), 10, move |item| {
        let (gate, done) = gates.clone();
        async move {
            let gate = if item.value == 0 { gate } else { done };
            gate.pass().await;
            item
        }
    });
    assert!(block_on(futures_lite::future::poll_once(results.next())).is_none());
    // The first one holds a worker, the other nine go through the other three, and wait.
    done.wait_for(9);
    assert!(block_on(futures_lite::future::poll_once(results.next())).is_none());
    assert_eq!((census.born(), results.in_flight()), (10, 10));
    gate.open();
    for i in 0..100 {
        assert_eq!(block_on(results.next()).unwrap().unwrap().value, i);
    }
    assert!(block_on(results.next()).is_none());
    assert_eq!(census.most(), 10);
}

#[test]
fn nothing_is_pulled_before_the_stream_is_polled_nor_after_it_is_dropped() {
    let (pool, pulled) = (pool(1, 2), Arc::new(AtomicUsize::new(0)));
    let counter = pulled.clone();
    let endless = std::iter::from_fn(move || Some(counter.fetch_add(1, Ordering::SeqCst)));
    let mut results = pool.map(endless, 5, async |i| i);
    assert_eq!(pulled.load(Ordering::SeqCst), 0);
    assert_eq!(block_on(results.next()).unwrap().unwrap(), 0);
    assert_eq!(pulled.load(Ordering::SeqCst), 5);
    drop(results);
    block_on(pool.shutdown(true, false));
    assert_eq!(pulled.load(Ordering::SeqCst), 5);
}

#[test]
fn a_stream_that_is_dropped_cancels_what_is_under_way() {
    let (pool, census) = (pool(2, 3), Census::default());
    let lives = census.clone();
    let items = (0..).map(move |i| lives.life(i));
    let mut results = pool.map_unordered(items, 10, async |item: common::Life<u64>| {
        if item.value > 0 {
            pending::<()>().await;
        }
        item
    });
    drop(block_on(results.next()).unwrap().unwrap());
    assert_eq!(census.born(), 10);
    drop(results);
    // The queued ones are gone already, those that ran are when the workers have seen it.
    assert_eq!(pool.stats().queued, 0);
    block_on(pool.shutdown(true, false));
    assert_eq!(census.alive(), 0);
}

#[test]
fn results_that_were_not_taken_are_dropped_with_the_stream() {
    let (pool, census) = (inline(1), Census::default());
    let lives = census.clone();
    let mut results = pool.map((0..).map(move |i| lives.life(i)), 10, async |item| item);
    drop(block_on(results.next()).unwrap().unwrap());
    assert_eq!((census.born(), census.alive()), (10, 9));
    drop(results);
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_stream_is_mapped_as_it_comes() {
    let (pool, gate) = (pool(1, 2), Gate::default());
    let at = gate.clone();
    let items = stream::iter(0..3).chain(Box::pin(stream::once_future(async move {
        at.pass().await;
        3
    })));
    let mut results = pool.map_stream(items, 10, async |i| i * 2);
    for i in 0..3 {
        assert_eq!(block_on(results.next()).unwrap().unwrap(), i * 2);
    }
    assert!(block_on(futures_lite::future::poll_once(results.next())).is_none());
    assert_eq!(results.in_flight(), 0);
    gate.open();
    assert_eq!(block_on(results.next()).unwrap().unwrap(), 6);
    assert!(block_on(results.next()).is_none());
    assert!(block_on(results.next()).is_none());
}

#[test]
fn unordered_results_come_while_the_next_item_is_awaited() {
    let pool = pool(1, 1);
    let items = stream::iter([1, 2]).chain(stream::pending());
    let mut results = pool.map_stream_unordered(items, 3, async |i| i);
    assert_eq!(block_on(results.next()).unwrap().unwrap(), 1);
    assert_eq!(block_on(results.next()).unwrap().unwrap(), 2);
    assert!(block_on(futures_lite::future::poll_once(results.next())).is_none());
    results.stop();
    assert!(block_on(results.next()).is_none());
}

/// A stream that must not be polled after its end.
struct Once(Option<u8>);

impl Stream for Once {
    type Item = u8;

    fn poll_next(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<u8>> {
        match self.0 {
            Some(2) => panic!("it was polled after its end"),
            Some(_) => {
                self.0 = Some(2);
                Poll::Ready(None)
            }
            None => {
                self.0 = Some(1);
                Poll::Ready(Some(7))
            }
        }
    }
}

#[test]
fn an_input_that_has_ended_is_not_polled_again() {
    let pool = inline(1);
    let mut results = pool.map_stream(Once(None), 3, async |i| i);
    assert_eq!(block_on(results.next()).unwrap().unwrap(), 7);
    assert!(block_on(results.next()).is_none());
    assert!(block_on(results.next()).is_none());
}

#[test]
fn an_empty_input_gives_an_empty_stream() {
    let results = pool(1, 1).map(std::iter::empty::<u8>(), 3, async |i| i);
    assert_eq!(block_on(results.count()), 0);
}

#[test]
fn a_closed_pool_ends_the_stream_with_a_refusal() {
    let pool = pool(1, 1);
    let mut results = pool.map(0.., 3, async |i: u64| i);
    assert_eq!(block_on(results.next()).unwrap().unwrap(), 0);
    block_on(pool.shutdown(true, false));
    assert_eq!(block_on(results.next()).unwrap().unwrap(), 1);
    assert_eq!(block_on(results.next()).unwrap().unwrap(), 2);
    assert!(block_on(results.next()).unwrap().unwrap_err().is_refused());
    assert!(block_on(results.next()).is_none());
}

#[test]
fn pending_jobs_that_a_shutdown_cancels_are_items() {
    let (pool, gate) = (pool(1, 1), Gate::default());
    let at = gate.clone();
    let mut results = pool.map(0..3, 3, move |i| {
        let gate = at.clone();
        async move {
            gate.pass().await;
            i
        }
    });
    assert!(block_on(futures_lite::future::poll_once(results.next())).is_none());
    gate.wait_for(1);
    pool.close(true);
    gate.open();
    assert_eq!(block_on(results.next()).unwrap().unwrap(), 0);
    assert!(block_on(results.next()).unwrap().unwrap_err().is_cancelled());
    assert!(block_on(results.next()).unwrap().unwrap_err().is_cancelled());
    assert!(block_on(results.next()).is_none());
}

#[test]
fn the_stream_keeps_its_pool_open() {
    let results = {
        let pool = pool(2, 2);
        pool.map(0..50, 4, uneven)
    };
    assert!(block_on(results.try_collect::<_, _, Vec<_>>()).unwrap().into_iter().eq(0..50));
}

#[test]
fn two_maps_share_a_pool_and_a_map_may_run_inside_a_job() {
    let pool = pool(2, 3);
    let inner = pool.clone();
    let nested = pool.submit(move || async move {
        inner.map(0..20, 4, uneven).try_collect::<_, _, Vec<_>>().await.unwrap()
    });
    let mut other = pool.map(0..20, 4, uneven);
    let mut count = 0;
    while let Some(result) = block_on(other.next()) {
        assert_eq!(result.unwrap(), count);
        count += 1;
    }
    assert!(block_on(nested).unwrap().into_iter().eq(0..20));
}

#[test]
fn who_polls_the_stream_is_woken_by_the_last_waker() {
    let (pool, gate) = (pool(1, 1), Gate::default());
    let at = gate.clone();
    let mut results = pool.map([()], 1, move |()| {
        let gate = at.clone();
        async move { gate.pass().await }
    });
    // Polled by one who goes away, then by one who waits.
    assert!(Pin::new(&mut results).poll_next(&mut Context::from_waker(Waker::noop())).is_pending());
    gate.wait_for(1);
    gate.open();
    block_on(poll_fn(|cx| Pin::new(&mut results).poll_next(cx))).unwrap().unwrap();
}
