//! Models of what cannot be got at from outside, for `tests/loom.rs` to run.

use std::{any::Any, sync::Arc};

use loom::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};
use thrasks_loop::{Task, models::Bell};

use crate::{
    Failure, GroupHandle, Hold, Unstarted,
    tasks::{
        child::Child,
        core::{Core, Member, Waiting},
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

/// A group that runs, and a child in it.
fn group<T, E>(collect: bool, limit: Option<usize>) -> (Scope<E>, Arc<Child<T, E>>, Arc<Core<E>>)
where
    T: Send + 'static,
    E: Send + 'static,
{
    let core = Arc::new(Core::new(!collect, limit));
    let scope = Scope::enter(core.clone()).expect("it is new");
    let child = Arc::new(Child::new(core.clone()));
    child.seat.take(core.state.admit(child.clone()).ok().expect("it is open"));
    (scope, child, core)
}

/// Runs a child to its end.
fn run<T, E>(child: Arc<Child<T, E>>, outcome: impl FnOnce() -> Result<T, E>)
where
    T: Send + 'static,
    E: Send + 'static,
{
    Bell::block_on(Unstarted::new(move || async move { outcome() }, child, 0).start());
}

/// A child is cancelled while the pool takes it: either side passes the request on.
pub fn a_child_cancelled_while_the_pool_takes_it_is_cancelled() {
    let (_scope, child, _core) = group::<u8, u8>(true, None);
    let (task, handle) = Task::new(|| async {});
    let cancelled = child.clone();
    let canceller = thread::spawn(move || cancelled.cancel());
    child.attach(handle);
    canceller.join().unwrap();
    assert!(child.task.get().unwrap().is_finished());
    drop(task);
    drop(Unstarted::new(|| async { Ok(7) }, child, 0));
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
    let (_scope, child, core) = group::<u8, u8>(true, Some(1));
    let turns = counter();
    let limit = core.limit().unwrap();
    assert!(limit.enter(Box::new(Next(turns.clone()))).is_some());
    for _ in 0..2 {
        assert!(limit.enter(Box::new(Next(turns.clone()))).is_none());
    }
    child.starting();
    let ending = child.clone();
    let task = thread::spawn(move || run(ending, || Ok(7)));
    if !child.started() {
        core.start_next();
    }
    task.join().unwrap();
    assert_eq!(turns.load(Relaxed), 1);
}

/// A scope is dropped while a child fails: the group ends, and keeps no failure.
pub fn a_dropped_scope_keeps_no_failure() {
    let (scope, child, core) = group::<u8, Counted>(true, None);
    let drops = counter();
    let error = Counted(drops.clone());
    let task = thread::spawn(move || run(child, || Err(error)));
    drop(scope);
    Bell::block_on(core.ended());
    task.join().unwrap();
    assert_eq!(core.state.error_count(), 0);
    assert_eq!(drops.load(Relaxed), 1);
}

/// The body and the only child end at once: the scope is over, and gives the body's value.
pub fn a_scope_is_told_that_its_last_child_has_ended() {
    let (scope, child, _core) = group::<u8, u8>(false, None);
    let task = thread::spawn(move || run(child, || Ok(7)));
    assert_eq!(Bell::block_on(scope.run(|| async { Ok(1) })).unwrap(), 1);
    task.join().unwrap();
}

/// A child fails while the body waits for ever: the body is dropped, and the failure told.
pub fn a_scope_whose_child_fails_drops_its_body_and_ends() {
    let (scope, child, _core) = group::<u8, u8>(false, None);
    let task = thread::spawn(move || run(child, || Err(7)));
    let body = || std::future::pending::<Result<(), u8>>();
    let failures = Bell::block_on(scope.run(body)).unwrap_err().into_failures();
    assert!(matches!(failures[..], [Failure::Error(7)]));
    task.join().unwrap();
}

/// Whoever awaits a child's value is woken, or finds it; by then the group knows of a failure.
pub fn who_awaits_a_child_is_told_of_its_end() {
    let (_scope, child, core) = group::<u8, u8>(false, None);
    let handle = GroupHandle::new(child.clone());
    let task = thread::spawn(move || run(child, || Err(7)));
    assert!(Bell::block_on(handle).is_err());
    assert!(core.state.is_aborting());
    task.join().unwrap();
}

/// A handle is dropped while its child ends: the value is dropped once.
pub fn a_value_whose_handle_is_dropped_is_dropped_once() {
    let (_scope, child, core) = group::<Counted, u8>(true, None);
    let drops = counter();
    let value = Counted(drops.clone());
    let handle = GroupHandle::new(child.clone());
    let task = thread::spawn(move || run(child, || Ok(value)));
    drop(handle);
    task.join().unwrap();
    assert_eq!(drops.load(Relaxed), 1);
    assert_eq!(core.state.error_count(), 0);
}

/// A child ends while something of it is still held elsewhere: the scope waits for both, and sees
/// what they did.
pub fn a_scope_ends_after_the_holds_on_its_children() {
    let (scope, child, _core) = group::<u8, u8>(true, None);
    let did = counter();
    let (child, hold) = within(child, || Hold::current().expect("inside of a child"));
    let (mine, theirs) = (did.clone(), did.clone());
    let release = thread::spawn(move || {
        theirs.fetch_add(1, Relaxed);
        drop(hold);
    });
    let task = thread::spawn(move || {
        mine.fetch_add(1, Relaxed);
        run(child, || Ok(7));
    });
    assert!(Bell::block_on(scope.run(|| async { Ok(()) })).is_ok());
    assert_eq!(did.load(Relaxed), 2);
    release.join().unwrap();
    task.join().unwrap();
}

/// Whoever waits for a group beside its scope is told of its end, and sees what its children did.
pub fn who_waits_for_a_group_sees_what_its_children_did() {
    let (scope, child, core) = group::<u8, u8>(true, None);
    let did = counter();
    let doing = did.clone();
    let task = thread::spawn(move || {
        run(child, || {
            doing.store(1, Relaxed);
            Ok(7)
        });
    });
    let scope = thread::spawn(move || Bell::block_on(scope.run(|| async { Ok(()) })).is_ok());
    Bell::block_on(core.ended());
    assert_eq!(did.load(Relaxed), 1);
    assert!(scope.join().unwrap());
    task.join().unwrap();
}
