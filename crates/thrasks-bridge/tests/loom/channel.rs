use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};
use thrasks_bridge::{TrySendError, channel, stream_with};
use thrasks_loop::models::Bell;

use super::{model, own};

#[test]
fn neither_side_sleeps_for_ever_when_each_item_fills_the_channel() {
    model(3, || {
        let (sender, mut receiver) = channel(1);
        let thread = thread::spawn(move || (0..3).for_each(|i| sender.send(i).unwrap()));
        for expected in 0..3 {
            assert_eq!(Bell::block_on(receiver.next()), Some(expected));
        }
        assert_eq!(Bell::block_on(receiver.next()), None);
        thread.join().unwrap();
    });
}

/// The sender is woken when the channel is half empty, not before: nothing is lost on the way.
#[test]
fn neither_side_sleeps_for_ever_when_the_channel_holds_two() {
    model(3, || {
        let (sender, mut receiver) = channel(2);
        let thread = thread::spawn(move || (0..4).for_each(|i| sender.send(i).unwrap()));
        for expected in 0..4 {
            assert_eq!(Bell::block_on(receiver.next()), Some(expected));
        }
        assert_eq!(Bell::block_on(receiver.next()), None);
        thread.join().unwrap();
    });
}

/// Two that are blocked at once, the one's mark for its wake-up over the other's.
#[test]
fn two_blocked_senders_both_go_on() {
    model(2, || {
        let (sender, mut receiver) = channel(1);
        let other = sender.clone();
        let threads = [
            thread::spawn(move || (0..2).for_each(|_| sender.send(1).unwrap())),
            thread::spawn(move || other.send(10).unwrap()),
        ];
        let mut sum = 0;
        while let Some(item) = Bell::block_on(receiver.next()) {
            sum += item;
        }
        assert_eq!(sum, 12);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// One that does not wait takes the room that a blocked one was to have.
#[test]
fn a_blocked_sender_goes_on_though_another_takes_its_room() {
    model(2, || {
        let (sender, mut receiver) = channel(2);
        sender.send(1).unwrap();
        sender.send(1).unwrap();
        let other = sender.clone();
        let blocked = thread::spawn(move || sender.send(1).unwrap());
        let quick = thread::spawn(move || match other.try_send(1) {
            Ok(()) => 1,
            Err(TrySendError::Full(_)) => 0,
            Err(TrySendError::Closed(_)) => unreachable!("the receiver is there"),
        });
        let mut got = 0;
        while let Some(item) = Bell::block_on(receiver.next()) {
            got += item;
        }
        blocked.join().unwrap();
        assert_eq!(got, 3 + quick.join().unwrap());
    });
}

#[test]
fn a_blocked_sender_hears_of_a_close() {
    model(3, || {
        let (sender, receiver) = channel(1);
        sender.send(1).unwrap();
        let thread = thread::spawn(move || sender.send(2).is_err());
        drop(receiver);
        assert!(thread.join().unwrap());
    });
}

#[test]
fn who_waits_for_a_close_hears_of_it() {
    model(3, || {
        let (sender, receiver) = channel::<u8>(1);
        let thread = thread::spawn(move || sender.wait_closed(None));
        drop(receiver);
        assert!(thread.join().unwrap());
    });
}

#[test]
fn an_item_is_received_or_given_back_when_senders_close() {
    model(3, || {
        let (sender, mut receiver) = channel(1);
        let other = sender.clone();
        let sends = thread::spawn(move || usize::from(sender.send(1).is_ok()));
        let closes = thread::spawn(move || other.close());
        let mut got = 0;
        while let Some(item) = Bell::block_on(receiver.next()) {
            got += item;
        }
        assert_eq!(got, sends.join().unwrap());
        closes.join().unwrap();
    });
}

/// What is made and not given out is never more than the capacity.
#[test]
fn a_feed_is_never_ahead_of_its_stream_by_more_than_the_capacity() {
    model(2, || {
        let given_out = Arc::new(AtomicUsize::new(0));
        let seen = given_out.clone();
        let mut stream = stream_with(&own(), 2, move |feed| {
            for made in 1..=4 {
                assert!(feed.wait_ready());
                // One more may have been given out than is counted: it is counted after.
                assert!(made <= seen.load(Relaxed) + 2 + 1);
                feed.push(made).unwrap();
            }
        });
        for expected in 1..=4 {
            assert_eq!(Bell::block_on(stream.next()).unwrap().unwrap(), expected);
            given_out.store(expected, Relaxed);
        }
        assert!(Bell::block_on(stream.next()).is_none());
    });
}
