//! The cell in which a loop leaves a task's outcome, and the handle finds it.

use std::{sync::Arc, task::Waker};

use loom::thread;

use super::Bell;
use crate::{
    JoinError, JoinHandle,
    cell::{Cell, Promise},
};

/// The loop's side: begins, and ends at once or when it is cancelled.
fn run(cell: &Arc<Cell<u8>>, at_once: bool) {
    let promise = Promise::new(cell.clone());
    let waker = Waker::from(Bell::new());
    if !promise.cell().begin(&waker) {
        return;
    }
    // Polled again by another waker, which is the one to wake from then on.
    let bell = Bell::new();
    let waker = Waker::from(bell.clone());
    while !at_once {
        if promise.cell().enlist(&waker) {
            return promise.cell().complete(Err(JoinError::cancelled()));
        }
        bell.sleep();
    }
    promise.cell().complete(Ok(7));
}

/// Whoever awaits the outcome is woken, or finds it.
pub fn an_outcome_is_found_or_wakes_the_one_who_waits() {
    let cell = Arc::new(Cell::new());
    let handle = JoinHandle::new(cell.clone());
    let task = thread::spawn(move || run(&cell, true));
    assert_eq!(Bell::block_on(handle).unwrap(), 7);
    task.join().unwrap();
}

/// A task that waits for ever ends when it is cancelled, begun or not, and its handle tells it.
pub fn a_cancelled_task_ends_and_who_awaits_it_learns_of_it() {
    let cell = Arc::new(Cell::new());
    let handle = JoinHandle::new(cell.clone());
    let canceller = {
        let cell = cell.clone();
        thread::spawn(move || cell.cancel())
    };
    let task = thread::spawn(move || run(&cell, false));
    assert!(Bell::block_on(handle).unwrap_err().is_cancelled());
    canceller.join().unwrap();
    task.join().unwrap();
}

/// A task that ends while it is cancelled has one outcome or the other.
pub fn an_outcome_and_a_cancel_at_once_are_one_of_the_two() {
    let cell = Arc::new(Cell::new());
    let mut handle = JoinHandle::new(cell.clone());
    let canceller = {
        let cell = cell.clone();
        thread::spawn(move || cell.cancel())
    };
    let task = thread::spawn(move || run(&cell, true));
    match Bell::block_on(&mut handle) {
        Ok(value) => assert_eq!(value, 7),
        Err(error) => assert!(error.is_cancelled()),
    }
    assert!(handle.is_finished());
    canceller.join().unwrap();
    task.join().unwrap();
}
