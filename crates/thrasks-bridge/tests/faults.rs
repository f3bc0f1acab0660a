//! Code that is not ours panics wherever it is called, woken or dropped: nothing hangs, no thread of
//! a pool is lost, and what can be told is told.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    sync::Arc,
    task::{Context, Waker},
};

use common::{BadWaker, Bomb, Drops, block_on, door, thread_name, until};
use thrasks_bridge::{
    BlockingPool, OwnThread, Sender, Yielder, channel, generator, once_from_callback, stream_with,
};

fn pool() -> BlockingPool {
    BlockingPool::builder().max_threads(1).name("t").build().unwrap()
}

/// The pool has its one thread still, and ends.
fn intact(pool: &BlockingPool) {
    assert_eq!(block_on(pool.call(thread_name)).unwrap(), "t-0");
    pool.close();
    assert!(pool.wait_closed(None));
}

fn bad() -> Waker {
    Arc::new(BadWaker).into()
}

#[test]
fn a_bad_waker_of_a_stream_is_no_loss_of_its_iterator() {
    let pool = pool();
    let (door, front) = door();
    let mut stream = pool.stream(4, move || {
        front.stand();
        0..3
    });
    door.wait();
    assert!(stream.poll_next(&mut Context::from_waker(&bad())).is_pending());
    door.open();
    for expected in 0..3 {
        assert_eq!(block_on(stream.next()).unwrap().unwrap(), expected);
    }
    assert!(block_on(stream.next()).is_none());
    intact(&pool);
}

#[test]
fn a_bad_waker_of_a_receiver_is_no_loss_of_its_senders() {
    let (sender, mut receiver) = channel(4);
    let mut cx = Context::from_waker(Waker::noop());
    for item in 0..3 {
        assert!(receiver.poll_next(&mut Context::from_waker(&bad())).is_pending());
        sender.send(item).unwrap();
        assert!(receiver.poll_next(&mut cx).is_ready());
    }
    assert!(receiver.poll_next(&mut Context::from_waker(&bad())).is_pending());
    drop(sender);
    assert!(receiver.poll_next(&mut cx).is_ready());
}

#[test]
fn a_bad_waker_of_who_waits_for_an_end_is_no_loss_of_the_others() {
    let pool = pool();
    let (door, front) = door();
    let mut stream = stream_with::<u8, _>(&pool, 1, move |feed| {
        front.stand();
        assert!(feed.is_closed());
    });
    door.wait();
    stream.close();
    assert!(stream.poll_closed(&mut Context::from_waker(&bad())).is_pending());
    pool.close();
    let mut closed = Box::pin(pool.closed());
    assert!(closed.as_mut().poll(&mut Context::from_waker(&bad())).is_pending());
    let other = pool.clone();
    let waiting = std::thread::spawn(move || block_on(other.closed()));
    door.open();
    waiting.join().unwrap();
    block_on(stream.closed()).unwrap();
    assert_eq!(pool.stats().panicked, 0);
}

