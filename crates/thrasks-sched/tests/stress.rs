//! Threads against each other: nothing is lost, nothing is doubled, nobody sleeps for good.

mod common;

use std::{
    sync::{
        Barrier, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use common::{Crew, Flag};
use thrasks_sched::{LeastLoaded, PerWorker, Queue, RoundRobin, Scheduler, Wake, place_fn};

const WORKERS: usize = 3;
const PUSHERS: usize = 3;

fn all() -> Vec<Box<dyn Scheduler<usize>>> {
    vec![
        Box::new(RoundRobin::new(WORKERS)),
        Box::new(LeastLoaded::new(WORKERS)),
        Box::new(Queue::new(WORKERS)),
        Box::new(PerWorker::new(WORKERS, place_fn(|job: &usize, _| Ok(job % WORKERS)))),
    ]
}

/// Pushes `jobs` in every way there is; gives back what was rejected.
fn push_all(crew: &Crew<'_, usize>, mut jobs: std::ops::Range<usize>) -> Vec<usize> {
    let mut rejected = Vec::new();
    for step in 0.. {
        let outcome = match step % 4 {
            0 | 1 => {
                let Some(job) = jobs.next() else { break };
                crew.scheduler.push(job)
            }
            2 => {
                let Some(job) = jobs.next() else { break };
                crew.scheduler.push_to(job % WORKERS, job)
            }
            _ => {
                let batch = crew.scheduler.push_batch(&mut jobs.by_ref().take(step % 6));
                crew.wake(&batch.wake);
                batch.rejected.map_or(Ok(Wake::Nobody), Err)
            }
        };
        match outcome {
            Ok(wake) => crew.wake(&wake),
            Err(job) => rejected.push(job.into_job()),
        }
    }
    rejected
}

#[test]
fn every_job_runs_once_and_nobody_oversleeps() {
    const EACH: usize = 4_000;
    for suspending in [0, 3] {
        for scheduler in all() {
            let crew = Crew::new(&*scheduler);
            let (count, done) = (AtomicUsize::new(0), Flag::default());
            let ran = Mutex::new(Vec::new());
            thread::scope(|scope| {
                for worker in 0..WORKERS {
                    let (crew, count, done, ran) = (&crew, &count, &done, &ran);
                    scope.spawn(move || {
                        let mut mine = Vec::new();
                        crew.work(worker, suspending, |job| {
                            mine.push(job);
                            if count.fetch_add(1, Ordering::SeqCst) + 1 == PUSHERS * EACH {
                                done.set();
                            }
                        });
                        ran.lock().unwrap().extend(mine);
                    });
                }
                for pusher in 0..PUSHERS {
                    let crew = &crew;
                    scope.spawn(move || {
                        let jobs = pusher * EACH..(pusher + 1) * EACH;
                        assert_eq!(push_all(crew, jobs), []);
                    });
                }
                // Nobody closes or rings in between: if a wake-up is lost, this is never set.
                done.take();
                crew.stop();
            });
            let mut ran = ran.into_inner().unwrap();
            ran.sort_unstable();
            assert!(ran.into_iter().eq(0..PUSHERS * EACH));
            assert!(scheduler.is_empty());
            assert!((0..WORKERS).all(|worker| scheduler.load(worker) == Some(0)));
        }
    }
}

#[test]
fn one_job_at_a_time_is_answered_every_time() {
    // The workers are about to sleep when each job is pushed: the narrowest race, once per job.
    for scheduler in all() {
        let crew = Crew::new(&*scheduler);
        let done = Flag::default();
        thread::scope(|scope| {
            for worker in 0..WORKERS {
                let (crew, done) = (&crew, &done);
                scope.spawn(move || crew.work(worker, worker, |_| done.set()));
            }
            for job in 0..3_000 {
                crew.wake(&scheduler.push(job).unwrap());
                done.take();
            }
            crew.stop();
        });
    }
}

#[test]
fn jobs_that_wait_for_later_jobs_do_not_deadlock() {
    // Job k of the first half suspends until job k of the second half has run. The second half is
    // pushed one by one, each when all workers are asleep: most of them are suspended.
    const PAIRS: usize = 300;
    for scheduler in all() {
        let crew = Crew::new(&*scheduler);
        // The worker that waits for the pair's second job.
        let waits: Vec<AtomicUsize> = (0..PAIRS).map(|_| AtomicUsize::new(0)).collect();
        let ran: Vec<AtomicBool> = (0..PAIRS).map(|_| AtomicBool::new(false)).collect();
        let ended = AtomicUsize::new(0);
        let done = Flag::default();
        thread::scope(|scope| {
            for worker in 0..WORKERS {
                let (crew, waits, ran) = (&crew, &waits, &ran);
                let (ended, done) = (&ended, &done);
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    loop {
                        while let Some(job) = crew.scheduler.pop(worker) {
                            if job < PAIRS {
                                waits[job].store(worker, Ordering::SeqCst);
                                mine.push(job);
                            } else {
                                ran[job - PAIRS].store(true, Ordering::SeqCst);
                                let owner = waits[job - PAIRS].load(Ordering::SeqCst);
                                crew.wake(&Wake::One(owner));
                                crew.scheduler.finish(worker);
                            }
                        }
                        let before = mine.len();
                        mine.retain(|&job| !ran[job].load(Ordering::SeqCst));
                        for _ in mine.len()..before {
                            crew.scheduler.finish(worker);
                            if ended.fetch_add(1, Ordering::SeqCst) + 1 == PAIRS {
                                done.set();
                            }
                        }
                        if mine.len() < before {
                            // It pops after a finish before it sleeps.
                            continue;
                        }
                        if ended.load(Ordering::SeqCst) == PAIRS {
                            return;
                        }
                        crew.sleep(worker);
                    }
                });
            }
            for job in 0..PAIRS {
                crew.wake(&scheduler.push(job).unwrap());
            }
            for job in PAIRS..2 * PAIRS {
                crew.settle();
                crew.wake(&scheduler.push(job).unwrap());
            }
            done.take();
            crew.stop();
        });
        assert!((0..WORKERS).all(|worker| scheduler.load(worker) == Some(0)));
    }
}

#[test]
fn a_close_in_the_middle_gives_each_job_to_exactly_one() {
    const EACH: usize = 600;
    for round in 0..20 {
        for scheduler in all() {
            let crew = Crew::new(&*scheduler);
            let start = Barrier::new(PUSHERS + WORKERS + 1);
            let mut seen: Vec<usize> = thread::scope(|scope| {
                let mut threads = Vec::new();
                for worker in 0..WORKERS {
                    let (crew, start) = (&crew, &start);
                    threads.push(scope.spawn(move || {
                        let mut mine = Vec::new();
                        start.wait();
                        crew.work(worker, 1, |job| mine.push(job));
                        mine
                    }));
                }
                let pushers: Vec<_> = (0..PUSHERS)
                    .map(|pusher| {
                        let (crew, start) = (&crew, &start);
                        scope.spawn(move || {
                            start.wait();
                            push_all(crew, pusher * EACH..(pusher + 1) * EACH)
                        })
                    })
                    .collect();
                start.wait();
                // Not a sleep to wait for something: it only moves the close about.
                (0..round * 20).for_each(|_| thread::yield_now());
                let mut seen = scheduler.close();
                for pusher in pushers {
                    seen.extend(pusher.join().unwrap());
                }
                assert!(scheduler.close().is_empty());
                crew.stop();
                for thread in threads {
                    seen.extend(thread.join().unwrap());
                }
                seen
            });
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..PUSHERS * EACH));
            assert!(scheduler.is_empty());
        }
    }
}
