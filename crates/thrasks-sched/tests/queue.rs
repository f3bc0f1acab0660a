//! One queue that idle workers pull from.

use std::iter;

use thrasks_sched::{Queue, Reason, Scheduler, Wake};

/// A queue whose workers have all gone idle, in this order.
fn idle<J: Send>(order: &[usize]) -> Queue<J> {
    let scheduler = Queue::new(order.len());
    for &worker in order {
        assert!(scheduler.pop(worker).is_none());
    }
    scheduler
}

/// Gives `worker` a job that suspends, and lets it go idle again.
fn suspend(scheduler: &Queue<&'static str>, worker: usize) {
    let _wake = scheduler.push_to(worker, "suspends").unwrap();
    assert_eq!(scheduler.pop(worker), Some("suspends"));
    assert_eq!(scheduler.pop(worker), None);
}

#[test]
fn jobs_start_in_order_whoever_takes_them() {
    let scheduler = Queue::new(3);
    for job in 0..6 {
        assert_eq!(scheduler.push(job).unwrap(), Wake::Nobody);
    }
    let started: Vec<_> = [2, 2, 0, 1, 0, 1].map(|worker| scheduler.pop(worker).unwrap()).into();
    assert_eq!(started, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn the_longest_idle_worker_is_handed_the_job() {
    let scheduler = idle(&[2, 0, 1]);
    assert_eq!(scheduler.push("a").unwrap(), Wake::One(2));
    assert_eq!(scheduler.push("b").unwrap(), Wake::One(0));

    // Worker 2 is done and idle again before worker 1 had anything: 1 still has waited longer.
    assert_eq!(scheduler.pop(2), Some("a"));
    scheduler.finish(2);
    assert_eq!(scheduler.pop(2), None);
    assert_eq!(scheduler.push("c").unwrap(), Wake::One(1));
    assert_eq!(scheduler.push("d").unwrap(), Wake::One(2));
}

#[test]
fn a_job_in_a_hand_is_nobody_elses() {
    let scheduler = idle(&[0, 1]);
    assert_eq!(scheduler.push("a").unwrap(), Wake::One(0));
    assert_eq!(scheduler.pop(1), None);
    assert_eq!(scheduler.len(), 1);
    assert_eq!(scheduler.load(0), Some(1));
    assert_eq!(scheduler.pop(0), Some("a"));
    assert_eq!(scheduler.load(0), Some(1));
    scheduler.finish(0);
    assert_eq!(scheduler.load(0), Some(0));
}

#[test]
fn a_worker_that_looks_again_keeps_its_place() {
    let scheduler = idle(&[0, 1]);
    assert_eq!(scheduler.pop(0), None);
    assert_eq!(scheduler.push("a").unwrap(), Wake::One(0));
    assert_eq!(scheduler.push("b").unwrap(), Wake::One(1));
}

#[test]
fn n_idle_workers_and_n_jobs_use_n_workers() {
    for batch in [false, true] {
        let scheduler = idle(&[3, 1, 0, 2]);
        let mut woken = Vec::new();
        if batch {
            scheduler.push_batch(&mut (0..4)).wake.each(|worker| woken.push(worker));
        } else {
            (0..4).for_each(|job| scheduler.push(job).unwrap().each(|w| woken.push(w)));
        }
        assert_eq!(woken, [3, 1, 0, 2]);
        // However late the last ones come, each has its job.
        for (job, worker) in [3, 1, 0, 2].into_iter().enumerate() {
            assert_eq!(scheduler.pop(worker), Some(job));
        }
    }
}

#[test]
fn more_jobs_than_idle_workers_wait_for_whoever_is_free_first() {
    let scheduler = idle(&[0, 1]);
    let batch = scheduler.push_batch(&mut (0..5));
    assert_eq!((batch.accepted, batch.wake), (5, Wake::Many(vec![0, 1])));
    assert_eq!(scheduler.pop(1), Some(1));
    scheduler.finish(1);
    assert_eq!(iter::from_fn(|| scheduler.pop(1)).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(scheduler.pop(0), Some(0));
}

#[test]
fn a_job_is_not_stuck_behind_a_busy_worker() {
    let scheduler = idle(&[0, 1]);
    assert_eq!(scheduler.push("slow").unwrap(), Wake::One(0));
    assert_eq!(scheduler.pop(0), Some("slow"));
    // Worker 0 is in "slow" and does not pop. Everything else goes to worker 1.
    assert_eq!(scheduler.push("a").unwrap(), Wake::One(1));
    assert_eq!(scheduler.push("b").unwrap(), Wake::Nobody);
    assert_eq!(iter::from_fn(|| scheduler.pop(1)).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn free_workers_come_before_suspended_ones() {
    let scheduler = idle(&[0, 1, 2]);
    suspend(&scheduler, 0);
    suspend(&scheduler, 1);
    assert_eq!(scheduler.push("a").unwrap(), Wake::One(2));
    assert_eq!(scheduler.pop(2), Some("a"));
}

#[test]
fn without_a_free_worker_all_suspended_ones_are_named_and_the_first_takes_the_job() {
    let scheduler = idle(&[0, 1, 2]);
    suspend(&scheduler, 2);
    suspend(&scheduler, 0);
    assert_eq!(scheduler.push("a").unwrap(), Wake::One(1));
    assert_eq!(scheduler.push("b").unwrap(), Wake::Many(vec![2, 0]));
    // They stay idle: the next push names them again.
    assert_eq!(scheduler.push("c").unwrap(), Wake::Many(vec![2, 0]));
    assert_eq!(scheduler.pop(0), Some("b"));
    assert_eq!(scheduler.push("d").unwrap(), Wake::One(2));
    assert_eq!(scheduler.pop(2), Some("c"));
    assert_eq!(scheduler.pop(0), Some("d"));
    assert_eq!(scheduler.pop(1), Some("a"));
}

#[test]
fn a_batch_serves_the_free_workers_and_calls_the_suspended_ones_for_the_rest() {
    let scheduler = idle(&[0, 1, 2]);
    suspend(&scheduler, 0);
    let batch = scheduler.push_batch(&mut ["a", "b"].into_iter());
    assert_eq!(batch.wake, Wake::Many(vec![1, 2]));
    let scheduler = idle(&[0, 1, 2]);
    suspend(&scheduler, 0);
    let batch = scheduler.push_batch(&mut ["a", "b", "c"].into_iter());
    assert_eq!(batch.wake, Wake::Many(vec![1, 2, 0]));
    assert_eq!(scheduler.pop(0), Some("c"));
}

#[test]
fn a_suspended_worker_whose_last_job_ends_is_free_at_the_place_it_has() {
    let scheduler = idle(&[0, 1, 2]);
    suspend(&scheduler, 1);
    for worker in [0, 2] {
        suspend(&scheduler, worker);
        scheduler.finish(worker);
    }
    // The order is 1 (suspended), 0, 2 (both free). When 1 becomes free it is first.
    scheduler.finish(1);
    assert_eq!(scheduler.push("a").unwrap(), Wake::One(1));
    assert_eq!(scheduler.push("b").unwrap(), Wake::One(0));
    assert_eq!(scheduler.push("c").unwrap(), Wake::One(2));
}

#[test]
fn a_worker_with_another_job_alive_stays_suspended() {
    let scheduler = idle(&[0]);
    suspend(&scheduler, 0);
    suspend(&scheduler, 0);
    scheduler.finish(0);
    assert_eq!(scheduler.push("a").unwrap(), Wake::One(0));
    // Left in the shared queue, not handed over.
    assert_eq!(scheduler.load(0), Some(1));
    assert_eq!(scheduler.pop(0), Some("a"));
}

#[test]
fn a_job_for_a_named_worker_goes_to_its_hand_and_no_other_is_put_behind_it() {
    let scheduler = idle(&[0, 1]);
    assert_eq!(scheduler.push_to(0, "mine").unwrap(), Wake::One(0));
    // Worker 0 was idle longest, but has something to do now.
    assert_eq!(scheduler.push("a").unwrap(), Wake::One(1));
    assert_eq!(scheduler.push("b").unwrap(), Wake::Nobody);
    assert_eq!(scheduler.push_to(1, "yours").unwrap(), Wake::Nobody);
    assert_eq!(iter::from_fn(|| scheduler.pop(1)).collect::<Vec<_>>(), ["a", "yours", "b"]);
    assert_eq!(scheduler.pop(0), Some("mine"));
    let rejected = scheduler.push_to(2, "nobody's").unwrap_err();
    assert!(matches!(rejected.reason(), Reason::OutOfRange { worker: 2, workers: 2 }));
}

#[test]
fn a_close_gives_back_what_is_in_hands_and_what_is_shared() {
    let scheduler = idle(&[0, 1]);
    let _batch = scheduler.push_batch(&mut (0..4));
    assert_eq!(scheduler.pop(0), Some(0));
    assert_eq!(scheduler.close(), [1, 2, 3]);
    assert_eq!(scheduler.close(), []);
    assert_eq!((scheduler.pop(0), scheduler.pop(1)), (None, None));
    assert!(matches!(scheduler.push(4).unwrap_err().reason(), Reason::Closed));
    assert!(matches!(scheduler.push_to(1, 5).unwrap_err().reason(), Reason::Closed));
    let mut jobs = 6..8;
    let batch = scheduler.push_batch(&mut jobs);
    assert_eq!((batch.accepted, batch.rejected.unwrap().into_job()), (0, 6));
    assert_eq!(jobs, 7..8);
}

#[test]
fn a_queue_shows_how_many_wait_on_either_side() {
    let scheduler = idle(&[0, 1]);
    let _batch = scheduler.push_batch(&mut (0..2));
    assert_eq!(scheduler.pop(1), Some(1));
    assert_eq!(scheduler.pop(1), None);
    assert_eq!(format!("{scheduler:?}"), "Queue { workers: 2, queued: 1, idle: 1, .. }");
}
