//! A pool's loops that begin, end and fall idle while jobs come.

use std::sync::Arc;

use loom::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};
use thrasks_sched::{LeastLoaded, Queue, Rejected, RoundRobin, Scheduler, Wake};

use super::Bell;
use crate::{LoopHandle, Next, Work, crew::Crew, shared::Shared};

type Job = u8;

struct Loop {
    shared: Arc<Shared<Job>>,
    bell: Arc<Bell>,
}

impl Loop {
    fn new() -> Self {
        let bell = Bell::new();
        Self { shared: Arc::new(Shared::new(String::new(), bell.clone().into())), bell }
    }

    /// Runs jobs until one of them is `last`, asleep when there is none.
    fn run_until(&self, last: Job, ran: &AtomicUsize) {
        let work = Work::new(self.shared.clone());
        loop {
            work.acknowledge();
            loop {
                match work.next() {
                    Next::Job(job) => {
                        ran.fetch_add(1, Relaxed);
                        work.finish();
                        if job == last {
                            return;
                        }
                    }
                    Next::Idle => break,
                    Next::Posted(_) | Next::Stop => unreachable!("nobody posts or stops"),
                }
            }
            if !work.is_notified() {
                self.bell.sleep();
            }
        }
    }
}

fn crew(scheduler: impl Scheduler<Job> + 'static, loops: &[Loop]) -> Arc<Crew<Job>> {
    let handles = loops.iter().map(|this| LoopHandle::new(this.shared.clone())).collect();
    Crew::new(Arc::new(scheduler), handles, None)
}

/// One loop ends while a job comes that its scheduler gives to it: the other one runs the job.
fn a_job_for_a_loop_that_ends_is_run_by_another(scheduler: impl Scheduler<Job> + 'static) {
    let [dying, living] = [Loop::new(), Loop::new()];
    let loops = [dying, living];
    let crew = crew(scheduler, &loops);
    let [dying, living] = loops;
    let end = thread::spawn(move || dying.shared.end());
    crew.submit(1).unwrap();
    end.join().unwrap();
    // Whoever lost the loop, or submitted, has called the other one for it.
    assert!(living.shared.inbox.is_notified());
    living.run_until(1, &AtomicUsize::new(0));
    living.shared.leave_seat();
}

/// See above.
pub fn a_job_dealt_to_a_loop_that_ends_is_run_by_another() {
    a_job_for_a_loop_that_ends_is_run_by_another(RoundRobin::new(2));
}

/// See above.
pub fn a_job_placed_on_a_loop_that_ends_is_run_by_another() {
    a_job_for_a_loop_that_ends_is_run_by_another(LeastLoaded::new(2));
}

/// See above.
pub fn a_job_handed_to_a_loop_that_ends_is_run_by_another() {
    a_job_for_a_loop_that_ends_is_run_by_another(Queue::new(2));
}

/// The last loop ends while a job comes: the job is refused or dropped, and the pool is closed.
pub fn with_its_last_loop_a_crew_is_closed() {
    let only = Loop::new();
    let loops = [only];
    let crew = crew(RoundRobin::new(1), &loops);
    let [only] = loops;
    let end = thread::spawn(move || only.shared.end());
    let _either_way = crew.submit(1);
    end.join().unwrap();
    assert!(crew.is_closed());
    assert!(crew.scheduler.is_empty());
    assert!(crew.submit(2).is_err());
}

/// A loop ends while it is seated: it loses the seat, or never gets it, and the crew knows.
pub fn a_loop_that_ends_while_it_is_seated_is_lost() {
    let only = Loop::new();
    let shared = only.shared.clone();
    let end = thread::spawn(move || shared.end());
    let crew = crew(RoundRobin::new(1), &[only]);
    end.join().unwrap();
    assert!(crew.is_closed());
}

/// A loop that is awake, falls asleep or sleeps while it is seated finds what waits at its new place.
pub fn a_loop_that_is_seated_finds_what_waits_there() {
    let only = Loop::new();
    let shared = only.shared.clone();
    let ran = Arc::new(AtomicUsize::new(0));
    let thread = {
        let ran = ran.clone();
        thread::spawn(move || only.run_until(1, &ran))
    };
    let scheduler = RoundRobin::new(1);
    // The one who seats it wakes it: whom the push names is nobody yet.
    let _wake = scheduler.push(1).unwrap();
    let crew = Crew::new(Arc::new(scheduler), vec![LoopHandle::new(shared.clone())], None);
    thread.join().unwrap();
    assert_eq!(ran.load(Relaxed), 1);
    assert!(crew.scheduler.is_empty());
    shared.leave_seat();
}

