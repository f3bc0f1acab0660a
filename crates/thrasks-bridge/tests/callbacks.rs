//! Callbacks into streams and futures.
#![cfg(not(thrasks_loom))]

mod common;

use std::{sync::mpsc, thread};

use common::{Bomb, Drops, block_on, door};
use thrasks_bridge::{
    BlockingPool, OwnThread, Resolver, Sender, once_from_callback, stream_from_callback,
};

fn pool() -> BlockingPool {
    BlockingPool::builder().max_threads(1).build().unwrap()
}

#[test]
fn a_stream_lasts_as_long_as_its_senders() {
    let (give, given) = mpsc::channel::<Sender<u32>>();
    let mut stream = stream_from_callback(&pool(), 4, move |sender: Sender<u32>| {
        sender.send(1).unwrap();
        give.send(sender).unwrap();
    });
    let sender = given.recv().unwrap();
    block_on(async {
        // What was to run has returned; a callback of it is still about.
        stream.closed().await.unwrap();
        let thread = thread::spawn(move || sender.send(2).unwrap());
        assert_eq!(stream.next().await.unwrap().unwrap(), 1);
        assert_eq!(stream.next().await.unwrap().unwrap(), 2);
        assert!(stream.next().await.is_none());
        thread.join().unwrap();
    });
}

#[test]
fn callbacks_of_many_threads_block_while_the_stream_is_full() {
    let mut stream = stream_from_callback(&OwnThread::new(), 2, |sender: Sender<u32>| {
        thread::scope(|scope| {
            for who in 0..4 {
                let sender = sender.clone();
                scope.spawn(move || (0..100).for_each(|i| sender.send(who * 100 + i).unwrap()));
            }
        });
    });
    let mut all = Vec::new();
    while let Some(item) = block_on(stream.next()) {
        all.push(item.unwrap());
        assert!(stream.buffered() <= 2);
    }
    all.sort_unstable();
    assert_eq!(all, (0..400).collect::<Vec<_>>());
}

#[test]
fn a_panic_of_the_code_is_the_last_item_though_its_sender_dies_in_it() {
    let mut stream = stream_from_callback(&pool(), 4, |sender: Sender<u32>| {
        sender.send(1).unwrap();
        panic!("registering failed");
    });
    assert_eq!(block_on(stream.next()).unwrap().unwrap(), 1);
    let error = block_on(stream.next()).unwrap().unwrap_err();
    assert_eq!(error.panic_message().as_deref(), Some("registering failed"));
    assert!(block_on(stream.next()).is_none());
}

#[test]
fn a_dropped_stream_tells_its_callbacks() {
    let (tell, told) = mpsc::channel();
    let stream = stream_from_callback(&OwnThread::new(), 1, move |sender: Sender<u32>| {
        tell.send(sender.wait_closed(None)).unwrap();
    });
    drop(stream);
    // Not begun, or told of it.
    assert!(told.recv().unwrap_or(true));
}

#[test]
fn a_sender_can_end_the_stream_before_the_code_returns() {
    let (door, front) = door();
    let mut stream = stream_from_callback(&OwnThread::new(), 1, move |sender: Sender<u32>| {
        sender.send(1).unwrap();
        sender.close();
        front.stand();
    });
    assert_eq!(block_on(stream.next()).unwrap().unwrap(), 1);
    assert!(block_on(stream.next()).is_none());
    door.wait();
    assert!(!stream.is_closed());
    door.open();
    block_on(stream.closed()).unwrap();
}

#[test]
fn a_value_may_come_long_after_the_code_has_returned() {
    let pool = pool();
    let (give, given) = mpsc::channel::<Resolver<u32>>();
    let once = once_from_callback(&pool, move |resolver| give.send(resolver).unwrap());
    let resolver = given.recv().unwrap();
    block_on(pool.call(|| ())).unwrap();
    let clone = resolver.clone();
    drop(resolver);
    assert_eq!(clone.resolve(7), Ok(()));
    assert_eq!(clone.resolve(8), Err(8));
    assert_eq!(block_on(once).unwrap(), 7);
    assert!(clone.is_closed());
}

#[test]
fn a_value_that_never_comes_is_an_error() {
    let pool = pool();
    let never = once_from_callback::<u8, _>(&pool, drop);
    assert!(block_on(never).unwrap_err().is_cancelled());
    let panics = once_from_callback::<u8, _>(&pool, |_resolver| panic!("unregistered"));
    assert_eq!(block_on(panics).unwrap_err().panic_message().as_deref(), Some("unregistered"));
    let value_first = once_from_callback(&pool, |resolver| {
        resolver.resolve(1).unwrap();
        panic!("after the value");
    });
    assert_eq!(block_on(value_first).unwrap(), 1);
    pool.close();
    let refused = once_from_callback::<u8, _>(&pool, drop);
    assert!(block_on(refused).unwrap_err().is_refused());
}

#[test]
fn a_value_that_nobody_wants_comes_back_and_code_that_has_not_begun_is_dropped() {
    let (give, given) = mpsc::channel::<Resolver<u32>>();
    let once = once_from_callback(&OwnThread::new(), move |resolver| give.send(resolver).unwrap());
    let resolver = given.recv().unwrap();
    drop(once);
    assert!(resolver.is_closed());
    assert_eq!(resolver.resolve(7), Err(7));

    let pool = pool();
    let (door, front) = door();
    pool.call(move || front.stand()).detach();
    door.wait();
    let drops = Drops::default();
    let guard = drops.guard();
    drop(once_from_callback::<u8, _>(&pool, move |_resolver| drop(guard)));
    assert_eq!(drops.count(), 1);
    door.open();
}

#[test]
fn a_value_that_panics_when_dropped_unwanted_costs_nobody_anything() {
    let (give, given) = mpsc::channel::<Resolver<Bomb>>();
    let once = once_from_callback(&OwnThread::new(), move |resolver| give.send(resolver).unwrap());
    given.recv().unwrap().resolve(Bomb("unwanted")).ok().unwrap();
    drop(once);
}
