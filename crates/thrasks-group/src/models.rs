//! Models of what cannot be got at from outside, for `tests/loom.rs` to run.

use std::{
    any::Any,
    future::{Pending, Ready, pending, ready},
    sync::Arc,
    task::Waker,
};

use loom::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};
use thrasks_loop::{JoinError, Keeper, models::Bell};

use crate::{
    Failure, GroupHandle, Hold,
    tasks::{
        child::{Child, Handle},
        core::{Core, Waiting},
        scope::Scope,
    },
    within,
};

/// Counts its drops.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn counter() -> Arc<AtomicUsize> {
    Arc::new(AtomicUsize::new(0))
}

type Made<T, E> = Child<Box<dyn FnOnce() -> Ready<Result<T, E>> + Send>, T, E>;

/// A group that runs, and a child in it, which ends like this when it is run.
fn group<T, E>(
    collect: bool,
    limit: Option<usize>,
    outcome: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> (Scope<E>, Arc<Made<T, E>>, Arc<Core<E>>)
where
    T: Send + 'static,
    E: Send + 'static,
{
    let core = Arc::new(Core::new(!collect, limit));
    let scope = Scope::enter(core.clone()).expect("it is new");
    let order = core.state.count_in().expect("it is open");
    let child = Child::new(core.clone(), order, Box::new(|| ready(outcome())) as _);
    (scope, Arc::new(child), core)
}

/// Runs a child to its end, as a loop does.
fn run<T, E>(child: Arc<Made<T, E>>)
where
    T: Send + 'static,
    E: Send + 'static,
{
    let outcome = match child.begin(0) {
        Some(future) => Ok(Bell::block_on(future)),
        None => Err(JoinError::cancelled()),
    };
    child.ended(0, outcome);
}

type Waits = Child<fn() -> Pending<Result<u8, u8>>, u8, u8>;

/// A child that waits for ever, begun by its loop and not yet told that it has to wait.
fn waiting() -> (Scope<u8>, Arc<Waits>, Arc<Core<u8>>) {
    let core = Arc::new(Core::new(true, None));
    let scope = Scope::enter(core.clone()).expect("it is new");
    let order = core.state.count_in().expect("it is open");
    let child = Arc::new(Waits::new(core.clone(), order, pending));
    (scope, child, core)
}

/// The loop's side of a child that waits for ever: it ends when it is cancelled.
fn wait(child: Arc<Waits>) {
    if let Some(_future) = child.begin(0) {
        let bell = Bell::new();
        let waker = Waker::from(bell.clone());
        while !child.waits(0, &waker) {
            bell.sleep();
        }
    }
    child.ended(0, Err(JoinError::cancelled()));
}

/// A child that waits, or is about to, is cancelled: it ends.
pub fn a_child_that_is_cancelled_while_it_begins_to_wait_ends() {
    let (_scope, child, core) = waiting();
    let cancelled = child.clone();
    let task = thread::spawn(move || wait(child));
    Handle::cancel(&*cancelled);
    task.join().unwrap();
    assert_eq!((core.state.len(), core.state.error_count()), (1, 0));
}

/// A group is aborted while a child in it begins, or begins to wait: the child is named, or finds out.
pub fn a_child_that_begins_to_wait_while_its_group_is_aborted_ends() {
    let (scope, child, core) = waiting();
    let task = thread::spawn(move || wait(child));
    core.abort();
    task.join().unwrap();
    drop(scope);
    Bell::block_on(core.ended());
    assert!(core.state.members_with(|_| ()).is_empty());
}

/// A child that waits for its turn, and counts how often it came.
struct Next(Arc<AtomicUsize>);

impl Waiting for Next {
    fn start(self: Box<Self>) -> bool {
        self.0.fetch_add(1, Relaxed);
        true
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A child ends while the pool is given it: one of the two, and only one, starts the next.
pub fn a_child_that_ends_while_it_is_started_makes_room_once() {
    let (_scope, child, core) = group::<u8, u8>(true, Some(1), || Ok(7));
    let turns = counter();
    let limit = core.limit().unwrap();
    assert!(limit.enter(Box::new(Next(turns.clone()))).is_some());
    for _ in 0..2 {
        assert!(limit.enter(Box::new(Next(turns.clone()))).is_none());
    }
    child.starting();
    let ending = child.clone();
    let task = thread::spawn(move || run(ending));
    if !child.started() {
        core.start_next();
    }
    task.join().unwrap();
    assert_eq!(turns.load(Relaxed), 1);
}

/// A scope is dropped while a child fails: the group ends, and keeps no failure.
pub fn a_dropped_scope_keeps_no_failure() {
    let drops = counter();
    let error = Counted(drops.clone());
    let (scope, child, core) = group::<u8, _>(true, None, || Err(error));
    let task = thread::spawn(move || run(child));
    drop(scope);
    Bell::block_on(core.ended());
    task.join().unwrap();
    assert_eq!(core.state.error_count(), 0);
    assert_eq!(drops.load(Relaxed), 1);
}

/// The body and the only child end at once: the scope is over, and gives the body's value.
pub fn a_scope_is_told_that_its_last_child_has_ended() {
    let (scope, child, _core) = group::<u8, u8>(false, None, || Ok(7));
    let task = thread::spawn(move || run(child));
    assert_eq!(Bell::block_on(scope.run(|| async { Ok(1) })).unwrap(), 1);
    task.join().unwrap();
}

/// A child fails while the body waits for ever: the body is dropped, and the failure told.
pub fn a_scope_whose_child_fails_drops_its_body_and_ends() {
    let (scope, child, _core) = group::<u8, u8>(false, None, || Err(7));
    let task = thread::spawn(move || run(child));
    let body = || std::future::pending::<Result<(), u8>>();
    let failures = Bell::block_on(scope.run(body)).unwrap_err().into_failures();
    assert!(matches!(failures[..], [Failure::Error(7)]));
    task.join().unwrap();
}

/// Whoever awaits a child's value is woken, or finds it; by then the group knows of a failure.
pub fn who_awaits_a_child_is_told_of_its_end() {
    let (_scope, child, core) = group::<u8, u8>(false, None, || Err(7));
    let handle = GroupHandle::new(child.clone());
    let task = thread::spawn(move || run(child));
    assert!(Bell::block_on(handle).is_err());
    assert!(core.state.is_aborting());
    task.join().unwrap();
}

/// A handle is dropped while its child ends: the value is dropped once.
pub fn a_value_whose_handle_is_dropped_is_dropped_once() {
    let drops = counter();
    let value = Counted(drops.clone());
    let (_scope, child, core) = group::<_, u8>(true, None, || Ok(value));
    let handle = GroupHandle::new(child.clone());
    let task = thread::spawn(move || run(child));
    drop(handle);
    task.join().unwrap();
    assert_eq!(drops.load(Relaxed), 1);
    assert_eq!(core.state.error_count(), 0);
}

/// A child ends while something of it is still held elsewhere: the scope waits for both, and sees
/// what they did.
pub fn a_scope_ends_after_the_holds_on_its_children() {
    let (scope, child, _core) = group::<u8, u8>(true, None, || Ok(7));
    let did = counter();
    let (child, hold) = within(child, || Hold::current().expect("inside of a child"));
    let (mine, theirs) = (did.clone(), did.clone());
    let release = thread::spawn(move || {
        theirs.fetch_add(1, Relaxed);
        drop(hold);
    });
    let task = thread::spawn(move || {
        mine.fetch_add(1, Relaxed);
        run(child);
    });
    assert!(Bell::block_on(scope.run(|| async { Ok(()) })).is_ok());
    assert_eq!(did.load(Relaxed), 2);
    release.join().unwrap();
    task.join().unwrap();
}

/// Whoever waits for a group beside its scope is told of its end, and sees what its children did.
pub fn who_waits_for_a_group_sees_what_its_children_did() {
    let did = counter();
    let doing = did.clone();
    let (scope, child, core) = group::<u8, u8>(true, None, move || {
        doing.store(1, Relaxed);
        Ok(7)
    });
    let task = thread::spawn(move || run(child));
    let scope = thread::spawn(move || Bell::block_on(scope.run(|| async { Ok(()) })).is_ok());
    Bell::block_on(core.ended());
    assert_eq!(did.load(Relaxed), 1);
    assert!(scope.join().unwrap());
    task.join().unwrap();
}
