//! Each job goes to the worker with the least to do.

use thrasks_sched::{LeastLoaded, Scheduler, Wake};

#[test]
fn ties_go_round() {
    let scheduler = LeastLoaded::new(3);
    for job in 0..7 {
        assert_eq!(scheduler.push(job).unwrap(), Wake::One(job % 3));
    }

    // Also when each job has ended before the next is pushed: worker 0 does not get them all.
    let scheduler = LeastLoaded::new(3);
    for job in 0..7 {
        assert_eq!(scheduler.push(job).unwrap(), Wake::One(job % 3));
        assert_eq!(scheduler.pop(job % 3), Some(job));
        scheduler.finish(job % 3);
    }
}

#[test]
fn the_least_loaded_worker_is_found_wherever_the_search_begins() {
    for idle in 0..4 {
        for turn in 0..4 {
            let scheduler = LeastLoaded::new(4);
            // Moves the start, and leaves nothing behind.
            for _ in 0..turn {
                scheduler.push(0).unwrap().each(|worker| {
                    assert_eq!(scheduler.pop(worker), Some(0));
                    scheduler.finish(worker);
                });
            }
            for worker in (0..4).filter(|&worker| worker != idle) {
                let _wake = scheduler.push_to(worker, 1).unwrap();
            }
            assert_eq!(scheduler.push(2).unwrap(), Wake::One(idle));
        }
    }
}

#[test]
fn jobs_that_wait_and_jobs_that_run_both_count() {
    let scheduler = LeastLoaded::new(2);
    let _wake = scheduler.push_to(0, "runs").unwrap();
    let _wake = scheduler.push_to(0, "waits").unwrap();
    assert_eq!(scheduler.pop(0), Some("runs"));
    let _wake = scheduler.push_to(1, "waits").unwrap();
    assert_eq!((scheduler.load(0), scheduler.load(1)), (Some(2), Some(1)));

    assert_eq!(scheduler.push("a").unwrap(), Wake::One(1));
    scheduler.finish(0);
    assert_eq!(scheduler.push("b").unwrap(), Wake::One(0));
    assert_eq!((scheduler.load(0), scheduler.load(1)), (Some(2), Some(2)));
}

#[test]
fn each_job_of_a_batch_counts() {
    let scheduler = LeastLoaded::new(3);
    for job in 0..4 {
        let _wake = scheduler.push_to(2, job).unwrap();
    }
    let batch = scheduler.push_batch(&mut (0..8));
    assert_eq!(batch.accepted, 8);
    let loads: Vec<_> = (0..3).map(|worker| scheduler.load(worker).unwrap()).collect();
    assert_eq!(loads, [4, 4, 4]);
    assert_eq!(batch.wake, Wake::Many(vec![0, 1]));
}

#[test]
fn a_finish_too_many_does_no_harm() {
    let scheduler = LeastLoaded::<()>::new(2);
    scheduler.finish(1);
    assert_eq!(scheduler.load(1), Some(0));
    assert_eq!(scheduler.load(2), None);
}
