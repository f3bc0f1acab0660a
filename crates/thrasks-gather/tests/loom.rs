//! Every interleaving of a few calls, as far as loom's bound on preemptions goes:
//! `RUSTFLAGS="--cfg thrasks_loom" cargo test -p thrasks-gather --test loom --release`
#![cfg(thrasks_loom)]

use loom::{
    model::Builder,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};
use thrasks_gather::Slots;

fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

#[test]
fn exactly_one_is_the_last_and_it_sees_every_slot() {
    model(|| {
        let slots = Arc::new(Slots::new(3));
        let fill = |index: usize| {
            let slots = slots.clone();
            move || {
                let last = slots.fill(index, index);
                if last {
                    assert_eq!(slots.take_all(), [Some(0), Some(1), Some(2)]);
                }
                last
            }
        };
        let threads = [thread::spawn(fill(0)), thread::spawn(fill(1))];
        let mine = fill(2)();
        let theirs = threads.map(|thread| thread.join().unwrap());
        assert_eq!(theirs.into_iter().chain([mine]).filter(|last| *last).count(), 1);
        assert_eq!(slots.left(), 0);
    });
}

#[test]
fn of_threads_that_count_several_at_once_one_is_the_last_and_sees_every_slot() {
    model(|| {
        let slots = Arc::new(Slots::new(4));
        let fill = |indices: [usize; 2]| {
            let slots = slots.clone();
            move || {
                indices.into_iter().for_each(|index| slots.place(index, index));
                let last = slots.settle(2);
                if last {
                    assert_eq!(slots.take_all(), [Some(0), Some(1), Some(2), Some(3)]);
                }
                last
            }
        };
        let theirs = thread::spawn(fill([0, 2]));
        let mine = fill([1, 3])();
        assert!(mine ^ theirs.join().unwrap());
        assert_eq!(slots.left(), 0);
    });
}

#[test]
fn who_sees_the_countdown_at_its_end_sees_what_every_job_did_before() {
    model(|| {
        // Relaxed: loom shows every value that the countdown does not rule out.
        let shared = Arc::new((Slots::new(2), [AtomicBool::new(false), AtomicBool::new(false)]));
        let threads = [0, 1].map(|index| {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.1[index].store(true, Relaxed);
                shared.0.fill(index, ());
            })
        });
        if shared.0.left() == 0 {
            assert!(shared.1.iter().all(|done| done.load(Relaxed)));
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// The models of what cannot be got at from here.
macro_rules! inside {
    ($($name:ident)+) => {$(
        #[test]
        fn $name() {
            model(thrasks_gather::models::$name);
        }
    )+};
}

inside! {
    a_gather_is_told_of_its_last_task_and_sees_every_outcome
    one_of_two_failures_is_the_first
    a_failure_is_told_while_others_run
    a_gather_ends_after_the_holds_on_its_tasks
    tasks_that_are_refused_at_their_turn_make_room_for_the_next
    a_task_that_begins_to_wait_while_its_gather_is_stopped_ends
}
