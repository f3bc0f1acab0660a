//! The cell in which a loop leaves a task's outcome, and the handle finds it.

use std::{
    future::{Ready, ready},
    sync::Arc,
    task::Waker,
};

use loom::thread;

use super::Bell;
use crate::{
    JoinError, JoinHandle, Keeper,
    cell::{Cell, Slot},
};

type Made = Cell<fn() -> Ready<u8>, u8>;

fn cell() -> Arc<Made> {
    Arc::new(Cell::new(|| ready(7)))
}

/// The loop's side: begins, and ends at once or when it is cancelled.
fn run(cell: &Arc<Made>, at_once: bool) {
    let Some(future) = cell.begin(0) else { return };
    // Polled again by another waker, which is the one to wake from then on.
    let bell = Bell::new();
    let mut waker = Waker::from(Bell::new());
    while !at_once {
        if cell.waits(0, &waker) {
            return cell.clone().ended(0, Err(JoinError::cancelled()));
        }
        let again = Waker::from(bell.clone());
        if waker.will_wake(&again) {
            bell.sleep();
        }
        waker = again;
    }
    cell.clone().ended(0, Ok(future.into_inner()));
}

/// Whoever awaits the outcome is woken, or finds it.
pub fn an_outcome_is_found_or_wakes_the_one_who_waits() {
    let cell = cell();
    let handle = JoinHandle::new(cell.clone());
    let task = thread::spawn(move || run(&cell, true));
    assert_eq!(Bell::block_on(handle).unwrap(), 7);
    task.join().unwrap();
}

/// A task that waits for ever ends when it is cancelled, begun or not, and its handle tells it.
pub fn a_cancelled_task_ends_and_who_awaits_it_learns_of_it() {
    let cell = cell();
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
    let cell = cell();
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

/// A task that nobody will begin is cancelled meanwhile: whoever awaits it learns of it, once.
pub fn a_task_that_is_given_up_while_it_is_cancelled_is_cancelled() {
    let cell = cell();
    let handle = JoinHandle::new(cell.clone());
    let canceller = {
        let cell = cell.clone();
        thread::spawn(move || cell.cancel())
    };
    let task = thread::spawn(move || cell.ended(0, Err(JoinError::cancelled())));
    assert!(Bell::block_on(handle).unwrap_err().is_cancelled());
    canceller.join().unwrap();
    task.join().unwrap();
}
