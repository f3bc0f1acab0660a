//! Models of what cannot be got at from outside, for `tests/loom.rs` to run.

use std::{
    future::{Pending, pending},
    sync::Arc,
    task::Waker,
};

use loom::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};
use thrasks_group::Enclosure;
use thrasks_loop::{Builder, Join, JoinError, Keeper, LoopPool, Task, models::Bell};

use crate::{
    Kind, Settled, Try,
    tasks::{
        batch::{Batch, Gathered},
        common::Common,
    },
};

type Output = Result<u8, u8>;

/// A pool whose thread is never made: it is closed, and refuses every task.
fn closed() -> LoopPool {
    let builder = Builder::new().threads(1).spawn_hook(|_never_run| Ok(Box::new(|| ()) as Join));
    builder.build().expect("nothing is wrong with it")
}

type Made<K> = Batch<fn() -> Pending<Output>, Output, K>;

fn batch<K: Kind<Output>>(limit: Option<usize>, tasks: usize) -> (Arc<Common>, Arc<Made<K>>) {
    let common = Arc::new(Common::new(&closed(), limit));
    let batch = Arc::new(Made::new(common.clone(), 0, vec![pending as _; tasks]));
    (common, batch)
}

fn outcomes<R>(batch: &impl Gathered<R>) -> Vec<R> {
    let mut outcomes = Vec::new();
    batch.take_into(&mut outcomes);
    outcomes
}

/// Waits as the gather's future does: listens before it looks.
async fn closed_up(common: &Common) {
    loop {
        let listener = common.wake.listen();
        if common.all_closed() {
            return;
        }
        listener.await;
    }
}

/// The future is woken when the last task has ended, and sees every outcome and what the tasks did.
pub fn a_gather_is_told_of_its_last_task_and_sees_every_outcome() {
    let (common, batch) = batch::<Try>(None, 2);
    let did = Arc::new(AtomicUsize::new(0));
    let threads = [0, 1].map(|key| {
        let (batch, did) = (batch.clone(), did.clone());
        thread::spawn(move || {
            did.fetch_add(1, Relaxed);
            batch.ended(key, Ok(Ok(7)));
        })
    });
    Bell::block_on(closed_up(&common));
    assert_eq!(did.load(Relaxed), 2);
    assert_eq!(batch.left(), 0);
    assert!(matches!(outcomes(&*batch)[..], [Ok(7), Ok(7)]));
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Waits as the gather's future does, for what makes it cancel the rest.
async fn stopped(common: &Common) {
    loop {
        let listener = common.wake.listen();
        if common.is_stopped() {
            return;
        }
        listener.await;
    }
}

/// Of two that fail at once one is the first, and stays it, and the future finds its error.
pub fn one_of_two_failures_is_the_first() {
    let (common, batch) = batch::<Try>(None, 2);
    let threads = [0, 1].map(|key| {
        let batch = batch.clone();
        thread::spawn(move || batch.ended(key, Ok(Err(key as u8))))
    });
    Bell::block_on(stopped(&common));
    let early = common.first_failure();
    Bell::block_on(closed_up(&common));
    let first = common.first_failure().expect("both have failed");
    assert!(early.is_none_or(|early| early == first));
    let failure = outcomes(&*batch).swap_remove(first).unwrap_err();
    assert_eq!(usize::from(failure.into_error().unwrap()), first);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A failure wakes the future while other tasks run, which only the future can end.
pub fn a_failure_is_told_while_others_run() {
    let (common, batch) = batch::<Try>(None, 2);
    let failing = batch.clone();
    let task = thread::spawn(move || failing.ended(0, Ok(Err(7))));
    Bell::block_on(stopped(&common));
    batch.ended(1, Err(JoinError::cancelled()));
    Bell::block_on(closed_up(&common));
    assert_eq!(common.first_failure(), Some(0));
    task.join().unwrap();
}

/// What holds on to a gather's task keeps the gather from its end.
pub fn a_gather_ends_after_the_holds_on_its_tasks() {
    let (common, batch) = batch::<Try>(None, 1);
    batch.hold();
    let did = Arc::new(AtomicUsize::new(0));
    let holder = {
        let (batch, did) = (batch.clone(), did.clone());
        thread::spawn(move || {
            did.store(1, Relaxed);
            batch.release();
        })
    };
    let task = thread::spawn(move || batch.ended(0, Ok(Ok(7))));
    Bell::block_on(closed_up(&common));
    assert_eq!(did.load(Relaxed), 1);
    holder.join().unwrap();
    task.join().unwrap();
}

/// A task ends while others wait for their turn, which the pool refuses: each is told once, and the
/// gather ends.
pub fn tasks_that_are_refused_at_their_turn_make_room_for_the_next() {
    let (common, batch) = batch::<Settled>(Some(1), 3);
    let gate = common.gate.as_ref().expect("there is a limit");
    for key in 0..3 {
        let task = Task::kept(batch.clone(), key);
        if let Some((_, task)) = gate.limit.enter((key, task)) {
            // As if it ran: its end is told below.
            std::mem::forget(task);
        }
    }
    let ending = batch.clone();
    let task = thread::spawn(move || ending.ended(0, Ok(Ok(7))));
    Bell::block_on(closed_up(&common));
    task.join().unwrap();
    assert_eq!((gate.limit.alive(), gate.limit.waiting()), (0, 0));
    assert_eq!(outcomes(&*batch).len(), 3);
}

/// A gather is stopped while a task of it begins, or begins to wait: it is woken, or finds out.
pub fn a_task_that_begins_to_wait_while_its_gather_is_stopped_ends() {
    let (common, batch) = batch::<Try>(None, 1);
    let waiting = batch.clone();
    let task = thread::spawn(move || {
        if let Some(_future) = Keeper::begin(&waiting, 0) {
            let bell = Bell::new();
            let waker = Waker::from(bell.clone());
            while !waiting.waits(0, &waker) {
                bell.sleep();
            }
        }
        waiting.ended(0, Err(JoinError::cancelled()));
    });
    common.stop();
    batch.cancel();
    Bell::block_on(closed_up(&common));
    task.join().unwrap();
    assert_eq!(batch.left(), 0);
}
