//! A scheduler written against the public API alone, plugged in where ours go.

mod common;

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Mutex},
    thread,
};

use common::{Crew, Flag};
use thrasks_sched::{Queue, Reason, Rejected, RoundRobin, Scheduler, Wake};

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Job {
    urgency: u8,
    name: usize,
}

/// The most urgent job first, among equals the oldest. Bounded, to use `Reason::Full` too.
struct Priorities {
    workers: usize,
    room: usize,
    state: Mutex<State>,
}

struct State {
    heap: BinaryHeap<(u8, Reverse<u64>, Job)>,
    pushed: u64,
    closed: bool,
}

impl Priorities {
    fn new(workers: usize, room: usize) -> Self {
        let state = State { heap: BinaryHeap::new(), pushed: 0, closed: false };
        Self { workers, room, state: Mutex::new(state) }
    }
}

impl Scheduler<Job> for Priorities {
    fn workers(&self) -> usize {
        self.workers
    }

    fn push(&self, job: Job) -> Result<Wake, Rejected<Job>> {
        let mut state = self.state.lock().unwrap();
        if state.closed {
            return Err(Rejected::new(job, Reason::Closed));
        }
        if state.heap.len() == self.room {
            return Err(Rejected::new(job, Reason::Full));
        }
        state.pushed += 1;
        let age = Reverse(state.pushed);
        state.heap.push((job.urgency, age, job));
        Ok(Wake::Many((0..self.workers).collect()))
    }

    fn pop(&self, _worker: usize) -> Option<Job> {
        self.state.lock().unwrap().heap.pop().map(|(_, _, job)| job)
    }

    fn len(&self) -> usize {
        self.state.lock().unwrap().heap.len()
    }

    fn close(&self) -> Vec<Job> {
        let mut state = self.state.lock().unwrap();
        state.closed = true;
        state.heap.drain().map(|(_, _, job)| job).collect()
    }
}

#[test]
fn the_foreign_policy_decides() {
    let scheduler: Box<dyn Scheduler<Job>> = Box::new(Priorities::new(1, 10));
    let jobs = [(1, 0), (9, 1), (1, 2), (9, 3)].map(|(urgency, name)| Job { urgency, name });
    let batch = scheduler.push_batch(&mut jobs.into_iter());
    assert_eq!((batch.accepted, batch.wake), (4, Wake::Many(vec![0])));
    let order: Vec<_> = std::iter::from_fn(|| scheduler.pop(0)).map(|job| job.name).collect();
    assert_eq!(order, [1, 3, 0, 2]);
}

#[test]
fn the_defaults_do_what_the_trait_says() {
    let scheduler: Arc<dyn Scheduler<Job>> = Arc::new(Priorities::new(2, 3));
    let mut jobs = (0..5).map(|name| Job { urgency: 0, name });
    let batch = scheduler.push_batch(&mut jobs);
    assert_eq!((batch.accepted, batch.wake), (3, Wake::Many(vec![0, 1])));
    let (job, reason) = batch.rejected.unwrap().into_parts();
    assert_eq!(job.name, 3);
    assert!(matches!(reason, Reason::Full));
    assert_eq!(jobs.next().unwrap().name, 4);

    assert!(!scheduler.is_empty());
    assert_eq!(scheduler.load(0), None);
    scheduler.finish(0);
    let rejected = scheduler.push_to(0, Job { urgency: 0, name: 9 }).unwrap_err();
    assert!(matches!(rejected.reason(), Reason::Unsupported));
    assert_eq!(scheduler.close().len(), 3);
    assert!(scheduler.is_empty());
}

#[test]
fn one_executor_runs_any_of_them() {
    const JOBS: usize = 500;
    let schedulers: [Box<dyn Scheduler<Job>>; 3] = [
        Box::new(Priorities::new(2, usize::MAX)),
        Box::new(Queue::new(2)),
        Box::new(RoundRobin::new(2)),
    ];
    for scheduler in schedulers {
        let crew = Crew::new(&*scheduler);
        let (ran, all) = (Mutex::new(Vec::new()), Flag::default());
        thread::scope(|scope| {
            for worker in 0..2 {
                let (crew, ran, all) = (&crew, &ran, &all);
                scope.spawn(move || {
                    crew.work(worker, 0, |job| {
                        let mut ran = ran.lock().unwrap();
                        ran.push(job.name);
                        if ran.len() == JOBS {
                            all.set();
                        }
                    });
                });
            }
            for name in 0..JOBS {
                crew.wake(&scheduler.push(Job { urgency: (name % 7) as u8, name }).unwrap());
            }
            all.take();
            crew.stop();
        });
        let mut ran = ran.into_inner().unwrap();
        ran.sort_unstable();
        assert_eq!(ran, (0..JOBS).collect::<Vec<_>>());
    }
}
