use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, OnceLock},
    task::{Poll, Wake, Waker},
    thread,
};

use futures_lite::future::yield_now;

use crate::{
    Driver, Next, Task, Work,
    quiet::quietly,
    run::{Bench, Ending},
};

/// How many polls of tasks that are ready pass before the loop looks for new ones: enough to make
/// the look cheap, few enough to keep the wait short.
const SLICE: usize = 64;

/// How many polls and starts pass before the loop sees to its I/O and timers.
const BUDGET: usize = 256;

/// The driver of this crate: an [`async_executor::LocalExecutor`] on a thread that parks.
///
/// Its jobs are [`Task`]s; their futures need not be `Send`. With the feature `io`, the thread
/// waits in async-io's reactor, so that a task's I/O and timers wake it without a detour over
/// another thread.
///
/// A loop asks its scheduler for more only when none of its tasks is ready to go on (and once in a
/// while even then, so that tasks that never rest cannot shut new ones out).
///
/// # Examples
///
/// ```
/// use thrasks_loop::{Builder, LocalDriver};
///
/// // What `Builder::start` does.
/// let thread = Builder::new().start_with(LocalDriver::new())?;
/// assert_eq!(futures_lite::future::block_on(thread.spawn(|| async { 1 })?)?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LocalDriver {
    wake: Arc<WakeSlot>,
}

/// The waker of the future that the thread blocks on, known once that runs.
#[derive(Default)]
struct WakeSlot(OnceLock<Waker>);

impl Wake for WakeSlot {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Before the loop runs there is no waker: its first look will find the work. Whoever finds
        // none here has raised the loop's signal before, and the loop leaves its waker before it
        // first acknowledges; so that acknowledgement comes after the raise, and sees the work.
        if let Some(waker) = self.0.get() {
            waker.wake_by_ref();
        }
    }
}

impl LocalDriver {
    /// A driver for one thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{Builder, LocalDriver};
    ///
    /// let pool = Builder::new().threads(2).build_with(|_index| LocalDriver::new())?;
    /// assert_eq!(futures_lite::future::block_on(pool.try_spawn(|| async { 7 })?)?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "a driver does nothing until a thread runs it"]
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
        // What still runs in the end is dropped with the executor.
        let bench = Bench::new(work);
        block_on(serve(&bench, &self.wake));
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
    poll_fn(|cx| Poll::Ready(wake.0.get_or_init(|| cx.waker().clone()))).await;
    work.set_asleep(false);
    let mut spent = 0;
    let mut patience = Patience::default();
    loop {
        work.acknowledge();
        spent += tick(bench);
        match work.next() {
            Next::Job(task) => start(task, bench, Ending::Scheduled),
            Next::Posted(task) => {
                work.start_posted();
                start(task, bench, Ending::Posted);
            }
            Next::Stop => return,
            Next::Idle => {
                let is_fed = work.was_shared() && patience.wait(work);
                if !is_fed && sleep(bench).await {
                    // It has been at the reactor.
                    spent = 0;
                    continue;
                }
            }
        }
        spent += 1;
        if spent >= BUDGET {
            yield_now().await;
            spent = 0;
        }
    }
}

/// Lets others have the core before the loop goes to sleep, where that has been of use.
///
/// A loop that is faster than whoever feeds it would go to sleep and be woken for each job of a burst:
/// two system calls at either end, where the next job mostly comes while the loop makes its one call.
/// Where jobs come one by one, that call only delays the sleep, and is mostly left out.
///
/// Only for jobs that another loop may take as well: a thread that has yielded is behind others, and
/// one that waits for this loop's jobs, one after the other, would have it interrupted after each.
#[derive(Default)]
struct Patience {
    /// How often it has been of no use in a row, as far as that matters.
    failed: u32,
    /// How many sleeps come before it is tried again.
    skip: u32,
}

impl Patience {
    /// Returns whether there is something to do now.
    fn wait(&mut self, work: &Work<Task>) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        thread::yield_now();
        let notified = work.is_notified();
        self.failed = if notified { 0 } else { (self.failed + 1).min(2) };
        self.skip = (1 << self.failed) - 1;
        notified
    }
}

/// Sleeps until the loop is woken for work, or a task is ready, which is then run. Returns whether
/// it had to sleep for that.
///
/// Either has the waker of the future that the thread blocks on, so each wake-up gets here.
async fn sleep(bench: &Bench) -> bool {
    let work = &*bench.work;
    let mut slept = false;
    let mut tick = pin!(bench.executor.tick());
    poll_fn(|cx| {
        work.set_asleep(false);
        if work.is_notified() {
            return Poll::Ready(slept);
        }
        // A task that is ready runs in here. Its panic is its outcome and does not come out.
        if bench.has_suspended() && tick.as_mut().poll(cx).is_ready() {
            return Poll::Ready(slept);
        }
        work.set_asleep(true);
        slept = true;
        Poll::Pending
    })
    .await
}

/// Runs tasks that are ready, and says how many.
fn tick(bench: &Bench) -> usize {
    // An empty executor is asked nothing: that would be a full fence for each job.
    if !bench.has_suspended() {
        return 0;
    }
    (0..SLICE).take_while(|_| bench.executor.try_tick()).count()
}

fn start(task: Task, bench: &Bench, ending: Ending) {
    // The drop of a factory that never runs may panic.
    quietly(|| task.start(bench, ending));
}
