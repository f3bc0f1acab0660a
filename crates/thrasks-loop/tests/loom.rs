//! Models of the wake-ups, run by loom over every interleaving that the memory model allows:
//! `RUSTFLAGS="--cfg thrasks_loom" cargo test -p thrasks-loop --test loom --release`.
#![cfg(thrasks_loom)]

use std::{sync::Arc as StdArc, task::Wake};

use loom::{
    model::Builder,
    sync::{
        Arc, Notify,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use thrasks_loop::{Inbox, Signal};

/// Three threads that preempt each other at will have too many interleavings. Bugs of this kind
/// show with two preemptions; three leave a margin.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// What a loop sleeps on: a parker. loom reports a deadlock when nobody wakes it.
struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: StdArc<Self>) {
        self.0.notify();
    }
}

impl Bell {
    fn new() -> StdArc<Self> {
        StdArc::new(Self(Notify::new()))
    }

    fn sleep(&self) {
        self.0.wait();
    }
}

/// What `Signal` promises by itself: work that is published relaxed before `notify` is seen after
/// `acknowledge`.
#[test]
fn no_notification_is_lost() {
    model(|| {
        let bell = Bell::new();
        let signal = Arc::new(Signal::new(bell.clone().into()));
        let work = Arc::new(AtomicUsize::new(0));
        let producers: Vec<_> = (0..2)
            .map(|_| {
                let (signal, work) = (signal.clone(), work.clone());
                thread::spawn(move || {
                    work.fetch_add(1, Ordering::Relaxed);
                    signal.notify();
                })
            })
            .collect();
        let mut seen = 0;
        while seen < 2 {
            signal.acknowledge();
            seen = work.load(Ordering::Relaxed);
            if seen < 2 && !signal.is_raised() {
                bell.sleep();
            }
        }
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    });
}

/// The same for a loop that, like the example of `Driver`, does not look at the signal before it
/// sleeps, and relies on its parker to remember a wake-up.
#[test]
fn no_notification_is_lost_on_a_loop_that_just_parks() {
    model(|| {
        let bell = Bell::new();
        let signal = Arc::new(Signal::new(bell.clone().into()));
        let work = Arc::new(AtomicUsize::new(0));
        let producers: Vec<_> = (0..2)
            .map(|_| {
                let (signal, work) = (signal.clone(), work.clone());
                thread::spawn(move || {
                    work.fetch_add(1, Ordering::Relaxed);
                    signal.notify();
                })
            })
            .collect();
        loop {
            signal.acknowledge();
            if work.load(Ordering::Relaxed) == 2 {
                break;
            }
            bell.sleep();
        }
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    });
}

/// A waker that does not know yet whom to wake, as those of drivers before their loop runs.
#[test]
fn no_notification_is_lost_while_the_loop_introduces_itself() {
    struct Slot {
        known: AtomicUsize,
        bell: Notify,
    }
    impl Wake for Slot {
        fn wake(self: StdArc<Self>) {
            if self.known.load(Ordering::Relaxed) == 1 {
                self.bell.notify();
            }
        }
    }

    model(|| {
        let slot = StdArc::new(Slot { known: AtomicUsize::new(0), bell: Notify::new() });
        let signal = Arc::new(Signal::new(slot.clone().into()));
        let work = Arc::new(AtomicUsize::new(0));
        let producer = {
            let (signal, work) = (signal.clone(), work.clone());
            thread::spawn(move || {
                work.store(1, Ordering::Relaxed);
                signal.notify();
            })
        };
        slot.known.store(1, Ordering::Relaxed);
        loop {
            signal.acknowledge();
            if work.load(Ordering::Relaxed) == 1 {
                break;
            }
            if !signal.is_raised() {
                slot.bell.wait();
            }
        }
        producer.join().unwrap();
    });
}

