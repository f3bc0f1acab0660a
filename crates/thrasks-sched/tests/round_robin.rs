//! Job i runs on worker i mod n.

use std::{
    iter,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Barrier,
    thread,
};

use thrasks_sched::{Reason, RoundRobin, Scheduler, Wake};

fn drain<J>(scheduler: &RoundRobin<J>, worker: usize) -> Vec<J>
where
    J: Send,
{
    iter::from_fn(|| scheduler.pop(worker)).collect()
}

#[test]
fn job_i_runs_on_worker_i_mod_n_in_order() {
    for workers in 1..6 {
        let scheduler = RoundRobin::new(workers);
        for job in 0..20 {
            assert_eq!(scheduler.push(job).unwrap(), Wake::One(job % workers));
        }
        for worker in 0..workers {
            let expected: Vec<_> = (worker..20).step_by(workers).collect();
            assert_eq!(drain(&scheduler, worker), expected);
        }
    }
}

#[test]
fn four_threads_share_one_count() {
    const EACH: usize = 3_000;
    for batches in [false, true] {
        let scheduler = RoundRobin::new(3);
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for thread in 0..4 {
                let (scheduler, start) = (&scheduler, &start);
                scope.spawn(move || {
                    start.wait();
                    // Pieces of 1 to 7, so that the threads' ranges never line up.
                    let mut jobs = (0..EACH).map(|job| (thread, job));
                    for piece in (1..=7).cycle() {
                        if batches {
                            let batch = scheduler.push_batch(&mut jobs.by_ref().take(piece));
                            if batch.accepted == 0 {
                                break;
                            }
                        } else {
                            let Some(job) = jobs.next() else { break };
                            let _wake = scheduler.push(job).unwrap();
                        }
                    }
                });
            }
        });
        for worker in 0..3 {
            let jobs = drain(&scheduler, worker);
            assert_eq!(jobs.len(), 4 * EACH / 3);
            // Each thread's jobs are in the order in which it pushed them.
            for thread in 0..4 {
                assert!(jobs.iter().filter(|job| job.0 == thread).is_sorted());
            }
        }
    }
}

#[test]
fn the_answer_to_a_push_names_the_jobs_worker_whoever_pushes() {
    let scheduler = RoundRobin::new(4);
    let named: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..1_001).map(|_| scheduler.push(()).unwrap()).collect()))
            .collect();
        threads.into_iter().flat_map(|thread| -> Vec<Wake> { thread.join().unwrap() }).collect()
    });
    for worker in 0..4 {
        let count = named.iter().filter(|&wake| *wake == Wake::One(worker)).count();
        assert_eq!(count, 1_001);
        assert_eq!(scheduler.load(worker), Some(1_001));
    }
}

#[test]
fn a_batch_goes_on_where_the_last_job_was_and_names_each_worker_once() {
    let scheduler = RoundRobin::new(3);
    assert_eq!(scheduler.push(0).unwrap(), Wake::One(0));
    let batch = scheduler.push_batch(&mut (1..200));
    assert_eq!((batch.accepted, batch.wake), (199, Wake::Many(vec![1, 2, 0])));
    for worker in 0..3 {
        assert_eq!(drain(&scheduler, worker), (worker..200).step_by(3).collect::<Vec<_>>());
    }
    let batch = scheduler.push_batch(&mut iter::empty());
    assert_eq!((batch.accepted, batch.wake), (0, Wake::Nobody));
}

#[test]
fn an_iterator_that_promises_nothing_is_dealt_the_same() {
    let scheduler = RoundRobin::new(3);
    let batch = scheduler.push_batch(&mut (0..100).filter(|job| job % 2 == 0));
    assert_eq!(batch.accepted, 50);
    assert_eq!(drain(&scheduler, 1), (0..100).step_by(2).skip(1).step_by(3).collect::<Vec<_>>());
}

/// Promises more than it has.
struct Liar(std::ops::Range<usize>);

impl Iterator for Liar {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

#[test]
fn an_iterator_that_promises_too_much_leaves_no_gap() {
    let scheduler = RoundRobin::new(4);
    let mut jobs = 0..1_000;
    for piece in (1..=9).cycle() {
        let piece: Vec<_> = jobs.by_ref().take(piece).collect();
        let (Some(&first), Some(&last)) = (piece.first(), piece.last()) else { break };
        assert_eq!(scheduler.push_batch(&mut Liar(first..last + 1)).accepted, piece.len());
    }
    for worker in 0..4 {
        assert_eq!(drain(&scheduler, worker), (worker..1_000).step_by(4).collect::<Vec<_>>());
    }
}

#[test]
fn an_iterator_that_panics_leaves_no_gap() {
    let scheduler = RoundRobin::new(4);
    let mut jobs = (0..10).inspect(|&job| assert!(job < 2, "no more jobs"));
    let outcome = catch_unwind(AssertUnwindSafe(|| scheduler.push_batch(&mut jobs)));
    assert!(outcome.is_err());
    assert_eq!(scheduler.len(), 2);
    assert_eq!(scheduler.push(2).unwrap(), Wake::One(2));
    assert_eq!(scheduler.push(3).unwrap(), Wake::One(3));
    assert_eq!(scheduler.push(4).unwrap(), Wake::One(0));
}

#[test]
fn a_job_for_a_named_worker_takes_no_turn() {
    let scheduler = RoundRobin::new(3);
    assert_eq!(scheduler.push("a").unwrap(), Wake::One(0));
    assert_eq!(scheduler.push_to(0, "b").unwrap(), Wake::One(0));
    assert_eq!(scheduler.push("c").unwrap(), Wake::One(1));
    assert_eq!(drain(&scheduler, 0), ["a", "b"]);
}

#[test]
fn a_batch_stops_at_the_close_and_leaves_the_rest_in_the_iterator() {
    let scheduler = RoundRobin::new(2);
    // The iterator itself closes the scheduler before it gives its third job.
    let mut closed = Vec::new();
    let mut jobs = (0..5).inspect(|&job| {
        if job == 2 {
            closed = scheduler.close();
        }
    });
    let batch = scheduler.push_batch(&mut jobs);
    assert_eq!(batch.accepted, 2);
    let (job, reason) = batch.rejected.unwrap().into_parts();
    assert_eq!(job, 2);
    assert!(matches!(reason, Reason::Closed));
    assert_eq!(jobs.collect::<Vec<_>>(), [3, 4]);
    assert_eq!(closed, [0, 1]);
}
