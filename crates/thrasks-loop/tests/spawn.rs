//! What is spawned runs where it should, and its result comes back.
#![cfg(not(thrasks_loom))]

mod common;

use std::{cell::RefCell, rc::Rc, sync::mpsc};

use common::{block_on, thread_name};
use futures_lite::future::yield_now;
use thrasks_loop::{LoopPool, LoopThread, Task};
use thrasks_sched::{LeastLoaded, Queue, RoundRobin};

/// A future that is not `Send`, and suspends.
async fn not_send(n: u32) -> (u32, String) {
    let sum = Rc::new(RefCell::new(0));
    for i in 1..=n {
        *sum.borrow_mut() += i;
        yield_now().await;
    }
    let sum = *sum.borrow();
    (sum, thread_name())
}

#[test]
fn a_future_that_is_not_send_runs_on_the_chosen_loop() {
    let pool = LoopPool::builder().threads(3).name("p").build().unwrap();
    for worker in [2, 0, 1, 1] {
        let handle = pool.spawn_on(worker, || not_send(10)).unwrap();
        assert_eq!(block_on(handle).unwrap(), (55, format!("p-{worker}")));
    }
}

#[test]
fn a_future_that_is_not_send_runs_on_whichever_loop_is_picked() {
    let pool = LoopPool::builder().threads(2).name("p").scheduler(RoundRobin::new).build().unwrap();
    let handles: Vec<_> = (0..4).map(|_| pool.try_spawn(|| not_send(4)).unwrap()).collect();
    let names: Vec<_> = handles.into_iter().map(|h| block_on(h).unwrap().1).collect();
    assert_eq!(names, ["p-0", "p-1", "p-0", "p-1"]);
}

#[test]
fn every_scheduler_of_thrasks_sched_runs_every_task() {
    let pools = [
        LoopPool::builder().threads(3).scheduler(Queue::new).build().unwrap(),
        LoopPool::builder().threads(3).scheduler(RoundRobin::new).build().unwrap(),
        LoopPool::builder().threads(3).scheduler(LeastLoaded::new).build().unwrap(),
    ];
    for pool in pools {
        let handles: Vec<_> = (0..100)
            .map(|i| {
                pool.try_spawn(move || async move {
                    yield_now().await;
                    i
                })
                .unwrap()
            })
            .collect();
        let results: Vec<_> = handles.into_iter().map(|h| block_on(h).unwrap()).collect();
        assert_eq!(results, (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn a_future_that_is_send_can_be_sent() {
    let pool = LoopPool::builder().threads(1).name("p").build().unwrap();
    let here = async { thread_name() };
    let handle = pool.spawn_future(here).unwrap();
    assert_eq!(block_on(handle).unwrap(), "p-0");
}

#[test]
fn handles_can_be_awaited_on_another_loop() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    let inner = pool.clone();
    let outer = pool
        .spawn_on(0, move || async move {
            let handle = inner.spawn_on(1, || not_send(3)).unwrap();
            handle.await.unwrap().0
        })
        .unwrap();
    assert_eq!(block_on(outer).unwrap(), 6);
}

#[test]
fn a_task_may_await_what_it_spawned_on_its_own_loop() {
    let thread = LoopThread::builder().start().unwrap();
    let handle = thread.handle();
    let outer = thread
        .spawn(move || async move {
            let (task, inner) = Task::new(|| not_send(3));
            handle.post(task).unwrap();
            inner.await.unwrap().0
        })
        .unwrap();
    assert_eq!(block_on(outer).unwrap(), 6);
}

#[test]
fn a_batch_is_run_as_a_whole() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    let (tasks, handles): (Vec<_>, Vec<_>) =
        (0..500).map(|i| Task::new(move || async move { i })).unzip();
    assert_eq!(pool.submit_batch(&mut tasks.into_iter()).unwrap(), 500);
    let sum: u32 = handles.into_iter().map(|h| block_on(h).unwrap()).sum();
    assert_eq!(sum, 499 * 500 / 2);
}

#[test]
fn a_batch_whose_iterator_panics_is_run_up_to_there() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    // Both loops idle: nobody would look by itself.
    for worker in 0..2 {
        block_on(pool.spawn_on(worker, || async {}).unwrap()).unwrap();
    }
    let (task, handle) = Task::new(|| async { 1 });
    let mut tasks = Some(task).into_iter().chain(std::iter::from_fn(|| panic!("no more")));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        pool.submit_batch(&mut tasks).map(drop)
    }));
    assert!(result.is_err());
    assert_eq!(block_on(handle).unwrap(), 1);
}

#[test]
fn threads_have_the_names_they_were_given() {
    let solo = LoopThread::builder().name("solo").start().unwrap();
    assert_eq!(block_on(solo.spawn(|| async { thread_name() }).unwrap()).unwrap(), "solo");
    assert_eq!((solo.name(), solo.handle().name()), ("solo", "solo"));
    let pool = LoopPool::builder().threads(2).build().unwrap();
    let name = pool.spawn_on(1, || async { thread_name() }).unwrap();
    assert_eq!(block_on(name).unwrap(), "thrasks-1");
    assert_eq!(pool.stats().loops[1].name, "thrasks-1");
}

#[test]
fn what_is_submitted_to_a_worker_that_does_not_exist_comes_back() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    let error = pool.spawn_on(2, || async { 5 }).unwrap_err();
    assert!(!error.is_closed() && !error.is_full());
    assert!(error.to_string().contains("worker 2"), "{error}");
    assert_eq!(block_on(error.into_factory()()), 5);
}

#[test]
fn nested_block_on_in_a_task_works() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    let inner = pool.clone();
    let handle = pool
        .spawn_on(0, move || async move {
            block_on(inner.spawn_on(1, || async { 3 }).unwrap()).unwrap()
        })
        .unwrap();
    assert_eq!(block_on(handle).unwrap(), 3);
}

#[test]
fn tasks_that_never_rest_shut_no_new_ones_out() {
    let thread = LoopThread::builder().start().unwrap();
    let (stop, stopped) = mpsc::channel::<()>();
    let restless = thread
        .spawn(move || async move {
            while stopped.try_recv().is_err_and(|e| e == mpsc::TryRecvError::Empty) {
                yield_now().await;
            }
        })
        .unwrap();
    for _ in 0..10 {
        block_on(thread.spawn(|| async {}).unwrap()).unwrap();
    }
    drop(stop);
    block_on(restless).unwrap();
}
