//! Panics of what is not ours, where they would do the most harm: in wakers, in the pool's scheduler,
//! in the drops of errors, values and payloads. The scope ends all the same, and nothing of it is left.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use common::{Alive, BoxError, Latch, pool};
use futures_lite::future::{block_on, pending, poll_once, yield_now};
use thrasks_group::{Failure, TaskGroup};
use thrasks_loop::LoopPool;
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
    let result = receive.recv_timeout(LONG);
    match result {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => resume_unwind(payload),
            Ok(_) => unreachable!("it has sent or panicked"),
        },
    }
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

fn poll_with<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

#[test]
fn a_waker_that_panics_at_a_childs_end_keeps_nobody_else_waiting() {
    in_time(|| {
        let pool = pool(1);
        let result = block_on(TaskGroup::<BoxError>::scope(&pool, async |group| {
            let go = Latch::default();
            let latch = go.clone();
            let mut handle = group.spawn(move || async move {
                latch.wait().await;
                Ok(7)
            })?;
            let bad = Arc::new(BadWaker::default());
            assert!(poll_with(Pin::new(&mut handle), &bad.clone().into()).is_pending());
            go.open();
            let next = group.spawn(|| async { Ok(8) })?;
            assert_eq!(next.await?, 8);
            assert_eq!(bad.0.load(Ordering::SeqCst), 1);
            Ok(handle.await?)
        }));
        assert_eq!(result.unwrap(), 7);
    });
}

#[test]
fn a_scope_whose_waker_panics_still_cancels_its_children_and_lets_others_wait_for_them() {
    in_time(|| {
        let (pool, alive) = (pool(2), Alive::default());
        let group = TaskGroup::<BoxError>::new(&pool);
        let (started, guard) = (Latch::default(), alive.clone());
        let latch = started.clone();
        let bad = Arc::new(BadWaker::default());
        let mut scope = pin!(group.run(async move |group| {
            for _ in 0..2 {
                let (guard, latch) = (guard.guard(), latch.clone());
                group.spawn(move || async move {
                    let _guard = guard;
                    latch.open();
                    pending::<Result<(), BoxError>>().await
                })?;
            }
            pending::<Result<(), BoxError>>().await
        }));
        assert!(poll_with(scope.as_mut(), &bad.clone().into()).is_pending());
        block_on(started.wait());
        // The scope's waker is called here.
        let cancelled = catch_unwind(AssertUnwindSafe(|| group.cancel()));
        assert!(cancelled.is_ok(), "who cancels a group has nothing to do with its waker");
        assert_eq!(bad.0.load(Ordering::SeqCst), 1);
        // Nobody polls for that waker's sake; this stands for an owner who looks by chance, and
        // drops the body by it.
        let early = poll_with(scope.as_mut(), &bad.clone().into());
        let waiting = group.clone();
        let ended = std::thread::spawn(move || block_on(waiting.ended()));
        block_on(group.ended());
        ended.join().unwrap();
        assert_eq!(alive.now(), 0);
        let result = match early {
            Poll::Ready(result) => result,
            Poll::Pending => block_on(scope),
        };
        assert!(result.unwrap_err().is_cancelled());
    });
}