/// The handshake of a loop and those who push: acknowledge, pop until empty, sleep unless notified.
#[test]
fn every_item_pushed_is_popped_and_nobody_sleeps_for_ever() {
    model(|| {
        let bell = Bell::new();
        let inbox = Arc::new(Inbox::new(bell.clone().into()));
        let producers: Vec<_> = (0..2)
            .map(|i| {
                let inbox = inbox.clone();
                thread::spawn(move || inbox.push(i).unwrap())
            })
            .collect();
        let mut sum = 0;
        let mut count = 0;
        while count < 2 {
            inbox.acknowledge();
            while let Some(item) = inbox.pop() {
                sum += item;
                count += 1;
            }
            if count < 2 && !inbox.is_notified() {
                bell.sleep();
            }
        }
        assert_eq!((sum, inbox.pop()), (1, None));
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    });
}

/// One producer, several items: they come in order, and a burst wakes no more often than the loop
/// acknowledges.
#[test]
fn a_burst_is_coalesced() {
    struct Count(Notify, AtomicUsize);
    impl Wake for Count {
        fn wake(self: StdArc<Self>) {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.notify();
        }
    }

    model(|| {
        let bell = StdArc::new(Count(Notify::new(), AtomicUsize::new(0)));
        let inbox = Arc::new(Inbox::new(bell.clone().into()));
        let pushing = inbox.clone();
        let producer = thread::spawn(move || (0..3).for_each(|i| pushing.push(i).unwrap()));
        let mut acknowledged = 0;
        let mut got = Vec::new();
        while got.len() < 3 {
            acknowledged += usize::from(inbox.acknowledge());
            while let Some(item) = inbox.pop() {
                got.push(item);
            }
            if got.len() < 3 && !inbox.is_notified() {
                bell.0.wait();
            }
        }
        producer.join().unwrap();
        assert_eq!(got, [0, 1, 2]);
        assert!(bell.1.load(Ordering::Relaxed) <= acknowledged + 1);
    });
}

/// Closing against pushing: the item is popped by the one who closes, or given back.
#[test]
fn an_item_is_in_or_out_when_the_inbox_closes() {
    model(|| {
        let bell = Bell::new();
        let inbox = Arc::new(Inbox::new(bell.into()));
        let pushing = inbox.clone();
        let producer = thread::spawn(move || pushing.push(7).is_ok());
        inbox.close();
        let popped = inbox.pop().is_some();
        let accepted = producer.join().unwrap();
        assert_eq!(accepted, popped || inbox.pop().is_some());
        // Nothing comes after the close: what is accepted was in before.
        assert_eq!(accepted, popped);
    });
}

/// The models of what cannot be got at from here.
macro_rules! inside {
    ($($name:ident)+) => {$(
        #[test]
        fn $name() {
            model(thrasks_loop::models::$name);
        }
    )+};
}

inside! {
    an_outcome_is_found_or_wakes_the_one_who_waits
    a_cancelled_task_ends_and_who_awaits_it_learns_of_it
    an_outcome_and_a_cancel_at_once_are_one_of_the_two
    a_task_that_is_given_up_while_it_is_cancelled_is_cancelled
    a_task_that_is_woken_after_its_first_step_is_polled_again
    a_permit_goes_from_one_to_the_next
    one_who_leaves_the_line_keeps_the_permit_from_nobody
    closing_a_bound_ends_the_waiting
    a_job_dealt_to_a_loop_that_ends_is_run_by_another
    a_job_placed_on_a_loop_that_ends_is_run_by_another
    a_job_handed_to_a_loop_that_ends_is_run_by_another
    with_its_last_loop_a_crew_is_closed
    a_loop_that_ends_while_it_is_seated_is_lost
    a_loop_that_is_seated_finds_what_waits_there
    a_loop_that_is_seated_is_called_for_the_first_job
    a_loop_that_loses_its_seat_lets_go_of_it
    who_waits_for_the_end_of_all_jobs_waits_as_long_as_that_and_no_longer
    who_waits_for_a_loops_exit_is_told
}
