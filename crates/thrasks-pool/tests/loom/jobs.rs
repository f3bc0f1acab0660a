//! Jobs between their handles and their workers.

use std::future::pending;

use loom::thread;
use thrasks_loop::models::Bell;

use crate::{model, pool};

/// Whoever awaits the outcome is woken, or finds it.
#[test]
fn an_outcome_wakes_the_one_who_waits() {
    model(3, || {
        let pool = pool(1);
        assert_eq!(Bell::block_on(pool.submit(|| async { 7 })).unwrap(), 7);
        assert_eq!(pool.stats().completed, 1);
    });
}

/// A job that comes while the worker leaves is taken by it, or by a new one.
#[test]
fn a_job_that_comes_while_the_worker_leaves_is_run() {
    model(2, || {
        let pool = pool(1);
        let first = pool.submit(|| async { 1 });
        let second = pool.submit(|| async { 2 });
        assert_eq!(Bell::block_on(second).unwrap(), 2);
        assert!(first.is_finished());
    });
}

/// Two workers share what there is.
#[test]
fn two_workers_take_one_job_each_or_one_takes_both() {
    model(2, || {
        let pool = pool(2);
        let handles = [pool.submit(|| async { 1 }), pool.submit(|| async { 2 })];
        Bell::block_on(pool.shutdown(true, false));
        for (i, handle) in handles.into_iter().enumerate() {
            assert_eq!(Bell::block_on(handle).unwrap(), i + 1);
        }
    });
}

/// A job that is cancelled while it begins is cancelled, or ended first.
#[test]
fn a_cancel_and_a_start_are_one_outcome() {
    model(3, || {
        let pool = pool(1);
        let handle = pool.submit(|| async { 7 });
        handle.cancel();
        match Bell::block_on(handle) {
            Ok(value) => assert_eq!(value, 7),
            Err(error) => assert!(error.is_cancelled()),
        }
        Bell::block_on(pool.shutdown(true, false));
        let stats = pool.stats();
        assert_eq!((stats.completed + stats.removed, stats.workers), (1, 0));
    });
}

/// A job that never ends by itself ends when it is cancelled, queued, begun or about to begin.
#[test]
fn a_cancelled_job_ends() {
    model(3, || {
        let pool = pool(1);
        let handle = pool.submit(pending::<()>);
        let canceller = thread::spawn(move || drop(handle));
        // Runs only when the first has ended.
        assert_eq!(Bell::block_on(pool.submit(|| async { 7 })).unwrap(), 7);
        canceller.join().unwrap();
    });
}

/// A job that comes while the pool is closed has one outcome, and the shutdown completes.
#[test]
fn a_submit_and_a_shutdown() {
    for cancel in [false, true] {
        model(2, move || {
            let pool = pool(1);
            let other = pool.clone();
            let submitter = thread::spawn(move || other.submit(|| async { 7 }));
            Bell::block_on(pool.shutdown(true, cancel));
            match Bell::block_on(submitter.join().unwrap()) {
                Ok(value) => assert_eq!(value, 7),
                Err(error) => assert!(error.is_refused() || (cancel && error.is_cancelled())),
            }
            assert_eq!(pool.stats().workers, 0);
        });
    }
}

/// Whoever waits for the end is woken by the last worker, and finds the outcomes.
#[test]
fn a_shutdown_waits_for_the_last_outcome() {
    model(3, || {
        let pool = pool(1);
        let handle = pool.submit(|| async { 7 });
        Bell::block_on(pool.shutdown(true, false));
        assert!(handle.is_finished());
        assert_eq!(Bell::block_on(handle).unwrap(), 7);
    });
}

/// The last handle of a pool goes while its worker begins.
#[test]
fn a_pool_that_is_dropped_ends_its_jobs_or_lets_them_run() {
    model(3, || {
        let pool = pool(1);
        let handle = pool.submit(|| async { 7 });
        drop(pool);
        match Bell::block_on(handle) {
            Ok(value) => assert_eq!(value, 7),
            Err(error) => assert!(error.is_cancelled()),
        }
    });
}
