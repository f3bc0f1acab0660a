//! Policies of one's own, in a `PerWorker`.

use std::{
    error::Error,
    iter,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use thrasks_sched::{Loads, PerWorker, Placement, Reason, Scheduler, Wake, place_fn};

/// Goes to the last worker, and counts how often it was asked.
#[derive(Default)]
struct Last {
    asked: AtomicUsize,
}

impl<J> Placement<J> for Last {
    fn place(&self, _: &J, loads: &Loads<'_>) -> Result<usize, Box<dyn Error + Send + Sync>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(loads.len() - 1)
    }
}

#[test]
fn a_job_goes_where_the_placement_says() {
    let scheduler = PerWorker::new(3, Last::default());
    assert_eq!(scheduler.push("a").unwrap(), Wake::One(2));
    assert_eq!(scheduler.pop(0), None);
    assert_eq!(scheduler.pop(2), Some("a"));
}

#[test]
fn a_placement_may_be_borrowed_shared_boxed_or_dyn() {
    let last = Last::default();
    assert_eq!(PerWorker::new(2, &last).push(1).unwrap(), Wake::One(1));
    let boxed: Box<dyn Placement<i32>> = Box::new(&last);
    assert_eq!(PerWorker::new(2, &boxed).push(1).unwrap(), Wake::One(1));
    drop(boxed);
    let shared: Arc<dyn Placement<i32>> = Arc::new(last);
    let scheduler: Box<dyn Scheduler<i32>> = Box::new(PerWorker::new(2, shared));
    assert_eq!(scheduler.push(1).unwrap(), Wake::One(1));
}

#[test]
fn a_placement_out_of_range_gives_the_job_back() {
    let scheduler = PerWorker::new(2, place_fn(|job: &usize, _| Ok(*job)));
    let rejected = scheduler.push(2).unwrap_err();
    assert_eq!(rejected.to_string(), "there is no worker 2: there are 2, numbered from 0");
    let (job, reason) = rejected.into_parts();
    assert_eq!(job, 2);
    assert!(matches!(reason, Reason::OutOfRange { worker: 2, workers: 2 }));
    assert!(scheduler.is_empty());

    let rejected = scheduler.push_to(7, 1).unwrap_err();
    assert!(matches!(rejected.reason(), Reason::OutOfRange { worker: 7, workers: 2 }));
}

#[test]
fn a_failing_policy_gives_the_job_back_with_its_error() {
    let scheduler = PerWorker::new(
        2,
        place_fn(|job: &i32, _| {
            job.checked_rem(2).filter(|_| *job >= 0).map_or_else(
                || Err(format!("{job} is negative").into()),
                |worker| Ok(usize::try_from(worker)?),
            )
        }),
    );
    let rejected = scheduler.push(-1).unwrap_err();
    assert_eq!(rejected.to_string(), "the placement failed: -1 is negative");
    assert_eq!(rejected.source().unwrap().to_string(), "-1 is negative");
    assert_eq!(rejected.into_job(), -1);

    let mut jobs = [4, 5, -6, 7].into_iter();
    let batch = scheduler.push_batch(&mut jobs);
    assert_eq!((batch.accepted, batch.wake), (2, Wake::Many(vec![0, 1])));
    assert_eq!(batch.rejected.unwrap().into_job(), -6);
    assert_eq!(jobs.next(), Some(7));
}

#[test]
fn a_closed_scheduler_does_not_ask_the_policy() {
    let last = Last::default();
    let scheduler = PerWorker::new(2, &last);
    let _jobs = scheduler.close();
    let (job, reason) = scheduler.push("a").unwrap_err().into_parts();
    assert_eq!(job, "a");
    assert!(matches!(reason, Reason::Closed));
    assert_eq!(last.asked.load(Ordering::Relaxed), 0);
    assert!(matches!(scheduler.push_to(0, "b").unwrap_err().reason(), Reason::Closed));
}

#[test]
fn a_placement_sees_the_loads_and_the_jobs_of_its_own_batch() {
    // Fills worker 0 up to 3, then worker 1.
    let scheduler = PerWorker::new(
        2,
        place_fn(|_: &u32, loads| {
            assert_eq!(loads.iter().len(), 2);
            assert_eq!(loads.get(0), loads.iter().next().unwrap());
            Ok(usize::from(loads.get(0) == 3))
        }),
    );
    let batch = scheduler.push_batch(&mut (0..5));
    assert_eq!((batch.accepted, batch.wake), (5, Wake::Many(vec![0, 1])));
    assert_eq!(scheduler.pop(0), Some(0));
    // It has been started and has not ended: it counts.
    assert_eq!(scheduler.push(5).unwrap(), Wake::One(1));
    scheduler.finish(0);
    assert_eq!(scheduler.push(6).unwrap(), Wake::One(0));
    assert_eq!(iter::from_fn(|| scheduler.pop(1)).collect::<Vec<_>>(), [3, 4, 5]);
}

#[test]
fn loads_can_be_given_and_shown() {
    let loads = Loads::from(&[3, 1, 2][..]);
    assert_eq!(format!("{loads:?}"), "[3, 1, 2]");
    assert!(!loads.is_empty());
    assert!(Loads::from(&[][..]).is_empty());
}

#[test]
fn a_scheduler_shows_how_many_jobs_are_queued() {
    let scheduler = PerWorker::new(2, Last::default());
    let _wake = scheduler.push("a").unwrap();
    assert_eq!(format!("{scheduler:?}"), "PerWorker { workers: 2, queued: 1, .. }");
}
