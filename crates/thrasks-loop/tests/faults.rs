//! Panics of what is not ours: of a scheduler, in each of its calls and at any time; of a waker that
//! waits for a loop's exit. Whoever awaits a task is told of its end, and the threads exit.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Waker},
    time::Duration,
};

use common::{BadWaker, CountWaker, Drops, LONG, block_on, door};
use thrasks_loop::{LoopHandle, LoopPool, LoopThread, QuietWaker, Task};
use thrasks_sched::{Batch, Queue, Rejected, RoundRobin, Scheduler, Wake};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Push,
    Pop,
    Len,
    Close,
    PushBatch,
    PushTo,
    Finish,
    Load,
    IsShared,
}

const CALLS: [Call; 9] = [
    Call::Push,
    Call::Pop,
    Call::Len,
    Call::Close,
    Call::PushBatch,
    Call::PushTo,
    Call::Finish,
    Call::Load,
    Call::IsShared,
];

/// A scheduler that panics in one of its calls, from a certain one on or only that time, before or
/// after it has done what it should.
struct Moody<S> {
    scheduler: S,
    call: Call,
    /// How many calls are left until it panics.
    left: AtomicUsize,
    once: bool,
    after: bool,
}

impl<S> Moody<S> {
    fn panics(&self, call: Call) -> bool {
        if call != self.call {
            return false;
        }
        let left = self.left.load(Ordering::SeqCst);
        match left {
            0 => !self.once,
            1 => {
                self.left.store(0, Ordering::SeqCst);
                true
            }
            _ => {
                self.left.store(left - 1, Ordering::SeqCst);
                false
            }
        }
    }

    fn call<R>(&self, call: Call, f: impl FnOnce(&S) -> R) -> R {
        let panics = self.panics(call);
        if panics && !self.after {
            resume_unwind(Box::new(call));
        }
        let result = f(&self.scheduler);
        if panics {
            resume_unwind(Box::new(call));
        }
        result
    }
}

impl<S: Scheduler<Task>> Scheduler<Task> for Moody<S> {
    fn workers(&self) -> usize {
        self.scheduler.workers()
    }

    fn push(&self, task: Task) -> Result<Wake, Rejected<Task>> {
        self.call(Call::Push, |scheduler| scheduler.push(task))
    }

    fn pop(&self, worker: usize) -> Option<Task> {
        self.call(Call::Pop, |scheduler| scheduler.pop(worker))
    }

    fn len(&self) -> usize {
        self.call(Call::Len, |scheduler| scheduler.len())
    }

    fn close(&self) -> Vec<Task> {
        self.call(Call::Close, |scheduler| scheduler.close())
    }

    fn push_batch(&self, tasks: &mut dyn Iterator<Item = Task>) -> Batch<Task> {
        self.call(Call::PushBatch, |scheduler| scheduler.push_batch(tasks))
    }

    fn push_to(&self, worker: usize, task: Task) -> Result<Wake, Rejected<Task>> {
        self.call(Call::PushTo, |scheduler| scheduler.push_to(worker, task))
    }

    fn finish(&self, worker: usize) {
        self.call(Call::Finish, |scheduler| scheduler.finish(worker));
    }

    fn load(&self, worker: usize) -> Option<usize> {
        self.call(Call::Load, |scheduler| scheduler.load(worker))
    }

    fn is_shared(&self) -> bool {
        self.call(Call::IsShared, |scheduler| scheduler.is_shared())
    }
}

/// Runs `f` on a thread of its own, so that a hang is a failure.
fn in_time<T: Send + 'static>(what: &str, f: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    let thread = std::thread::spawn(move || send.send(f()));
    match receive.recv_timeout(LONG) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs: {what}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => resume_unwind(payload),
            Ok(_) => unreachable!("it has sent or panicked"),
        },
    }
}

fn quietly<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