#[test]
fn items_that_panic_when_dropped_keep_no_others_from_theirs() {
    let pool = pool();
    let drops = Drops::default();
    struct Item(#[expect(dead_code, reason = "for its drop")] common::DropGuard);
    impl Drop for Item {
        fn drop(&mut self) {
            panic!("an item");
        }
    }
    let guards = drops.clone();
    let mut stream = pool.stream(3, move || (0..).map(move |_| Item(guards.guard())));
    until(|| stream.buffered() == 3);
    stream.close();
    block_on(stream.closed()).unwrap();
    assert_eq!(drops.count(), 3);
    intact(&pool);
}

#[test]
fn an_item_that_comes_too_late_and_panics_when_dropped_is_no_error_of_the_iterator() {
    let (door, front) = door();
    let pool = pool();
    let mut stream = pool.stream(3, move || {
        std::iter::once_with(move || {
            front.stand();
            Bomb("too late")
        })
    });
    door.wait();
    stream.close();
    door.open();
    block_on(stream.closed()).unwrap();
    intact(&pool);
}

#[test]
fn a_generators_panic_is_the_outcome_of_its_step() {
    let pool = pool();
    let mut broken = generator(pool.clone(), |yielder: &mut Yielder<u8, (), u8>| -> u8 {
        yielder.first().unwrap();
        panic!("in the first step")
    });
    broken.start_send(1).unwrap();
    let error = block_on(broken.step()).unwrap_err();
    assert_eq!(error.panic_message().as_deref(), Some("in the first step"));
    block_on(broken.closed()).unwrap();
    intact(&pool);
}

#[test]
fn a_panic_of_a_generator_that_was_closed_is_told_to_who_waits_for_its_end() {
    let pool = pool();
    let mut broken = generator(pool.clone(), |yielder: &mut Yielder<u8, (), u8>| -> u8 {
        yielder.put(1).unwrap();
        panic!("before its next yield")
    });
    let mut cx = Context::from_waker(Waker::noop());
    block_on(broken.send(0)).unwrap();
    broken.start_send(1).unwrap();
    let _ = broken.poll_step(&mut cx);
    until(|| broken.is_closed());
    broken.close();
    // Its panic was an answer, which nobody took.
    block_on(broken.closed()).unwrap();

    let mut late = generator(pool.clone(), |yielder: &mut Yielder<u8, (), u8>| -> u8 {
        yielder.put(1).unwrap_err();
        panic!("when it is closed")
    });
    block_on(late.send(0)).unwrap();
    late.close();
    let error = block_on(late.closed()).unwrap_err();
    assert_eq!(error.panic_message().as_deref(), Some("when it is closed"));
    intact(&pool);
}

#[test]
fn what_a_generator_never_gave_away_may_panic_when_it_is_dropped() {
    let pool = pool();
    // A message that is not heard, and an answer that is not taken.
    let mut deaf = generator(pool.clone(), |_: &mut Yielder<Bomb, (), u8>| Bomb("unwanted result"));
    deaf.start_send(Bomb("unheard")).unwrap();
    until(|| deaf.is_closed());
    drop(deaf);
    // Code that has not begun.
    let bomb = Bomb("code");
    drop(generator(pool.clone(), move |_: &mut Yielder<u8, (), u8>| drop(bomb)));
    intact(&pool);
}

#[test]
fn a_generator_that_is_refused_or_dropped_by_its_pool_says_so_once() {
    let pool = pool();
    let (door, front) = door();
    pool.call(move || front.stand()).detach();
    door.wait();
    let body = |yielder: &mut Yielder<u8, (), u8>| yielder.put(1).is_ok();
    let (mut queued, mut refused) = (generator(pool.clone(), body), generator(pool.clone(), body));
    queued.start_send(1).unwrap();
    pool.close_now();
    refused.start_send(1).unwrap();
    assert!(block_on(queued.step()).unwrap_err().is_cancelled());
    assert!(block_on(refused.step()).unwrap_err().is_refused());
    for generator in [&mut queued, &mut refused] {
        assert!(generator.start_send(1).is_err());
        block_on(generator.closed()).unwrap();
    }
    door.open();
}

#[test]
fn code_that_calls_back_may_panic_when_it_is_dropped_unrun() {
    let pool = pool();
    let (door, front) = door();
    pool.call(move || front.stand()).detach();
    door.wait();
    let (one, two) = (Bomb("once"), Bomb("stream"));
    drop(once_from_callback::<u8, _>(&pool, move |_resolver| drop(one)));
    let run = move |_sender: Sender<u8>| drop(two);
    drop(thrasks_bridge::stream_from_callback(&pool, 1, run));
    door.open();
    intact(&pool);
}

#[test]
fn a_thread_of_its_own_may_be_refused_by_panics_and_survives_them() {
    let refuses = OwnThread::new().spawn_hook(|_spec| panic!("a hook"));
    assert!(block_on(refuses.call(|| 1)).unwrap_err().is_refused());
    let drops = OwnThread::new().spawn_hook(|spec| {
        drop(spec);
        Ok(Box::new(|| ()) as thrasks_bridge::Join)
    });
    assert!(block_on(drops.call(|| 1)).unwrap_err().is_cancelled());
    let named = OwnThread::new().name("with\0nul");
    assert!(block_on(named.call(|| 1)).unwrap_err().is_refused());
}
