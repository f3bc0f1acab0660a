//! Schedulers alone, under several threads that each push, and pop as a worker, until all jobs are
//! through.
//!
//! `cargo bench -p thrasks-benches --bench sched_threads`
//!
//! crossbeam-deque is used as its documentation says: jobs come into an `Injector`; a worker pops
//! from its own deque, steals a batch from the injector, then from the others. It knows of nobody
//! who sleeps and wakes nobody; the schedulers of thrasks say whom to wake, and can be closed.

mod side_by_side;

use std::{
    collections::VecDeque,
    hint::black_box,
    iter,
    sync::{
        Barrier, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use criterion::Criterion;
use crossbeam_deque::{Injector, Stealer, Worker};
use thrasks_sched::{LeastLoaded, Queue, RoundRobin, Scheduler};

use self::side_by_side::{Contender, compare};

const JOBS: u64 = 64_000;
/// How many jobs a thread pushes before it pops as long as there are any.
const BURST: u64 = 32;

/// Where threads push jobs and pop them, each as one worker.
trait Exchange: Sync {
    type Seat: Send;
    fn push(&self, job: u64);
    fn pop(&self, seat: &mut Self::Seat) -> Option<u64>;
}

/// Pushes and pops on as many threads as there are seats; the time does not have their making in
/// it.
fn run<X: Exchange>(exchange: &X, seats: Vec<X::Seat>) -> Duration {
    let threads = seats.len() as u64;
    let (popped, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    let line = Barrier::new(seats.len());
    // From the first one's start to the last one's end: whoever waits for them may be the last to
    // learn that they have started.
    let (start, end) = thread::scope(|scope| {
        let mut running = Vec::new();
        for (number, mut seat) in (0..).zip(seats) {
            let (popped, sum, line) = (&popped, &sum, &line);
            running.push(scope.spawn(move || {
                let mut mine = (number..JOBS).step_by(threads as usize).peekable();
                let mut total = 0;
                line.wait();
                let start = Instant::now();
                while popped.load(Ordering::Relaxed) < JOBS {
                    mine.by_ref().take(BURST as usize).for_each(|job| exchange.push(job));
                    let mut count = 0;
                    while let Some(job) = exchange.pop(&mut seat) {
                        total += black_box(job);
                        count += 1;
                    }
                    popped.fetch_add(count, Ordering::Relaxed);
                    if count == 0 && mine.peek().is_none() {
                        thread::yield_now();
                    }
                }
                sum.fetch_add(total, Ordering::Relaxed);
                (start, Instant::now())
            }));
        }
        let times = running.into_iter().map(|thread| thread.join().expect("none panics"));
        times.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).expect("there is a seat")
    });
    assert_eq!(sum.into_inner(), JOBS * (JOBS - 1) / 2, "a job was lost");
    end - start
}

struct Thrasks<S>(S);

impl<S: Scheduler<u64>> Exchange for Thrasks<S> {
    type Seat = usize;

    fn push(&self, job: u64) {
        let wake = self.0.push(job).expect("it is open");
        let _ = black_box(wake);
    }

    fn pop(&self, seat: &mut usize) -> Option<u64> {
        let job = self.0.pop(*seat)?;
        self.0.finish(*seat);
        Some(job)
    }
}

fn thrasks(scheduler: impl Scheduler<u64>) -> Duration {
    let seats = (0..scheduler.workers()).collect();
    run(&Thrasks(scheduler), seats)
}

struct Crossbeam {
    injector: Injector<u64>,
    stealers: Vec<Stealer<u64>>,
}

impl Exchange for Crossbeam {
    type Seat = Worker<u64>;

    fn push(&self, job: u64) {
        self.injector.push(job);
    }

    fn pop(&self, local: &mut Worker<u64>) -> Option<u64> {
        local.pop().or_else(|| {
            let steal = || {
                let injected = self.injector.steal_batch_and_pop(local);
                injected.or_else(|| self.stealers.iter().map(Stealer::steal).collect())
            };
            iter::repeat_with(steal).find(|steal| !steal.is_retry())?.success()
        })
    }
}

fn crossbeam(threads: usize) -> Duration {
    let seats: Vec<_> = (0..threads).map(|_| Worker::new_fifo()).collect();
    let stealers = seats.iter().map(Worker::stealer).collect();
    run(&Crossbeam { injector: Injector::new(), stealers }, seats)
}

struct Locked(Mutex<VecDeque<u64>>);

impl Exchange for Locked {
    type Seat = ();

    fn push(&self, job: u64) {
        self.0.lock().expect("nobody panics").push_back(job);
    }

    fn pop(&self, (): &mut ()) -> Option<u64> {
        self.0.lock().expect("nobody panics").pop_front()
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for threads in [1, 2, 4, 8] {
        let contenders = vec![
            Contender::timed("Queue", || thrasks(Queue::new(threads))),
            Contender::timed("RoundRobin", || thrasks(RoundRobin::new(threads))),
            Contender::timed("LeastLoaded", || thrasks(LeastLoaded::new(threads))),
            Contender::timed("crossbeam-deque", || crossbeam(threads)),
            Contender::timed("Mutex<VecDeque>", || {
                run(&Locked(Mutex::default()), vec![(); threads])
            }),
        ];
        compare(&mut criterion, &format!("push and pop, {threads} threads"), JOBS, contenders);
    }
    criterion.final_summary();
}
