//! At most n alive.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use thrasks_sched::Limit;

#[test]
fn at_most_n_go_and_the_rest_follow_in_order() {
    let limit = Limit::new(2);
    assert_eq!([1, 2, 3, 4].map(|job| limit.enter(job)), [Some(1), Some(2), None, None]);
    assert_eq!((limit.alive(), limit.waiting()), (2, 2));
    assert_eq!(limit.leave(), Some(3));
    assert_eq!(limit.leave(), Some(4));
    assert_eq!((limit.alive(), limit.waiting()), (2, 0));
    assert_eq!(limit.leave(), None);
    assert_eq!(limit.enter(5), Some(5));
    assert_eq!(limit.enter(6), None);
    assert_eq!(format!("{limit:?}"), "Limit { limit: 2, alive: 2, waiting: 1, .. }");
}

#[test]
fn a_drained_gate_still_limits() {
    let limit = Limit::new(1);
    assert_eq!([1, 2, 3].map(|job| limit.enter(job)), [Some(1), None, None]);
    assert_eq!(limit.drain(), [2, 3]);
    assert_eq!(limit.enter(4), None);
    assert_eq!(limit.leave(), Some(4));
    assert_eq!(limit.leave(), None);
    assert_eq!(limit.alive(), 0);
}

#[test]
fn a_closed_gate_keeps_nothing() {
    let limit = Limit::new(1);
    assert_eq!([1, 2, 3].map(|job| limit.enter(job)), [Some(1), None, None]);
    assert_eq!(limit.close(), [2, 3]);
    assert_eq!(limit.enter(4), Some(4));
    assert_eq!(limit.alive(), 2);
    assert_eq!((limit.leave(), limit.leave(), limit.leave()), (None, None, None));
    assert_eq!(limit.alive(), 0);
    assert_eq!(limit.close(), []);
}

#[test]
fn a_job_may_use_the_gate_when_it_is_dropped() {
    struct Nosy(Arc<Limit<Nosy>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            // Deadlocks if the gate drops jobs under its lock.
            let _ = self.0.waiting();
        }
    }
    let limit = Arc::new(Limit::new(1));
    for _ in 0..3 {
        drop(limit.enter(Nosy(limit.clone())));
    }
    drop(limit.leave());
    drop(limit.drain());
    drop(limit.enter(Nosy(limit.clone())));
    drop(limit.close());
    assert_eq!(limit.waiting(), 0);
}

#[test]
fn threads_never_have_more_than_n_alive_and_lose_nothing() {
    const LIMIT: usize = 3;
    let limit = Limit::new(LIMIT);
    let (alive, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for job in 0..2_000 {
                    // Whoever leaves runs what it is given, so that nothing is left waiting.
                    let mut next = limit.enter(job);
                    while next.is_some() {
                        assert!(alive.fetch_add(1, Ordering::SeqCst) < LIMIT);
                        alive.fetch_sub(1, Ordering::SeqCst);
                        ended.fetch_add(1, Ordering::SeqCst);
                        next = limit.leave();
                    }
                }
            });
        }
    });
    assert_eq!(ended.into_inner(), 12_000);
    assert_eq!((limit.alive(), limit.waiting()), (0, 0));
}
