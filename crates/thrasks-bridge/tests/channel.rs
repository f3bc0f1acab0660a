//! The channel from threads into async code: its bound, its wake-ups, its end.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use common::{CountWaker, Drops, LONG, block_on, until};
use thrasks_bridge::{BlockingPool, Empty, SendError, TrySendError, channel};

fn counting() -> (Arc<CountWaker>, Waker) {
    let count = Arc::new(CountWaker::default());
    (count.clone(), count.into())
}

#[test]
fn a_burst_wakes_the_receiver_once() {
    let (sender, mut receiver) = channel(1000);
    let (count, waker) = counting();
    let mut cx = Context::from_waker(&waker);
    assert!(receiver.poll_next(&mut cx).is_pending());
    (0..1000).for_each(|i| sender.send(i).unwrap());
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    for expected in 0..1000 {
        assert_eq!(receiver.poll_next(&mut cx), Poll::Ready(Some(expected)));
    }
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
}

#[test]
fn a_receiver_that_does_not_wait_is_not_woken() {
    let (sender, mut receiver) = channel(10);
    let (count, waker) = counting();
    let mut cx = Context::from_waker(&waker);
    assert!(receiver.poll_next(&mut cx).is_pending());
    // It found something elsewhere, so it waits no more.
    sender.send(1).unwrap();
    assert_eq!(receiver.try_next(), Ok(1));
    sender.send(2).unwrap();
    drop(sender);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!((receiver.try_next(), receiver.try_next()), (Ok(2), Err(Empty::Ended)));
}

#[test]
fn only_the_waker_of_the_last_poll_is_woken() {
    let (sender, mut receiver) = channel(10);
    let ((first, one), (second, two)) = (counting(), counting());
    assert!(receiver.poll_next(&mut Context::from_waker(&one)).is_pending());
    assert!(receiver.poll_next(&mut Context::from_waker(&two)).is_pending());
    assert_eq!(Arc::strong_count(&first), 2, "the old waker is not kept");
    sender.send(1).unwrap();
    assert_eq!((first.0.load(Ordering::SeqCst), second.0.load(Ordering::SeqCst)), (0, 1));
}

#[test]
fn an_item_is_seen_by_a_waiting_receiver_at_once() {
    let (sender, mut receiver) = channel(1000);
    let (answer, answers) = mpsc::channel();
    let thread = thread::spawn(move || {
        block_on(async {
            while let Some(item) = receiver.next().await {
                answer.send(item).unwrap();
            }
        });
    });
    // The next item is only sent when the one before was received: nothing waits for company.
    for item in 0..100 {
        sender.send(item).unwrap();
        assert_eq!(answers.recv_timeout(LONG).unwrap(), item);
    }
    drop(sender);
    thread.join().unwrap();
}

#[test]
fn a_blocked_sender_goes_on_when_the_channel_is_half_empty() {
    let pool = BlockingPool::builder().max_threads(1).build().unwrap();
    for capacity in [1, 2, 3, 8, 9] {
        let (sender, mut receiver) = channel(capacity);
        (0..capacity).for_each(|i| sender.try_send(i).unwrap());
        let call = pool.call(move || sender.send(capacity).unwrap());
        until(|| pool.stats().waiting == 1);
        let half = capacity - capacity / 2;
        for expected in 0..half - 1 {
            assert_eq!(receiver.try_next(), Ok(expected));
        }
        // It is there still, though there is room.
        assert_eq!((pool.stats().waiting, receiver.sent()), (1, capacity as u64));
        assert_eq!(receiver.try_next(), Ok(half - 1));
        block_on(call).unwrap();
        (half..=capacity).for_each(|expected| assert_eq!(receiver.try_next(), Ok(expected)));
        assert_eq!(receiver.try_next(), Err(Empty::Ended));
    }
}

#[test]
fn an_unbounded_channel_is_never_full() {
    let (sender, mut receiver) = channel(None);
    (0..100_000).for_each(|i| sender.try_send(i).unwrap());
    assert_eq!(receiver.len(), 100_000);
    (0..100_000).for_each(|i| assert_eq!(receiver.try_next(), Ok(i)));
    sender.send(1).unwrap();
    assert_eq!(receiver.try_next(), Ok(1));
    assert!(receiver.is_empty());
}

