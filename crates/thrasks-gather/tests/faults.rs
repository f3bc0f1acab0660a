//! Panics of what is not ours, where they would do the most harm: in the gather's waker, in the
//! pool's scheduler, in the drops of values and payloads. No gather hangs, and nothing of it is left.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    future::{Future, IntoFuture},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Wake},
    time::Duration,
};

use common::{Alive, BoxError, pool};
use futures_lite::future::block_on;
use thrasks_gather::{Failure, gather, gather_settled, try_gather};
use thrasks_group::TaskGroup;
use thrasks_loop::{LoopPool, Task};
use thrasks_sched::{Queue, Rejected, Scheduler, Wake as Named};

/// Long enough for anything that happens at all.
const LONG: Duration = Duration::from_secs(30);

/// A panic that is not printed.
fn panic_quietly() -> ! {
    resume_unwind(Box::new("injected"))
}

/// Runs `f` on a thread of its own, so that a hang is a failure.
fn in_time<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    let thread = std::thread::spawn(move || send.send(f()));
    match receive.recv_timeout(LONG) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => resume_unwind(payload),
            Ok(_) => unreachable!("it has sent or panicked"),
        },
    }
}

/// A queue whose `push` panics from a certain one on.
struct Moody {
    queue: Queue<Task>,
    pushes: AtomicUsize,
    good: usize,
}

impl Scheduler<Task> for Moody {
    fn workers(&self) -> usize {
        self.queue.workers()
    }

    fn push(&self, task: Task) -> Result<Named, Rejected<Task>> {
        if self.pushes.fetch_add(1, Ordering::SeqCst) >= self.good {
            panic_quietly();
        }
        self.queue.push(task)
    }

    fn pop(&self, worker: usize) -> Option<Task> {
        self.queue.pop(worker)
    }

    fn len(&self) -> usize {
        self.queue.len()
    }

    fn close(&self) -> Vec<Task> {
        self.queue.close()
    }

    fn finish(&self, worker: usize) {
        self.queue.finish(worker);
    }
}

fn moody(threads: usize, good: usize) -> LoopPool {
    LoopPool::builder()
        .threads(threads)
        .scheduler(move |workers| Moody {
            queue: Queue::new(workers),
            pushes: AtomicUsize::new(0),
            good,
        })
        .build()
        .unwrap()
}

#[test]
fn a_scheduler_that_panics_loses_the_tasks_that_wait_for_their_turn_and_the_gather_ends() {
    in_time(|| {
        // So many that one call inside of another for each would be too deep.
        for (limit, count) in [(1, 20), (3, 20), (5_000, 20_000)] {
            let pool = moody(2, limit);
            let jobs = (0..count).map(|i| move || async move { i });
            let gathered = gather_settled(&pool, jobs).limit(limit).into_future();
            // It panics in the gather's own poll where that starts tasks itself.
            let Ok(outcomes) = catch_unwind(AssertUnwindSafe(|| block_on(gathered))) else {
                continue;
            };
            assert_eq!(outcomes.len(), count);
            for (i, outcome) in outcomes.into_iter().enumerate() {
                match outcome {
                    Ok(value) => assert_eq!(value, i),
                    Err(failure) => assert!(matches!(failure, Failure::Lost), "{failure:?}"),
                }
            }
        }
    });
}

#[test]
fn what_a_gather_had_running_when_its_scheduler_panicked_is_waited_for_by_the_group_around_it() {
    in_time(|| {
        for good in 0..8 {
            let (alive, inside) = (Alive::default(), moody(2, good));
            let outside = pool(1);
            let result = block_on(TaskGroup::<BoxError>::builder(&outside).collect_errors().scope(
                async |group| {
                    let alive = alive.clone();
                    let child = group.spawn(move || async move {
                        let jobs = (0..10).map(|_| {
                            let guard = alive.guard();
                            move || async move { drop(guard) }
                        });
                        gather(&inside, jobs).limit(2).await?;
                        Ok(())
                    })?;
                    drop(child);
                    Ok(())
                },
            ));
            assert!(result.is_err());
            assert_eq!(alive.now(), 0);
        }
    });
}

/// Counts its calls, and panics in each.
#[derive(Default)]
struct BadWaker(AtomicUsize);

impl Wake for BadWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic_quietly();
    }
}

#[test]
fn a_gather_whose_waker_panics_still_ends_its_tasks() {
    in_time(|| {
        for limit in [100, 2] {
            let (pool, alive) = (pool(1), Alive::default());
            let (go, wait) = mpsc::channel::<()>();
            let mut wait = Some(wait);
            let jobs = (0..10).map(|i| {
                let (guard, wait) = (alive.guard(), wait.take());
                move || async move {
                    let _guard = guard;
                    if let Some(wait) = wait {
                        let _ = wait.recv();
                    }
                    if i == 1 { Err("failed") } else { Ok(()) }
                }
            });
            let mut gathered =
                try_gather(&pool, jobs.collect::<Vec<_>>()).limit(limit).into_future();
            let bad = Arc::new(BadWaker::default());
            let waker = bad.clone().into();
            assert!(Pin::new(&mut gathered).poll(&mut Context::from_waker(&waker)).is_pending());
            drop(go);
            // The loop runs what is posted after the first tasks only when those are done with.
            let (done, after) = mpsc::channel();
            while bad.0.load(Ordering::SeqCst) == 0 {
                let done = done.clone();
                pool.try_spawn(move || async move { done.send(()) }).unwrap().detach();
                after.recv().unwrap();
            }
            drop(gathered);
            // The last ones are dropped by the loop.
            while alive.now() > 0 {
                let done = done.clone();
                pool.try_spawn(move || async move { done.send(()) }).unwrap().detach();
                after.recv().unwrap();
            }
        }
    });
}

/// A payload whose drop panics, with another of its kind, so many times.
struct Payload(usize);

impl Drop for Payload {
    fn drop(&mut self) {
        if self.0 > 0 {
            resume_unwind(Box::new(Self(self.0 - 1)));
        }
    }
}

#[test]
fn payloads_that_panic_when_they_are_dropped_do_not_come_out_of_a_gather() {
    in_time(|| {
        for depth in 0..4 {
            let (pool, dropped) = (pool(2), Arc::new(AtomicBool::new(false)));
            let flag = dropped.clone();
            let jobs = (0..10).map(move |i| {
                let flag = flag.clone();
                move || async move {
                    if i == 3 {
                        flag.store(true, Ordering::SeqCst);
                        resume_unwind(Box::new(Payload(depth)));
                    }
                    i
                }
            });
            let outcomes = block_on(gather_settled(&pool, jobs).limit(2).into_future());
            assert!(dropped.load(Ordering::SeqCst));
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1);
            assert!(matches!(&outcomes[3], Err(Failure::Panicked(_))));
            drop(outcomes);
        }
    });
}