#[test]
fn those_who_wait_for_a_group_beside_one_whose_waker_panics_are_told() {
    in_time(|| {
        for bad_first in [true, false] {
            let pool = pool(1);
            let group = TaskGroup::<BoxError>::new(&pool);
            let go = Latch::default();
            let latch = go.clone();
            let mut scope = pin!(group.run(async move |group| {
                group.spawn(move || async move {
                    latch.wait().await;
                    Ok(())
                })?;
                Ok(())
            }));
            assert!(block_on(poll_once(scope.as_mut())).is_none());
            let bad = Arc::new(BadWaker::default());
            let (mut first, mut second) = (pin!(group.ended()), pin!(group.ended()));
            let woken = Arc::new(Woken::default());
            let (bad_waker, good) = (Waker::from(bad.clone()), Waker::from(woken.clone()));
            let wakers = if bad_first { [&bad_waker, &good] } else { [&good, &bad_waker] };
            assert!(poll_with(first.as_mut(), wakers[0]).is_pending());
            assert!(poll_with(second.as_mut(), wakers[1]).is_pending());
            go.open();
            assert!(block_on(scope).is_ok());
            assert_eq!(bad.0.load(Ordering::SeqCst), 1);
            assert!(woken.0.load(Ordering::SeqCst));
            assert!(poll_with(first, Waker::noop()).is_ready());
            assert!(poll_with(second, Waker::noop()).is_ready());
        }
    });
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A queue whose `push` panics while the switch is on.
struct Moody {
    queue: Queue<thrasks_loop::Task>,
    panics: Arc<AtomicBool>,
}

impl Scheduler<thrasks_loop::Task> for Moody {
    fn workers(&self) -> usize {
        self.queue.workers()
    }

    fn push(&self, task: thrasks_loop::Task) -> Result<Named, Rejected<thrasks_loop::Task>> {
        if self.panics.load(Ordering::SeqCst) {
            panic_quietly();
        }
        self.queue.push(task)
    }

    fn pop(&self, worker: usize) -> Option<thrasks_loop::Task> {
        self.queue.pop(worker)
    }

    fn len(&self) -> usize {
        self.queue.len()
    }

    fn close(&self) -> Vec<thrasks_loop::Task> {
        self.queue.close()
    }

    fn finish(&self, worker: usize) {
        self.queue.finish(worker);
    }
}

fn moody(threads: usize) -> (LoopPool, Arc<AtomicBool>) {
    let panics = Arc::new(AtomicBool::new(false));
    let switch = panics.clone();
    let pool = LoopPool::builder()
        .threads(threads)
        .scheduler(move |workers| Moody { queue: Queue::new(workers), panics })
        .build()
        .unwrap();
    (pool, switch)
}

#[test]
fn a_scheduler_that_panics_at_a_spawn_panics_there_and_the_scope_ends() {
    in_time(|| {
        for limit in [None, Some(1)] {
            let (pool, panics) = moody(1);
            let mut builder = TaskGroup::<BoxError>::builder(&pool).collect_errors();
            if let Some(limit) = limit {
                builder = builder.max_concurrency(limit);
            }
            let result = block_on(builder.scope(async |group| {
                panics.store(true, Ordering::SeqCst);
                let spawned =
                    catch_unwind(AssertUnwindSafe(|| group.spawn(|| async { Ok(()) }).map(drop)));
                assert!(spawned.is_err());
                panics.store(false, Ordering::SeqCst);
                // It holds no place of the limit's.
                group.spawn(|| async { Ok(()) })?.await?;
                Ok(())
            }));
            let failures = result.unwrap_err().into_failures();
            assert!(matches!(failures[..], [Failure::Lost]), "{failures:?}");
        }
    });
}

#[test]
fn a_scheduler_that_panics_loses_the_children_that_wait_for_their_turn_and_the_scope_ends() {
    in_time(|| {
        let (pool, panics) = moody(1);
        let builder = TaskGroup::<BoxError>::builder(&pool).max_concurrency(1).collect_errors();
        let result = block_on(builder.scope(async |group| {
            let (started, go) = (Latch::default(), Latch::default());
            let (latch, first) = (go.clone(), started.clone());
            group.spawn(move || async move {
                first.open();
                latch.wait().await;
                Ok(())
            })?;
            started.wait().await;
            // So many that one call inside of another for each would be too deep.
            for _ in 0..10_000 {
                group.spawn(|| async { Ok(()) })?;
            }
            panics.store(true, Ordering::SeqCst);
            go.open();
            Ok(())
        }));
        let failures = result.unwrap_err().into_failures();
        assert_eq!(failures.len(), 10_000);
        assert!(failures.iter().all(|failure| matches!(failure, Failure::Lost)));
    });
}

#[test]
fn children_that_end_while_they_are_given_to_the_pool_leave_their_place_to_the_next() {
    in_time(|| {
        let pool = pool(2);
        let (count, alive) = (Arc::new(AtomicUsize::new(0)), Alive::default());
        let builder = TaskGroup::<BoxError>::builder(&pool).max_concurrency(2);
        let result = block_on(builder.scope(async |group| {
            for _ in 0..5_000 {
                let (count, alive) = (count.clone(), alive.clone());
                group.spawn(move || {
                    let guard = alive.guard();
                    async move {
                        let _guard = guard;
                        count.fetch_add(1, Ordering::SeqCst);
                        Ok(())
                    }
                })?;
            }
            Ok(())
        }));
        result.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 5_000);
        assert!(alive.most() <= 2);
    });
}