/// Does a bit of everything to a pool with this scheduler.
fn everything<S: Scheduler<Task> + 'static>(scheduler: impl FnOnce(usize) -> S + 'static) {
    let drops = Drops::default();
    // The pool cannot be made where the scheduler panics at once.
    let built = quietly(|| LoopPool::builder().threads(2).scheduler(scheduler).build().unwrap());
    let Some(pool) = built else { return };
    let loops: Vec<LoopHandle<Task>> = pool.loops().to_vec();
    let mut handles = Vec::new();
    let mut made = 0;
    for i in 0..12 {
        let mut factory = || {
            made += 1;
            let guard = drops.guard();
            move || async move {
                futures_lite::future::yield_now().await;
                drop(guard);
                i
            }
        };
        if i % 3 == 0 {
            let (task, handle) = Task::new(factory());
            let (other, second) = Task::new(factory());
            handles.extend([handle, second]);
            quietly(|| pool.submit_batch(&mut [task, other].into_iter()));
        } else if i % 3 == 1 {
            let factory = factory();
            handles.extend(quietly(|| pool.spawn_on(i % 2, factory).ok()).flatten());
        } else {
            let factory = factory();
            handles.extend(quietly(|| pool.try_spawn(factory).ok()).flatten());
        }
        quietly(|| pool.stats());
    }
    quietly(|| pool.shutdown(Duration::from_millis(20)));
    quietly(move || drop(pool));
    // With a value or without: told.
    for handle in handles {
        let _either_way = block_on(handle);
    }
    for handle in loops {
        assert!(handle.wait_exit(None));
    }
    assert_eq!(drops.count(), made);
}

#[test]
fn a_scheduler_that_panics_in_any_call_hangs_nobody_and_leaks_nothing() {
    for call in CALLS {
        for left in [1, 2, 5] {
            for (once, after) in [(true, false), (true, true), (false, false), (false, true)] {
                for shared in [true, false] {
                    let what = format!("{call:?}, {left}, {once}, {after}, {shared}");
                    in_time(&what, move || {
                        let left = AtomicUsize::new(left);
                        if shared {
                            everything(move |workers| Moody {
                                scheduler: Queue::new(workers),
                                call,
                                left,
                                once,
                                after,
                            });
                        } else {
                            everything(move |workers| Moody {
                                scheduler: RoundRobin::new(workers),
                                call,
                                left,
                                once,
                                after,
                            });
                        }
                    });
                }
            }
        }
    }
}

#[test]
fn those_who_wait_for_a_loops_exit_beside_one_whose_waker_panics_are_told() {
    for bad_first in [true, false] {
        let thread = LoopThread::builder().start().unwrap();
        let handle = thread.handle();
        let (held, in_front) = door();
        let task = thread.spawn(move || async move { in_front.stand() }).unwrap();
        held.wait();
        let woken = Arc::new(CountWaker::default());
        let (bad, good) = (Waker::from(Arc::new(BadWaker)), Waker::from(woken.clone()));
        let (mut first, mut second) = (pin!(handle.exited()), pin!(handle.exited()));
        let wakers = if bad_first { [&bad, &good] } else { [&good, &bad] };
        assert!(first.as_mut().poll(&mut Context::from_waker(wakers[0])).is_pending());
        assert!(second.as_mut().poll(&mut Context::from_waker(wakers[1])).is_pending());
        task.detach();
        held.open();
        drop(thread.join(None));
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(first.poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert!(second.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
}

#[test]
fn a_covered_waker_wakes_and_does_not_panic() {
    let mut quiet = QuietWaker::new();
    quiet.cover(&Waker::from(Arc::new(BadWaker))).wake_by_ref();
    let count = Arc::new(CountWaker::default());
    let waker = Waker::from(count.clone());
    quiet.cover(&waker).wake_by_ref();
    let same = quiet.cover(&waker).clone();
    assert!(quiet.cover(&waker).will_wake(&same));
    same.wake();
    assert_eq!(count.0.load(Ordering::SeqCst), 2);
}
