//! An iterator drained on a thread: its bound, its end, its errors.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use common::{Bomb, Drops, LONG, block_on, door, thread_name, until};
use thrasks_bridge::{BlockingPool, OwnThread, ThreadStream, stream_with};

fn pool(max_threads: usize) -> BlockingPool {
    BlockingPool::builder().max_threads(max_threads).name("t").build().unwrap()
}

/// The rest of the stream, its errors as texts.
fn rest<T>(stream: &mut ThreadStream<T>) -> Vec<Result<T, String>> {
    let mut rest = Vec::new();
    while let Some(item) = block_on(stream.next()) {
        rest.push(item.map_err(|error| error.to_string()));
    }
    assert!(block_on(stream.next()).is_none(), "the end is the end");
    rest
}

/// Numbers without end, which say where they are dropped.
struct Endless(mpsc::Sender<String>, Arc<AtomicUsize>);

impl Iterator for Endless {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        Some(self.1.fetch_add(1, Ordering::SeqCst))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.send(thread_name()).unwrap();
    }
}

fn endless() -> (impl FnOnce() -> Endless + Send, Arc<AtomicUsize>, mpsc::Receiver<String>) {
    let (sender, receiver) = mpsc::channel();
    let made = Arc::new(AtomicUsize::new(0));
    let inner = made.clone();
    (move || Endless(sender, inner), made, receiver)
}

#[test]
fn items_come_in_order_and_then_the_end() {
    let pool = pool(2);
    for capacity in [Some(1), Some(2), Some(3), Some(64), None] {
        block_on(async {
            let mut stream = pool.stream(capacity, || 0..5_000);
            for expected in 0..5_000 {
                assert_eq!(stream.next().await.unwrap().unwrap(), expected);
            }
            assert!(stream.next().await.is_none());
            assert!(stream.is_closed(), "the iterator is dropped before the end is told");
            stream.closed().await.unwrap();
            assert_eq!((stream.produced(), stream.buffered()), (5_000, 0));
        });
    }
}

#[test]
fn the_iterator_need_not_be_send() {
    let mut stream = pool(1).stream(2, || {
        let shared = Rc::new(1);
        (0..3).map(move |i| i + *shared)
    });
    assert_eq!(rest(&mut stream), [Ok(1), Ok(2), Ok(3)]);
}

#[test]
fn no_item_is_made_before_there_is_room_for_it() {
    let pool = pool(1);
    for capacity in [1, 2, 5] {
        let (make, made, _dropped) = endless();
        let mut stream = pool.stream(capacity, make);
        let mut given_out = 0;
        for _ in 0..5 {
            // It goes on until it is blocked, which it stays until half is given out.
            until(|| {
                let ahead = made.load(Ordering::SeqCst) - given_out;
                pool.stats().waiting == 1 && ahead > capacity / 2
            });
            assert!(made.load(Ordering::SeqCst) <= given_out + capacity);
            for _ in 0..capacity {
                assert_eq!(block_on(stream.next()).unwrap().unwrap(), given_out);
                given_out += 1;
                assert!(made.load(Ordering::SeqCst) <= given_out + capacity);
            }
        }
        stream.close();
        block_on(stream.closed()).unwrap();
    }
}

#[test]
fn a_dropped_stream_stops_a_blocked_iterator_which_is_dropped_on_its_thread() {
    let pool = pool(1);
    let (make, made, dropped) = endless();
    let stream = pool.stream(3, make);
    until(|| pool.stats().waiting == 1);
    drop(stream);
    assert_eq!(dropped.recv_timeout(LONG).unwrap(), "t-0");
    assert_eq!(made.load(Ordering::SeqCst), 3);
}

#[test]
fn a_close_in_the_middle_drops_what_was_not_given_out() {
    let drops = Drops::default();
    let guards = drops.clone();
    let mut stream = pool(1).stream(4, move || (0..).map(move |_| guards.guard()));
    drop(block_on(stream.next()).unwrap().unwrap());
    stream.close();
    block_on(stream.closed()).unwrap();
    assert!(drops.count() as u64 >= stream.produced());
    assert_eq!(stream.buffered(), 0);
    assert!(block_on(stream.next()).is_none());
}

#[test]
fn a_stream_that_is_dropped_before_it_began_makes_nothing() {
    let pool = pool(1);
    let (door, front) = door();
    let first = pool.call(move || front.stand());
    door.wait();
    let drops = Drops::default();
    let guard = drops.guard();
    let mut stream = pool.stream(1, move || {
        drop(guard);
        unreachable!("it is not made");
        #[expect(unreachable_code, reason = "to have a type")]
        std::iter::empty::<u8>()
    });
    assert!(!stream.is_closed());
    stream.close();
    assert_eq!(drops.count(), 1, "what would make it is dropped at once");
    assert!(stream.is_closed());
    block_on(stream.closed()).unwrap();
    door.open();
    block_on(first).unwrap();
}