/// A scheduler around another one, with what has to be there and nothing more.
struct Plain(Queue<Job>);

impl Scheduler<Job> for Plain {
    fn workers(&self) -> usize {
        self.0.workers()
    }

    fn push(&self, job: Job) -> Result<Wake, Rejected<Job>> {
        self.0.push(job)
    }

    fn pop(&self, worker: usize) -> Option<Job> {
        self.0.pop(worker)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn close(&self) -> Vec<Job> {
        self.0.close()
    }
}

/// A loop that slept before it was seated is called for the first job, also by a scheduler that names
/// only those who have looked for one.
pub fn a_loop_that_is_seated_is_called_for_the_first_job() {
    let only = Loop::new();
    let shared = only.shared.clone();
    let ran = Arc::new(AtomicUsize::new(0));
    let thread = {
        let ran = ran.clone();
        thread::spawn(move || only.run_until(1, &ran))
    };
    let loops = vec![LoopHandle::new(shared.clone())];
    let crew = Crew::new(Arc::new(Plain(Queue::new(1))), loops, None);
    crew.submit(1).unwrap();
    thread.join().unwrap();
    assert_eq!(ran.load(Relaxed), 1);
    shared.leave_seat();
}

/// A loop that loses its seat while it looks for work keeps nothing of it, or is woken to let go.
pub fn a_loop_that_loses_its_seat_lets_go_of_it() {
    let only = Loop::new();
    let shared = only.shared.clone();
    let scheduler = Arc::new(RoundRobin::new(1));
    let crew = Crew::new(scheduler.clone(), vec![LoopHandle::new(shared.clone())], None);
    let thread = thread::spawn(move || {
        let work = Work::new(only.shared.clone());
        // Twice: the second time it takes another copy, or finds that there is no seat.
        for _ in 0..2 {
            work.acknowledge();
            assert!(matches!(work.next(), Next::Idle));
        }
        assert!(!work.is_shared(), "and a third time, with no look for work after it");
        if work.is_notified() {
            work.acknowledge();
            assert!(matches!(work.next(), Next::Idle));
        }
        work
    });
    drop(crew);
    shared.leave_seat();
    let work = thread.join().unwrap();
    if work.is_notified() {
        assert!(matches!(work.next(), Next::Idle));
    }
    assert_eq!(Arc::strong_count(&scheduler), 1, "nobody keeps the scheduler");
    drop(work);
}

/// Who waits until all is done is woken, and by then it is done: also what was in a loop's hands.
pub fn who_waits_for_the_end_of_all_jobs_waits_as_long_as_that_and_no_longer() {
    let only = Loop::new();
    let loops = [only];
    let crew = crew(RoundRobin::new(1), &loops);
    crew.submit(1).unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    let [only] = loops;
    let shared = only.shared.clone();
    let thread = {
        let ran = ran.clone();
        thread::spawn(move || {
            let work = Work::new(only.shared.clone());
            work.acknowledge();
            let Next::Job(1) = work.next() else { panic!("there is one job") };
            // Relaxed: that it is seen is what the counters promise.
            ran.store(1, Relaxed);
            work.finish();
            assert!(matches!(work.next(), Next::Idle));
        })
    };
    assert!(crew.wait_drained(None));
    assert_eq!(ran.load(Relaxed), 1);
    thread.join().unwrap();
    shared.leave_seat();
}

/// A thread that says its last word is waited for, by a thread and by a task.
pub fn who_waits_for_a_loops_exit_is_told() {
    let this = Loop::new();
    let (exiting, task) = (this.shared.clone(), this.shared.clone());
    let exit = thread::spawn(move || exiting.exit());
    let task = thread::spawn(move || Bell::block_on(task.exited()));
    assert!(this.shared.wait_exit(None));
    exit.join().unwrap();
    task.join().unwrap();
}
