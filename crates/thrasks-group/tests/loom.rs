//! Every interleaving of a few calls, as far as loom's bound on preemptions goes:
//! `RUSTFLAGS="--cfg thrasks_loom" cargo test -p thrasks-group --test loom --release`
#![cfg(thrasks_loom)]

use loom::{model::Builder, sync::Arc, thread};
use thrasks_group::{GroupState, Refusal};

fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

fn open() -> Arc<GroupState<u8, u8>> {
    let group = Arc::new(GroupState::new());
    group.enter().unwrap();
    group
}

#[test]
fn a_member_is_refused_or_named_by_the_abort_and_never_both_or_neither() {
    model(|| {
        let group = open();
        let spawners: Vec<_> = (0..2)
            .map(|i| {
                let group = group.clone();
                thread::spawn(move || group.admit(i).map_err(|refused| refused.refusal))
            })
            .collect();
        let named = group.abort().expect("the only abort");
        for (i, spawner) in spawners.into_iter().enumerate() {
            let admitted = spawner.join().unwrap();
            match admitted {
                Ok(_ticket) => assert!(named.contains(&(i as u8)), "{i} was admitted and missed"),
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::ShuttingDown);
                    assert!(!named.contains(&(i as u8)));
                }
            }
        }
    });
}

#[test]
fn one_abort_names_the_members_and_no_member_that_left() {
    model(|| {
        let group = open();
        let (a, _b) = (group.admit(0).unwrap(), group.admit(1).unwrap());
        let other = group.clone();
        let aborter = thread::spawn(move || other.abort());
        let left = group.leave(a, Some(7));
        assert!(!left.drained);
        let mine = group.abort();
        let theirs = aborter.join().unwrap();
        assert!(mine.is_some() != theirs.is_some());
        if let Some(mine) = mine {
            assert_eq!(mine, [1]);
        }
        assert!(theirs.is_none_or(|theirs| theirs.ends_with(&[1])));
        assert_eq!(group.take_errors(), [7]);
    });
}

#[test]
fn exactly_one_of_those_who_leave_finds_the_group_finished() {
    model(|| {
        let group = open();
        // As a task group does it: the body is a member, too.
        let body = group.admit(9).unwrap();
        let leavers: Vec<_> = (0..2)
            .map(|i| {
                let ticket = group.admit(i).unwrap();
                let group = group.clone();
                thread::spawn(move || group.leave(ticket, None).drained && group.is_finished())
            })
            .collect();
        assert!(!group.begin_exit());
        let mut finders = usize::from(group.leave(body, None).drained && group.is_finished());
        for leaver in leavers {
            finders += usize::from(leaver.join().unwrap());
        }
        assert_eq!(finders, 1);
        assert_eq!(group.admit(9).unwrap_err().refusal, Refusal::Finished);
    });
}

#[test]
fn a_member_that_brings_in_another_while_the_body_ends_keeps_the_group_going() {
    model(|| {
        let group = open();
        let parent = group.admit(0).unwrap();
        let other = group.clone();
        let member = thread::spawn(move || {
            let child = other.admit(1).expect("its parent is still in");
            assert!(!other.leave(parent, None).drained);
            other.leave(child, None).drained && other.is_finished()
        });
        let by_body = group.begin_exit();
        assert!(member.join().unwrap() | by_body);
        assert!(group.is_finished());
    });
}

/// The models of what cannot be got at from here.
macro_rules! inside {
    ($($name:ident)+) => {$(
        #[test]
        fn $name() {
            model(thrasks_group::models::$name);
        }
    )+};
}

inside! {
    a_child_that_is_cancelled_while_it_begins_to_wait_ends
    a_child_that_begins_to_wait_while_its_group_is_aborted_ends
    a_child_that_ends_while_it_is_started_makes_room_once
    a_dropped_scope_keeps_no_failure
    a_scope_is_told_that_its_last_child_has_ended
    a_scope_whose_child_fails_drops_its_body_and_ends
    who_awaits_a_child_is_told_of_its_end
    a_value_whose_handle_is_dropped_is_dropped_once
    a_scope_ends_after_the_holds_on_its_children
    who_waits_for_a_group_sees_what_its_children_did
}