#[test]
fn a_panic_of_the_iterator_comes_after_the_items_before_it() {
    let mut stream = pool(1).stream(2, || (0..).inspect(|i| assert!(*i < 3, "three is too much")));
    let error = "the task panicked: three is too much".to_owned();
    assert_eq!(rest(&mut stream), [Ok(0), Ok(1), Ok(2), Err(error)]);
    block_on(stream.closed()).unwrap();
}

#[test]
fn a_panic_of_what_makes_the_iterator_is_the_only_item() {
    let mut stream = pool(1).stream(2, || -> Vec<u8> { panic!("unmade") });
    assert_eq!(rest(&mut stream), [Err("the task panicked: unmade".to_owned())]);
}

#[test]
fn a_panic_of_the_iterators_drop_is_told_to_who_waits_for_its_end() {
    let pool = pool(1);
    let with_bomb = || {
        let bomb = Bomb("a drop");
        (0..2).inspect(move |_| {
            let _keep = &bomb;
        })
    };
    let mut stream = pool.stream(2, with_bomb);
    assert_eq!(rest(&mut stream), [Ok(0), Ok(1)]);
    let error = block_on(stream.closed()).unwrap_err();
    assert_eq!(error.panic_message().as_deref(), Some("a drop"));
    block_on(stream.closed()).expect("told once");
    // The thread has survived it.
    assert_eq!(block_on(pool.call(thread_name)).unwrap(), "t-0");
}

#[test]
fn a_panic_after_a_close_is_told_to_who_waits_for_the_end() {
    let (door, front) = door();
    let mut stream = stream_with(&OwnThread::new(), 1, move |feed| {
        feed.push(1).unwrap();
        front.stand();
        panic!("late");
    });
    door.wait();
    stream.close();
    door.open();
    let error = block_on(stream.closed()).unwrap_err();
    assert_eq!(error.panic_message().as_deref(), Some("late"));
    assert!(block_on(stream.next()).is_none());
}

#[test]
fn a_stream_that_its_pool_drops_or_refuses_says_so() {
    let pool = pool(1);
    let (door, front) = door();
    let first = pool.call(move || front.stand());
    door.wait();
    let mut queued = pool.stream(1, || 0..3);
    pool.close_now();
    let mut refused = pool.stream(1, || 0..3);
    assert!(block_on(queued.next()).unwrap().unwrap_err().is_cancelled());
    assert!(block_on(queued.next()).is_none());
    assert!(block_on(refused.next()).unwrap().unwrap_err().is_refused());
    assert!(block_on(refused.next()).is_none());
    block_on(queued.closed()).unwrap();
    block_on(refused.closed()).unwrap();
    door.open();
    block_on(first).unwrap();
}

#[test]
fn a_hundred_full_streams_leave_a_pool_for_two_free_for_a_call() {
    let pool = pool(2);
    let streams: Vec<_> = (0..100).map(|_| pool.stream(2, || 0..)).collect();
    until(|| pool.stats().waiting == 100);
    assert_eq!(block_on(pool.call(|| 1)).unwrap(), 1);
    let threads = pool.stats().threads;
    assert!(threads <= 102, "{threads} for 100 that wait, on a pool for two");
    drop(streams);
    until(|| pool.stats().threads <= 2);
}

#[test]
fn a_feed_is_asked_before_each_item() {
    let (door, front) = door();
    let mut stream = stream_with(&OwnThread::new(), 2, move |feed| {
        assert!(feed.is_ready() && feed.is_ready(), "asking takes no room");
        feed.push(1).unwrap();
        feed.push(2).unwrap();
        assert!(!feed.is_ready() && !feed.is_closed());
        front.stand();
        // Half of it was given out: enough to go on without a wait.
        assert!(feed.is_ready());
        feed.push(3).unwrap();
        // Not asked first, it waits.
        feed.push(4).unwrap();
        while feed.wait_ready() {
            feed.push(5).unwrap();
        }
        assert!(feed.is_closed() && !feed.is_ready());
        assert!(feed.push(6).is_err());
    });
    door.wait();
    assert_eq!(block_on(stream.next()).unwrap().unwrap(), 1);
    door.open();
    for expected in [2, 3, 4, 5, 5] {
        assert_eq!(block_on(stream.next()).unwrap().unwrap(), expected);
    }
    stream.close();
    block_on(stream.closed()).unwrap();
}
