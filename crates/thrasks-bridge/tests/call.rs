//! A closure on a thread, its result awaited.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    sync::{Arc, atomic::Ordering, mpsc},
    task::{Context, Poll, Waker},
};

use common::{BadWaker, Bomb, CountWaker, Drops, block_on, door, thread_name, until};
use thrasks_bridge::{BlockingPool, Execute, Job, OwnThread, Refused, call};

fn pool(max_threads: usize) -> BlockingPool {
    BlockingPool::builder().max_threads(max_threads).name("t").build().unwrap()
}

/// A pool for one job, which is in front of a door.
fn busy() -> (BlockingPool, common::Door) {
    let pool = pool(1);
    let (door, front) = door();
    pool.call(move || front.stand()).detach();
    door.wait();
    (pool, door)
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(waker))
}

#[test]
fn the_result_of_a_call_is_awaited() {
    assert_eq!(block_on(pool(1).call(|| (thread_name(), 42))).unwrap(), ("t-0".to_owned(), 42));
    assert_eq!(block_on(OwnThread::new().call(thread_name)).unwrap(), "thrasks-own");
}

#[test]
fn a_call_starts_without_being_awaited() {
    let (sender, receiver) = mpsc::channel();
    let call = pool(1).call(move || sender.send(()).unwrap());
    receiver.recv().unwrap();
    block_on(call).unwrap();
}

#[test]
fn a_panic_is_the_calls_outcome_and_the_thread_goes_on() {
    let pool = pool(1);
    let error = block_on(pool.call(|| panic!("oops"))).unwrap_err();
    assert_eq!(error.panic_message().as_deref(), Some("oops"));
    assert_eq!(block_on(pool.call(thread_name)).unwrap(), "t-0");
}

#[test]
fn a_queued_call_is_cancelled_and_its_closure_dropped_at_once() {
    let (pool, door) = busy();
    let drops = Drops::default();
    let guard = drops.guard();
    let mut call = pool.call(move || drop(guard));
    let count = Arc::new(CountWaker::default());
    assert!(poll(&mut call, &count.clone().into()).is_pending());
    assert!(!call.is_started() && !call.is_finished());
    assert!(call.cancel() && !call.cancel());
    assert_eq!((drops.count(), count.0.load(Ordering::SeqCst)), (1, 1));
    assert!(!call.is_started() && call.is_finished());
    assert!(block_on(call).unwrap_err().is_cancelled());
    door.open();
}

#[test]
fn a_call_that_has_begun_is_not_cancelled() {
    let (door, front) = door();
    let call = OwnThread::new().call(move || {
        front.stand();
        7
    });
    door.wait();
    assert!(call.is_started() && !call.is_finished() && !call.cancel());
    door.open();
    assert_eq!(block_on(call).unwrap(), 7);
}

#[test]
fn dropping_a_call_cancels_it_if_it_is_queued_and_otherwise_lets_it_end() {
    let (pool, door) = busy();
    let drops = Drops::default();
    let guard = drops.guard();
    drop(pool.call(move || drop(guard)));
    assert_eq!(drops.count(), 1);
    let (sender, receiver) = mpsc::channel();
    let guard = drops.guard();
    let (other, front) = common::door();
    let call = OwnThread::new().call(move || {
        front.stand();
        sender.send(()).unwrap();
        guard
    });
    other.wait();
    drop(call);
    other.open();
    receiver.recv().unwrap();
    // Its result is nobody's: it is dropped there.
    until(|| drops.count() == 2);
    door.open();
}

#[test]
fn a_detached_call_runs_when_its_turn_comes() {
    let (pool, door) = busy();
    let (sender, receiver) = mpsc::channel();
    pool.call(move || sender.send(()).unwrap()).detach();
    door.open();
    receiver.recv().unwrap();
}

#[test]
fn only_the_waker_of_the_last_poll_is_woken() {
    let (door, front) = door();
    let mut call = OwnThread::new().call(move || front.stand());
    door.wait();
    let (first, second) = (Arc::new(CountWaker::default()), Arc::new(CountWaker::default()));
    assert!(poll(&mut call, &first.clone().into()).is_pending());
    assert!(poll(&mut call, &second.clone().into()).is_pending());
    assert_eq!(Arc::strong_count(&first), 1, "the old waker is not kept");
    door.open();
    until(|| second.0.load(Ordering::SeqCst) == 1);
    assert_eq!(first.0.load(Ordering::SeqCst), 0);
    assert!(poll(&mut call, Waker::noop()).is_ready());
}

#[test]
fn a_waker_that_panics_and_a_payload_that_panics_cost_no_thread() {
    let (pool, door) = busy();
    let mut call = pool.call(|| 1);
    assert!(poll(&mut call, &Arc::new(BadWaker).into()).is_pending());
    let bomb = pool.call(|| std::panic::panic_any(Bomb("a payload")));
    bomb.detach();
    pool.execute(Box::new(|| std::panic::panic_any(Bomb("a payload of a foreign job")))).unwrap();
    door.open();
    assert_eq!(block_on(pool.call(thread_name)).unwrap(), "t-0");
    assert_eq!(block_on(call).unwrap(), 1);
}

#[test]
fn captures_that_panic_when_dropped_are_no_loss_of_who_cancels() {
    let (pool, door) = busy();
    let (one, two) = (Bomb("cancelled"), Bomb("closed"));
    let first = pool.call(move || drop(one));
    assert!(first.cancel());
    let second = pool.call(move || drop(two));
    let third = pool.call(|| ());
    pool.close_now();
    assert!(block_on(second).unwrap_err().is_cancelled());
    assert!(block_on(third).unwrap_err().is_cancelled());
    door.open();
    assert!(pool.wait_closed(None));
}

/// A foreign one, of the few lines that it takes.
struct Elsewhere(mpsc::Sender<Job>);

impl Execute for Elsewhere {
    fn execute(&self, job: Job) -> Result<(), Refused> {
        self.0.send(job).map_err(|back| Refused::new(back.0, "elsewhere is gone"))
    }
}

#[test]
fn anything_that_executes_will_do() {
    let (sender, jobs) = mpsc::channel();
    let elsewhere: Arc<dyn Execute> = Arc::new(Elsewhere(sender));
    let first = call(&elsewhere, || 1);
    let second = call(&*elsewhere, || 2);
    let third = call(&&elsewhere, || 3);
    jobs.recv().unwrap()();
    drop(jobs.recv().unwrap());
    assert_eq!(block_on(first).unwrap(), 1);
    assert!(block_on(second).unwrap_err().is_cancelled());
    drop(jobs);
    assert!(block_on(third).unwrap_err().is_cancelled());
    let error = block_on(call(&elsewhere, || 4)).unwrap_err();
    assert_eq!(error.to_string(), "nobody ran the task: elsewhere is gone");
}

#[test]
fn a_job_that_is_dropped_after_its_call_was_cancelled_changes_nothing() {
    let (sender, jobs) = mpsc::channel();
    let elsewhere = Elsewhere(sender);
    let first = call(&elsewhere, || unreachable!("cancelled"));
    assert!(first.cancel());
    // Run though cancelled: it does nothing.
    jobs.recv().unwrap()();
    assert!(block_on(first).unwrap_err().is_cancelled());
}
