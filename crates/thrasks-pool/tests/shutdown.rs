//! The end of a pool.

mod common;

use std::{
    future::pending,
    sync::{Arc, mpsc},
};

use common::{Census, Gate, Threads, block_on, inline, pool};
use futures_lite::future::{poll_once, yield_now};
use thrasks_loop::LoopPool;
use thrasks_pool::TaskPool;

#[test]
fn a_shutdown_waits_for_every_job_and_its_outcome() {
    let threads = Threads::new(2);
    for _ in 0..100 {
        let pool = threads.pool(3);
        let handles: Vec<_> = (0..10).map(|_| pool.submit(async || yield_now().await)).collect();
        block_on(pool.shutdown(true, false));
        assert!(handles.iter().all(|handle| handle.is_finished()));
        assert_eq!(pool.stats().completed, 10);
    }
}

#[test]
fn a_shutdown_that_cancels_lets_the_running_jobs_end() {
    let (pool, gate, census) = (pool(1, 1), Gate::default(), Census::default());
    let at = gate.clone();
    let running = pool.submit(move || async move { at.pass().await });
    gate.wait_for(1);
    let alive = census.life(());
    let queued = pool.submit(move || async move { drop(alive) });
    let mut shutdown = pool.shutdown(true, true);
    assert!(queued.is_finished());
    assert_eq!(census.alive(), 0);
    assert!(block_on(poll_once(&mut shutdown)).is_none());
    gate.open();
    block_on(shutdown);
    block_on(running).unwrap();
    assert!(block_on(queued).unwrap_err().is_cancelled());
}

#[test]
fn a_shutdown_that_does_not_wait_has_closed_the_pool_all_the_same() {
    let (pool, gate) = (pool(1, 1), Gate::default());
    let at = gate.clone();
    let running = pool.submit(move || async move { at.pass().await });
    let queued = pool.submit(|| async { 7 });
    block_on(pool.shutdown(false, false));
    assert!(pool.is_closed());
    assert!(block_on(pool.submit(|| async {})).unwrap_err().is_refused());
    gate.open();
    block_on(running).unwrap();
    assert_eq!(block_on(queued).unwrap(), 7);
}

#[test]
fn pending_jobs_can_be_cancelled_after_all() {
    let (pool, gate) = (pool(1, 1), Gate::default());
    let at = gate.clone();
    let running = pool.submit(move || async move { at.pass().await });
    gate.wait_for(1);
    let queued = pool.submit(|| async {});
    pool.close(false);
    assert!(!queued.is_finished());
    pool.close(true);
    assert!(block_on(queued).unwrap_err().is_cancelled());
    gate.open();
    block_on(running).unwrap();
}

#[test]
fn a_pool_that_never_ran_a_job_ends_at_once() {
    block_on(inline(1).shutdown(true, false));
    block_on(inline(1).shutdown(true, true));
}

#[test]
fn many_wait_for_the_same_end_and_a_later_one_finds_it() {
    let (pool, gate) = (pool(1, 1), Gate::default());
    let at = gate.clone();
    let running = pool.submit(move || async move { at.pass().await });
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let pool = pool.clone();
            std::thread::spawn(move || block_on(pool.shutdown(true, false)))
        })
        .collect();
    gate.wait_for(1);
    gate.open();
    for waiter in waiters {
        waiter.join().unwrap();
    }
    block_on(pool.shutdown(true, false));
    assert!(running.is_finished());
}

#[test]
fn the_last_handle_cancels_what_has_not_begun_and_leaves_the_rest_to_its_handles() {
    let (pool, gate) = (pool(1, 1), Gate::default());
    let at = gate.clone();
    let running = pool.submit(move || async move {
        at.pass().await;
        7
    });
    gate.wait_for(1);
    let queued = pool.submit(|| async {});
    let clone = pool.clone();
    drop(pool);
    assert!(!queued.is_finished());
    drop(clone);
    assert!(block_on(queued).unwrap_err().is_cancelled());
    gate.open();
    assert_eq!(block_on(running).unwrap(), 7);
}

#[test]
fn a_job_may_drop_the_last_handle_of_its_pool() {
    let loops = LoopPool::builder().threads(1).build().unwrap();
    let (pool, gate) = (TaskPool::builder().max_workers(1).build(loops), Gate::default());
    let (at, inside) = (gate.clone(), pool.clone());
    let handle = pool.submit(move || async move {
        at.pass().await;
        drop(inside);
        yield_now().await;
        7
    });
    gate.wait_for(1);
    drop(pool);
    gate.open();
    assert_eq!(block_on(handle).unwrap(), 7);
}

#[test]
fn a_job_may_close_its_own_pool() {
    let pool = pool(1, 2);
    let inside = pool.clone();
    let handle = pool.submit(move || async move {
        inside.shutdown(false, true).await;
        inside.submit(|| async {}).await.unwrap_err().is_refused()
    });
    assert!(block_on(handle).unwrap());
    block_on(pool.shutdown(true, false));
}

#[test]
fn dropping_a_pool_does_not_wait() {
    let (sent, arrived) = mpsc::channel();
    let (open, opened) = mpsc::channel::<()>();
    let pool = pool(1, 1);
    let running = pool.submit(move || async move {
        sent.send(()).unwrap();
        opened.recv().unwrap();
    });
    arrived.recv().unwrap();
    // It blocks its loop until the drop is through.
    drop(pool);
    open.send(()).unwrap();
    block_on(running).unwrap();
}

#[test]
fn a_pool_that_has_ended_holds_nothing() {
    let (census, threads) = (Census::default(), Threads::new(1));
    let alive = Arc::new(census.life(()));
    let pool = {
        let (executor, alive) = (threads.executor.clone(), alive.clone());
        TaskPool::new(move |worker: thrasks_pool::Worker<thrasks_pool::Sendable>| {
            let _with_it = &alive;
            executor.spawn(worker.run()).detach();
        })
    };
    drop(alive);
    let kept = pool.submit(|| async {});
    let stuck = pool.submit(pending::<()>);
    drop(stuck);
    block_on(pool.shutdown(true, false));
    drop(pool);
    // A handle does not keep the executor alive; the worker that saw the end may be about to.
    drop(threads);
    assert_eq!(census.alive(), 0);
    block_on(kept).unwrap();
}
