//! Every interleaving of a few calls, as far as loom's bound on preemptions goes:
//! `RUSTFLAGS="--cfg thrasks_loom" cargo test -p thrasks-sched --test loom --release`
#![cfg(thrasks_loom)]

use loom::{
    model::Builder,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use thrasks_sched::{LeastLoaded, Limit, Queue, RoundRobin, Scheduler, Wake};

fn model(preemptions: usize, f: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(f);
}

/// What a worker sleeps by. A worker that is never woken is a deadlock, which loom reports.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn sleep(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

struct Crew<S> {
    scheduler: S,
    bells: [Bell; 2],
    ran: AtomicUsize,
}

impl<S: Scheduler<usize>> Crew<S> {
    fn new(scheduler: S) -> Arc<Self> {
        Arc::new(Self { scheduler, bells: Default::default(), ran: AtomicUsize::new(0) })
    }

    fn wake(&self, wake: &Wake) {
        wake.each(|worker| self.bells[worker].ring());
    }

    /// Runs what there is until `jobs` have been run by all workers together.
    fn work(&self, worker: usize, jobs: usize) -> usize {
        let mut sum = 0;
        loop {
            while let Some(job) = self.scheduler.pop(worker) {
                sum += job;
                self.scheduler.finish(worker);
                if self.ran.fetch_add(1, Ordering::SeqCst) + 1 == jobs {
                    self.bells.iter().for_each(Bell::ring);
                }
            }
            if self.ran.load(Ordering::SeqCst) == jobs {
                return sum;
            }
            self.bells[worker].sleep();
        }
    }
}

#[test]
fn one_worker_is_never_left_asleep() {
    model(3, || {
        let crew = Crew::new(Queue::new(1));
        let worker = {
            let crew = crew.clone();
            thread::spawn(move || crew.work(0, 2))
        };
        for job in [1, 2] {
            crew.wake(&crew.scheduler.push(job).unwrap());
        }
        assert_eq!(worker.join().unwrap(), 3);
    });
}

#[test]
fn two_workers_are_never_left_asleep() {
    model(3, || {
        let crew = Crew::new(Queue::new(2));
        let workers = [0, 1].map(|worker| {
            let crew = crew.clone();
            thread::spawn(move || crew.work(worker, 2))
        });
        for job in [1, 2] {
            crew.wake(&crew.scheduler.push(job).unwrap());
        }
        assert_eq!(workers.map(|worker| worker.join().unwrap()).iter().sum::<usize>(), 3);
    });
}

#[test]
fn two_pushers_do_not_leave_a_worker_asleep() {
    model(3, || {
        let crew = Crew::new(Queue::new(1));
        let pusher = {
            let crew = crew.clone();
            thread::spawn(move || crew.wake(&crew.scheduler.push(1).unwrap()))
        };
        let worker = {
            let crew = crew.clone();
            thread::spawn(move || crew.work(0, 2))
        };
        crew.wake(&crew.scheduler.push_to(0, 2).unwrap());
        pusher.join().unwrap();
        assert_eq!(worker.join().unwrap(), 3);
    });
}

#[test]
fn a_batch_wakes_enough() {
    model(2, || {
        let crew = Crew::new(Queue::new(2));
        let workers = [0, 1].map(|worker| {
            let crew = crew.clone();
            thread::spawn(move || crew.work(worker, 3))
        });
        let batch = crew.scheduler.push_batch(&mut [1, 2, 3].into_iter());
        crew.wake(&batch.wake);
        assert_eq!(workers.map(|worker| worker.join().unwrap()).iter().sum::<usize>(), 6);
    });
}

#[test]
fn a_suspended_worker_that_becomes_free_misses_nothing() {
    model(3, || {
        let crew = Crew::new(Queue::new(1));
        // A job that is suspended, and its worker in line.
        let _wake = crew.scheduler.push(0).unwrap();
        assert_eq!(crew.scheduler.pop(0), Some(0));
        assert_eq!(crew.scheduler.pop(0), None);
        let worker = {
            let crew = crew.clone();
            thread::spawn(move || {
                crew.scheduler.finish(0);
                crew.work(0, 2)
            })
        };
        for job in [1, 2] {
            crew.wake(&crew.scheduler.push(job).unwrap());
        }
        assert_eq!(worker.join().unwrap(), 3);
    });
}

#[test]
fn a_suspended_worker_is_woken() {
    model(3, || {
        let crew = Crew::new(Queue::new(1));
        let _wake = crew.scheduler.push(0).unwrap();
        assert_eq!(crew.scheduler.pop(0), Some(0));
        let worker = {
            let crew = crew.clone();
            thread::spawn(move || crew.work(0, 2))
        };
        for job in [1, 2] {
            crew.wake(&crew.scheduler.push(job).unwrap());
        }
        assert_eq!(worker.join().unwrap(), 3);
    });
}

#[test]
fn a_hand_over_and_a_pop_share_the_jobs_out() {
    model(3, || {
        let queue = Arc::new(Queue::new(2));
        assert_eq!(queue.pop(0), None);
        // Worker 0 looks again while a job may be on its way into its hand; worker 1 looks too.
        let workers = [0, 1].map(|worker| {
            let queue = queue.clone();
            thread::spawn(move || queue.pop(worker))
        });
        let mut named = Vec::new();
        queue.push(1).unwrap().each(|worker| named.push(worker));
        let got: Vec<_> = workers.map(|worker| worker.join().unwrap()).into();
        let taken = got.iter().flatten().count();
        if taken == 0 {
            // Then somebody is to be woken, and finds it.
            assert_eq!(named.len(), 1);
            assert_eq!(queue.pop(named[0]), Some(1));
        } else {
            assert_eq!(taken, 1);
        }
        assert_eq!(queue.len(), 0);
        assert_eq!((queue.pop(0), queue.pop(1)), (None, None));
    });
}

#[test]
fn no_job_is_handed_to_a_worker_behind_one_that_was_pushed_to_it() {
    model(3, || {
        let queue = Arc::new(Queue::new(2));
        assert_eq!(queue.pop(0), None);
        let pusher = {
            let queue = queue.clone();
            thread::spawn(move || drop(queue.push_to(0, 1).unwrap()))
        };
        drop(queue.push(2).unwrap());
        pusher.join().unwrap();
        // Either it was handed the other one before, or that is there for both.
        let first = queue.pop(0).unwrap();
        if first == 1 {
            assert_eq!(queue.pop(1), Some(2));
        } else {
            assert_eq!((queue.pop(1), queue.pop(0)), (None, Some(1)));
        }
    });
}

/// One thread pushes, one pops, one closes: each job comes out once.
fn close_gives_each_job_to_one(scheduler: impl Scheduler<usize> + 'static) {
    let scheduler = Arc::new(scheduler);
    // Idle, so that a queue hands over.
    assert_eq!(scheduler.pop(0), None);
    let pusher = {
        let scheduler = scheduler.clone();
        thread::spawn(move || {
            let first = scheduler.push(1).map_err(|job| job.into_job());
            let second = scheduler.push_to(0, 2).map_err(|job| job.into_job());
            [first, second].map(|outcome| outcome.err().unwrap_or(0)).iter().sum::<usize>()
        })
    };
    let worker = {
        let scheduler = scheduler.clone();
        thread::spawn(move || scheduler.pop(0).unwrap_or(0))
    };
    let closed: usize = scheduler.close().into_iter().sum();
    let (rejected, popped) = (pusher.join().unwrap(), worker.join().unwrap());
    assert_eq!(closed + rejected + popped, 3);
    assert_eq!(scheduler.len(), 0);
    assert_eq!(scheduler.pop(0), None);
    assert!(scheduler.close().is_empty());
}

#[test]
fn closing_a_queue_gives_each_job_to_one() {
    model(3, || close_gives_each_job_to_one(Queue::new(1)));
}

#[test]
fn closing_lanes_gives_each_job_to_one() {
    model(3, || close_gives_each_job_to_one(RoundRobin::new(1)));
    model(3, || close_gives_each_job_to_one(LeastLoaded::new(1)));
}

#[test]
fn round_robin_deals_exactly_while_batches_give_turns_back() {
    model(3, || {
        let scheduler = Arc::new(RoundRobin::new(3));
        let pushers = [1, 2].map(|jobs| {
            let scheduler = scheduler.clone();
            // Promises two jobs and gives one or two. (With a multiple of the workers, turns that are
            // dealt twice would even out.)
            let mut jobs = [1, 2].into_iter().take_while(move |&job| job <= jobs);
            let mut jobs = std::iter::from_fn(move || jobs.next());
            thread::spawn(move || {
                let batch = scheduler.push_batch(&mut Promising(&mut jobs));
                assert!(batch.rejected.is_none());
            })
        });
        for pusher in pushers {
            pusher.join().unwrap();
        }
        // Nine jobs in all: the turns that were given back are dealt again, so each has three.
        for job in 0..6 {
            let _wake = scheduler.push(job).unwrap();
        }
        let loads = [0, 1, 2].map(|worker| scheduler.load(worker).unwrap());
        assert_eq!(loads, [3, 3, 3]);
    });
}

struct Promising<I>(I);

impl<I: Iterator> Iterator for Promising<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (2, None)
    }
}

