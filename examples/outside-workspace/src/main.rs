//! The task whose deadline comes first is started first: a scheduler that thrasks does not have,
//! plugged into a pool of two loops.
//!
//! Run it with `cargo run --manifest-path examples/outside-workspace/Cargo.toml`.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

use futures_lite::future::block_on;
use thrasks_loop::{LoopPool, Task};
use thrasks_sched::{Reason, Rejected, Scheduler, Wake};

/// Hands out the task with the earliest deadline, which is the task's tag; among equals, the one
/// that came first.
struct EarliestDeadline {
    workers: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By deadline and number of arrival.
    waiting: BTreeMap<(u64, u64), Task>,
    arrived: u64,
    closed: bool,
}

impl EarliestDeadline {
    fn new(workers: usize) -> Self {
        Self { workers, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scheduler<Task> for EarliestDeadline {
    fn workers(&self) -> usize {
        self.workers
    }

    fn push(&self, task: Task) -> Result<Wake, Rejected<Task>> {
        let mut state = self.state();
        if state.closed {
            return Err(Rejected::new(task, Reason::Closed));
        }
        let place = (task.tag(), state.arrived);
        state.arrived += 1;
        state.waiting.insert(place, task);
        // Who is idle is not kept, so everybody is called. Loops that are awake do not mind.
        Ok(Wake::Many((0..self.workers).collect()))
    }

    fn pop(&self, _worker: usize) -> Option<Task> {
        self.state().waiting.pop_first().map(|(_, task)| task)
    }

    fn len(&self) -> usize {
        self.state().waiting.len()
    }

    fn close(&self) -> Vec<Task> {
        let mut state = self.state();
        state.closed = true;
        std::mem::take(&mut state.waiting).into_values().collect()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// Keeps the processor busy.
fn work(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Runs a task for each deadline, on so many loops, and returns the deadlines and the loops in the
/// order of the starts.
fn start_order(loops: usize, deadlines: &[u64]) -> Result<Vec<(u64, String)>, Box<dyn Error>> {
    let pool =
        LoopPool::builder().threads(loops).name("loop").scheduler(EarliestDeadline::new).build()?;

    // While all tasks arrive, every loop is kept busy: otherwise the first one to arrive would be
    // started at once, whatever its deadline.
    let gate = Arc::new(Barrier::new(loops + 1));
    for worker in 0..loops {
        let gate = gate.clone();
        let hold = move || async move {
            gate.wait();
            gate.wait();
        };
        pool.spawn_on(worker, hold)?.detach();
    }
    gate.wait();

    let (started, starts) = mpsc::channel();
    let mut handles = Vec::new();
    for &deadline in deadlines {
        let started = started.clone();
        let (task, handle) = Task::new(move || async move {
            let name = std::thread::current().name().unwrap_or("?").to_owned();
            started.send((deadline, name)).expect("main listens");
            work(Duration::from_millis(2));
        });
        pool.submit(task.with_tag(deadline))?;
        handles.push(handle);
    }
    drop(started);
    println!("{} tasks wait for {loops} loop(s)", pool.stats().queued);

    gate.wait();
    for handle in handles {
        block_on(handle)?;
    }
    let report = pool.shutdown(Duration::from_secs(10));
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.completed, (deadlines.len() + loops) as u64);
    Ok(starts.iter().collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let deadlines = [70, 10, 50, 30, 90, 20, 60, 10, 80, 40];
    let mut sorted = deadlines;
    sorted.sort_unstable();

    let order = start_order(1, &deadlines)?;
    for (deadline, name) in &order {
        println!("  {name} started the task due at {deadline}");
    }
    let order: Vec<_> = order.into_iter().map(|(deadline, _)| deadline).collect();
    assert_eq!(order, sorted, "the earliest deadline goes first");

    // Two loops take them in the same order; who of two neighbours then tells first is chance.
    let mut order = start_order(2, &deadlines)?;
    for (deadline, name) in &order {
        println!("  {name} started the task due at {deadline}");
    }
    order.sort_unstable();
    let order: Vec<_> = order.into_iter().map(|(deadline, _)| deadline).collect();
    assert_eq!(order, sorted, "every task is run once");

    println!("in order: {sorted:?}");
    Ok(())
}
