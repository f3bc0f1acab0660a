use std::{
    fmt,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Poll, Wake, Waker},
};

use async_executor::LocalExecutor;
use futures_lite::future::{or, yield_now};

use crate::{
    Driver, Next, Task, Work,
    sync::lock,
    task::{Bench, Ending},
};

/// How many polls of running tasks, and how many starts of new ones, pass before the loop looks at
/// the other, and at its I/O: enough to make the look cheap, few enough to keep the wait short.
const SLICE: usize = 64;

/// The driver of this crate: an [`async_executor::LocalExecutor`] on a thread that parks.
///
/// Its jobs are [`Task`]s; their futures need not be `Send`. With the feature `io`, the thread
/// waits in async-io's reactor, so that a task's I/O and timers wake it without a detour over
/// another thread.
///
/// A loop asks its scheduler for more only when none of its tasks is ready to go on (and once in a
/// while even then, so that tasks that never rest cannot shut new ones out).
pub struct LocalDriver {
    wake: Arc<WakeSlot>,
}

/// The waker of the future that the thread blocks on, known once that runs.
#[derive(Default)]
struct WakeSlot(Mutex<Option<Waker>>);

impl Wake for WakeSlot {
    fn wake(self: Arc<Self>) {
        let waker = lock(&self.0).clone();
        // Before the loop runs there is no waker: its first look will find the work.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl LocalDriver {
    /// A driver for one thread.
    pub fn new() -> Self {
        Self { wake: Arc::default() }
    }
}

impl Default for LocalDriver {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LocalDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalDriver")
    }
}

impl Driver for LocalDriver {
    type Job = Task;

    fn waker(&self) -> Waker {
        self.wake.clone().into()
    }

    fn run(self, work: Work<Task>) {
        let bench = Bench { executor: LocalExecutor::new(), work: Rc::new(work) };
        block_on(serve(&bench, &self.wake));
        // What still runs is dropped with the executor. Its drops may panic; each has been told to
        // its handle as cancelled by then, and the thread ends either way.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(bench)));
    }
}

#[cfg(feature = "io")]
fn block_on<T>(future: impl Future<Output = T>) -> T {
    async_io::block_on(future)
}

#[cfg(not(feature = "io"))]
fn block_on<T>(future: impl Future<Output = T>) -> T {
    futures_lite::future::block_on(future)
}

async fn serve(bench: &Bench, wake: &WakeSlot) {
    let work = &*bench.work;
    poll_fn(|cx| {
        *lock(&wake.0) = Some(cx.waker().clone());
        Poll::Ready(())
    })
    .await;
    work.set_asleep(false);
    let mut rounds = 0;
    loop {
        work.acknowledge();
        for _ in 0..SLICE {
            if !tick(&bench.executor) {
                break;
            }
        }
        match work.next() {
            Next::Job(task) => start(task, bench, Ending::Scheduled),
            Next::Posted(task) => {
                work.start_posted();
                start(task, bench, Ending::Posted);
            }
            Next::Stop => return,
            Next::Idle => {
                work.set_asleep(true);
                or(rest(work), tick_one(bench)).await;
                work.set_asleep(false);
                rounds = 0;
            }
        }
        rounds += 1;
        if rounds >= SLICE {
            // Lets the reactor see to I/O and timers.
            yield_now().await;
            rounds = 0;
        }
    }
}

/// Completes when the loop was woken for work. The waker that does so is the thread's own.
async fn rest(work: &Work<Task>) {
    poll_fn(|_| if work.is_notified() { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Runs one task that is ready, or waits for one.
async fn tick_one(bench: &Bench) {
    let mut tick = pin!(bench.executor.tick());
    // A task's panic is its outcome and does not get here; a panic in a drop of its future does.
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| tick.as_mut().poll(cx))).unwrap_or(Poll::Ready(()))
    })
    .await;
}

/// Runs one task that is ready. Returns whether there was one.
fn tick(executor: &LocalExecutor<'_>) -> bool {
    catch_unwind(AssertUnwindSafe(|| executor.try_tick())).unwrap_or(true)
}

fn start(task: Task, bench: &Bench, ending: Ending) {
    // A factory's panic is its task's outcome and does not get here.
    let _ = catch_unwind(AssertUnwindSafe(|| task.start(bench, ending)));
}