/// Two jobs end while others come and wait: each is run once, by whoever let it in, and never more
/// than one is alive.
#[test]
fn a_limit_lets_each_job_in_once_and_never_too_many() {
    model(3, || {
        let limit = Arc::new(Limit::new(1));
        let (alive, ran) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let run = |limit: Arc<Limit<usize>>, job: usize| {
            let (alive, ran) = (alive.clone(), ran.clone());
            move || {
                let mut next = limit.enter(job);
                while let Some(job) = next {
                    assert_eq!(alive.fetch_add(1, Ordering::SeqCst), 0);
                    ran.fetch_add(job, Ordering::SeqCst);
                    alive.fetch_sub(1, Ordering::SeqCst);
                    next = limit.leave();
                }
            }
        };
        let threads = [1, 10].map(|job| thread::spawn(run(limit.clone(), job)));
        run(limit.clone(), 100)();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(ran.load(Ordering::SeqCst), 111);
        assert_eq!((limit.alive(), limit.waiting()), (0, 0));
    });
}

/// A gate is closed while jobs come and go: none stays in a backlog that nobody looks at any more.
#[test]
fn a_limit_that_closes_keeps_no_job() {
    model(3, || {
        let limit = Arc::new(Limit::new(1));
        assert_eq!(limit.enter(1), Some(1));
        let other = limit.clone();
        let coming = thread::spawn(move || other.enter(10).unwrap_or(0));
        let other = limit.clone();
        let going = thread::spawn(move || other.leave().unwrap_or(0));
        let closed: usize = limit.close().into_iter().sum();
        assert_eq!(coming.join().unwrap() + going.join().unwrap() + closed, 10);
        assert_eq!(limit.waiting(), 0);
    });
}