/// An error whose drop panics.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_quietly();
    }
}

#[test]
fn errors_that_panic_when_they_are_dropped_with_a_dropped_scope_keep_nobody_waiting() {
    in_time(|| {
        let pool = pool(1);
        let group = TaskGroup::<Bomb>::builder(&pool).collect_errors().build();
        let (failed, go) = (Latch::default(), Latch::default());
        let (first, latch) = (failed.clone(), go.clone());
        let mut scope = Box::pin(group.run(async move |group| {
            let handle = group.spawn(|| async { Err::<(), _>(Bomb) }).unwrap();
            assert!(handle.await.is_err());
            group
                .spawn(move || async move {
                    latch.wait().await;
                    Ok(())
                })
                .unwrap();
            first.open();
            pending::<Result<(), Bomb>>().await
        }));
        while !failed.is_open() {
            assert!(block_on(poll_once(scope.as_mut())).is_none());
            block_on(yield_now());
        }
        drop(scope);
        go.open();
        block_on(group.ended());
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
fn payloads_that_panic_when_they_are_dropped_keep_nobody_waiting() {
    in_time(|| {
        for depth in 0..4 {
            let pool = pool(1);
            let group = TaskGroup::<BoxError>::builder(&pool).collect_errors().build();
            let started = Latch::default();
            let (first, (go, wait)) = (started.clone(), mpsc::channel::<()>());
            let mut scope = Box::pin(group.run(async move |group| {
                group.spawn::<_, _, ()>(move || async move {
                    first.open();
                    let _ = wait.recv();
                    resume_unwind(Box::new(Payload(depth)))
                })?;
                pending::<Result<(), BoxError>>().await
            }));
            assert!(block_on(poll_once(scope.as_mut())).is_none());
            block_on(started.wait());
            // The failure comes when nobody will ask for it: it is dropped where it came from.
            drop(scope);
            drop(go);
            block_on(group.ended());
            // The loop goes on.
            assert_eq!(block_on(pool.try_spawn(|| async { 7 }).unwrap()).unwrap(), 7);
        }
    });
}

#[test]
fn values_that_panic_when_they_are_dropped_unwanted_are_failures_at_any_depth() {
    struct Value;
    impl Drop for Value {
        fn drop(&mut self) {
            resume_unwind(Box::new(Payload(2)));
        }
    }
    in_time(|| {
        let pool = pool(1);
        let result =
            block_on(TaskGroup::<BoxError>::builder(&pool).collect_errors().scope(async |group| {
                // Ended after its handle is gone: before, the value would be dropped with that, here.
                let go = Latch::default();
                let latch = go.clone();
                drop(group.spawn(move || async move {
                    latch.wait().await;
                    Ok(Value)
                })?);
                go.open();
                group.spawn(|| async { Ok(()) })?.await?;
                Ok(())
            }));
        let mut failures = result.unwrap_err().into_failures();
        assert_eq!(failures.len(), 1);
        // A payload of this kind is the caller's to leak.
        match failures.pop() {
            Some(Failure::Panicked(panic)) => std::mem::forget(panic.into_payload()),
            other => panic!("it was no panic: {other:?}"),
        }
    });
}