#[test]
fn a_send_with_a_timeout_gives_the_item_back() {
    let (sender, mut receiver) = channel(1);
    sender.send_timeout(1, Duration::ZERO).unwrap();
    let start = Instant::now();
    let late = sender.send_timeout(2, Duration::from_millis(20));
    assert_eq!(late, Err(TrySendError::Full(2)));
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert_eq!(sender.send_timeout(2, Duration::ZERO), Err(TrySendError::Full(2)));
    assert_eq!(receiver.try_next(), Ok(1));
    // The one that gave up is forgotten.
    sender.send_timeout(3, Duration::MAX).unwrap();
    assert_eq!(receiver.try_next(), Ok(3));
    drop(receiver);
    assert_eq!(sender.send_timeout(4, Duration::MAX), Err(TrySendError::Closed(4)));
}

#[test]
fn a_close_by_a_sender_lets_what_was_sent_through() {
    let (sender, mut receiver) = channel(2);
    sender.send(1).unwrap();
    let other = sender.clone();
    other.close();
    assert!(sender.is_closed());
    assert_eq!(sender.send(2), Err(SendError(2)));
    assert_eq!(sender.try_send(2), Err(TrySendError::Closed(2)));
    assert_eq!(block_on(receiver.next()), Some(1));
    assert_eq!(block_on(receiver.next()), None);
}

#[test]
fn a_close_by_the_receiver_wakes_all_who_are_blocked_and_drops_what_is_inside() {
    let pool = BlockingPool::builder().max_threads(1).build().unwrap();
    let drops = Drops::default();
    let (sender, mut receiver) = channel(2);
    sender.send(drops.guard()).unwrap();
    sender.send(drops.guard()).unwrap();
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let (sender, item) = (sender.clone(), drops.guard());
            pool.call(move || sender.send(item).is_err())
        })
        .collect();
    let waits = sender.clone();
    let waits = pool.call(move || waits.wait_closed(None));
    until(|| pool.stats().waiting == 6);
    assert_eq!(drops.count(), 0);
    receiver.close();
    calls.into_iter().for_each(|call| assert!(block_on(call).unwrap()));
    assert!(block_on(waits).unwrap());
    assert_eq!(drops.count(), 7);
    assert!(block_on(receiver.next()).is_none());
}

#[test]
fn the_last_sender_to_go_ends_the_channel() {
    let (sender, mut receiver) = channel::<u8>(1);
    let other = sender.clone();
    drop(sender);
    assert_eq!(receiver.try_next(), Err(Empty::Pending));
    let (count, waker) = counting();
    let mut next = pin!(receiver.next());
    assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(other);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!(next.poll(&mut Context::from_waker(&waker)), Poll::Ready(None));
}

#[test]
fn a_next_that_is_dropped_loses_nothing() {
    let (sender, mut receiver) = channel(4);
    for i in 0..100 {
        assert!(block_on(futures_lite::future::poll_once(receiver.next())).is_none());
        sender.send(i).unwrap();
        drop(receiver.next());
        assert_eq!(block_on(receiver.next()), Some(i));
    }
}

#[test]
fn many_senders_lose_nothing_and_keep_their_own_order() {
    for capacity in [1, 2, 7, 64] {
        let (sender, mut receiver) = channel(capacity);
        let threads: Vec<_> = (0..4u32)
            .map(|who| {
                let sender = sender.clone();
                thread::spawn(move || (0..2000u32).for_each(|i| sender.send((who, i)).unwrap()))
            })
            .collect();
        drop(sender);
        let mut next = [0; 4];
        while let Some((who, i)) = block_on(receiver.next()) {
            assert_eq!(next[who as usize], i);
            next[who as usize] += 1;
        }
        assert_eq!(next, [2000; 4]);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// Counts how many are alive, and the most there were.
#[derive(Clone, Default)]
struct Census(Arc<(AtomicUsize, AtomicUsize)>);

struct Citizen(Census);

impl Census {
    fn born(&self) -> Citizen {
        let alive = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(alive, Ordering::SeqCst);
        Citizen(self.clone())
    }
}

impl Drop for Citizen {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn of_200_000_items_no_more_than_the_capacity_are_there_and_one_in_the_hand() {
    let pool = BlockingPool::builder().build().unwrap();
    let census = Census::default();
    let born = census.clone();
    let mut stream = pool.stream(64, move || (0..200_000).map(move |_| born.born()));
    block_on(async {
        let mut count = 0;
        while let Some(item) = stream.next().await {
            drop(item.unwrap());
            count += 1;
        }
        assert_eq!(count, 200_000);
    });
    assert_eq!(census.0.0.load(Ordering::SeqCst), 0);
    let most = census.0.1.load(Ordering::SeqCst);
    // The last one that was given out may not be dropped yet when the next one is made.
    assert!(most <= 65, "{most} were alive");
}
