//! Tasks that somebody else keeps: each is begun once at most, and its keeper told of its end once.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll, Waker},
};

use common::{Drops, LONG, block_on, door};
use thrasks_loop::{JoinError, Keeper, LoopPool, Task};

/// What a task of the keeper below does.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    /// Yields its key, at once.
    End,
    /// Waits until it is cancelled.
    Wait,
    /// Is not to run.
    Refuse,
    PanicFirst,
    PanicLast,
}

struct Kept {
    tasks: Vec<Does>,
    /// By key: whether it was cancelled, and how to wake it.
    waiting: Vec<Mutex<(bool, Option<Waker>)>>,
    waits: Mutex<mpsc::Sender<usize>>,
    ended: Mutex<mpsc::Sender<(usize, String)>>,
    drops: Drops,
}

type Told<T> = mpsc::Receiver<T>;

impl Kept {
    fn new(tasks: &[Does]) -> (Arc<Self>, Told<usize>, Told<(usize, String)>) {
        let ((waits, waited), (ended, ends)) = (mpsc::channel(), mpsc::channel());
        let kept = Self {
            tasks: tasks.to_vec(),
            waiting: tasks.iter().map(|_| Mutex::default()).collect(),
            waits: Mutex::new(waits),
            ended: Mutex::new(ended),
            drops: Drops::default(),
        };
        (Arc::new(kept), waited, ends)
    }

    fn cancel(&self, key: usize) {
        let mut waiting = self.waiting[key].lock().unwrap();
        waiting.0 = true;
        if let Some(waker) = waiting.1.take() {
            waker.wake();
        }
    }
}

/// Not `Send`; counts its drop.
struct Doing {
    does: Does,
    key: usize,
    polls: Rc<RefCell<usize>>,
    _guard: common::DropGuard,
}

impl Future for Doing {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<usize> {
        *self.polls.borrow_mut() += 1;
        assert_eq!(*self.polls.borrow(), 1, "polled for nothing");
        match self.does {
            Does::Wait => Poll::Pending,
            Does::PanicLast => panic!("at last"),
            _ => Poll::Ready(self.key),
        }
    }
}

impl Keeper for Kept {
    type Output = usize;
    type Future = Doing;

    fn begin(self: &Arc<Self>, key: usize) -> Option<Doing> {
        let does = self.tasks[key];
        assert!(does != Does::PanicFirst, "at first");
        let doing = Doing { does, key, polls: Rc::default(), _guard: self.drops.guard() };
        Some(doing).filter(|_| does != Does::Refuse)
    }

    fn waits(self: &Arc<Self>, key: usize, waker: &Waker) -> bool {
        let mut waiting = self.waiting[key].lock().unwrap();
        waiting.1 = Some(waker.clone());
        let _ = self.waits.lock().unwrap().send(key);
        waiting.0
    }

    fn ended(self: Arc<Self>, key: usize, outcome: Result<usize, JoinError>) {
        let outcome = outcome.map_or_else(|error| error.to_string(), |value| value.to_string());
        let _ = self.ended.lock().unwrap().send((key, outcome));
    }
}

const CANCELLED: &str = "the task was cancelled";

#[test]
fn the_keeper_is_told_of_each_end_once() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    let tasks = [Does::End, Does::Refuse, Does::PanicFirst, Does::PanicLast, Does::End];
    let (kept, _, ends) = Kept::new(&tasks);
    pool.submit_batch(&mut (0..tasks.len()).map(|key| Task::kept(kept.clone(), key))).unwrap();
    let drops = kept.drops.clone();
    drop(kept);
    // Until the last task has let go of the keeper.
    let mut ends: Vec<_> = ends.into_iter().collect();
    ends.sort();
    let expected =
        ["0", CANCELLED, "the task panicked: at first", "the task panicked: at last", "4"];
    assert_eq!(ends, expected.map(str::to_owned).into_iter().enumerate().collect::<Vec<_>>());
    // Of all that begun but the one that panicked first.
    assert_eq!(drops.count(), 4);
    // And the loops go on.
    for worker in 0..2 {
        block_on(pool.spawn_on(worker, || async {}).unwrap()).unwrap();
    }
}

#[test]
fn a_task_that_waits_ends_when_its_keeper_says_so() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let (kept, waits, ends) = Kept::new(&[Does::Wait]);
    pool.try_submit(Task::kept(kept.clone(), 0)).unwrap();
    assert_eq!(waits.recv_timeout(LONG), Ok(0));
    assert_eq!(kept.drops.count(), 0);
    kept.cancel(0);
    assert_eq!(ends.recv_timeout(LONG), Ok((0, CANCELLED.to_owned())));
    // Before it is told.
    assert_eq!(kept.drops.count(), 1);
}

#[test]
fn a_task_cancelled_in_its_first_step_is_not_polled_again() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let (kept, waits, ends) = Kept::new(&[Does::Wait]);
    kept.cancel(0);
    pool.try_submit_on(0, Task::kept(kept, 0)).unwrap();
    assert_eq!(waits.recv_timeout(LONG), Ok(0));
    assert_eq!(ends.recv_timeout(LONG), Ok((0, CANCELLED.to_owned())));
    assert!(waits.recv().is_err(), "it was asked about twice");
}

#[test]
fn a_task_that_no_loop_begins_with_has_ended_when_it_is_dropped() {
    let (kept, _, ends) = Kept::new(&[Does::End]);
    drop(Task::kept(kept, 0));
    assert_eq!(ends.try_recv(), Ok((0, CANCELLED.to_owned())));
}

#[test]
fn what_waits_or_is_queued_when_the_pool_goes_away_has_ended() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let (kept, waits, ends) = Kept::new(&[Does::Wait, Does::End]);
    pool.submit(Task::kept(kept.clone(), 0)).unwrap();
    assert_eq!(waits.recv_timeout(LONG), Ok(0));
    let (door, front) = door();
    pool.try_spawn(|| async move { front.stand() }).unwrap().detach();
    door.wait();
    pool.submit(Task::kept(kept, 1)).unwrap();
    drop(pool);
    assert_eq!(ends.recv_timeout(LONG), Ok((1, CANCELLED.to_owned())));
    door.open();
    assert_eq!(ends.recv_timeout(LONG), Ok((0, CANCELLED.to_owned())));
}

#[test]
fn a_task_that_finds_no_room_is_given_back() {
    let pool = LoopPool::builder().threads(1).capacity(1).build().unwrap();
    let (door, front) = door();
    pool.try_spawn(|| async move { front.stand() }).unwrap().detach();
    door.wait();
    let (kept, _, ends) = Kept::new(&[Does::End, Does::End]);
    pool.try_submit(Task::kept(kept.clone(), 0)).unwrap();
    let rejected = pool.try_submit(Task::kept(kept, 1)).unwrap_err();
    assert!(ends.try_recv().is_err());
    let (task, reason) = rejected.into_parts();
    assert_eq!(reason.to_string(), "the scheduler is full");
    drop(task);
    assert_eq!(ends.try_recv(), Ok((1, CANCELLED.to_owned())));
    door.open();
    assert_eq!(ends.recv_timeout(LONG), Ok((0, "0".to_owned())));
}
