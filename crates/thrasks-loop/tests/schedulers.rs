//! Whose turn it is: the pool with schedulers of thrasks-sched, and with one of its own.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, mpsc},
};

use common::{LONG, block_on, door};
use thrasks_loop::{LoopPool, Task};
use thrasks_sched::{Queue, Reason, Rejected, RoundRobin, Scheduler, Wake};

/// The least tag first, among equals the oldest.
struct ByTag {
    workers: usize,
    /// `None` once closed.
    heap: Mutex<Option<BinaryHeap<Reverse<Entry>>>>,
}

struct Entry(u64, u64, Task);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

impl ByTag {
    fn new(workers: usize) -> Self {
        Self { workers, heap: Mutex::new(Some(BinaryHeap::new())) }
    }
}

impl Scheduler<Task> for ByTag {
    fn workers(&self) -> usize {
        self.workers
    }

    fn push(&self, task: Task) -> Result<Wake, Rejected<Task>> {
        let mut heap = self.heap.lock().unwrap();
        let Some(heap) = &mut *heap else { return Err(Rejected::new(task, Reason::Closed)) };
        let number = heap.len() as u64;
        heap.push(Reverse(Entry(task.tag(), number, task)));
        Ok(Wake::Many((0..self.workers).collect()))
    }

    fn pop(&self, _: usize) -> Option<Task> {
        self.heap.lock().unwrap().as_mut()?.pop().map(|Reverse(Entry(_, _, task))| task)
    }

    fn len(&self) -> usize {
        self.heap.lock().unwrap().as_ref().map_or(0, BinaryHeap::len)
    }

    fn close(&self) -> Vec<Task> {
        let heap = self.heap.lock().unwrap().take();
        heap.into_iter().flatten().map(|Reverse(Entry(_, _, task))| task).collect()
    }
}

#[test]
fn a_foreign_scheduler_orders_the_tasks_by_their_tags() {
    let pool = LoopPool::builder().threads(1).scheduler(ByTag::new).build().unwrap();
    let (door, front) = door();
    pool.try_spawn(|| async move { front.stand() }).unwrap().detach();
    door.wait();
    let (send, receive) = mpsc::channel();
    for (tag, name) in [(5, "e"), (1, "a"), (3, "c"), (1, "b"), (4, "d")] {
        let send = send.clone();
        let (task, handle) = Task::new(move || async move { send.send(name).unwrap() });
        pool.submit(task.with_tag(tag)).unwrap();
        handle.detach();
    }
    drop(send);
    assert_eq!(pool.stats().queued, 5);
    door.open();
    assert_eq!(receive.iter().collect::<String>(), "abcde");
}

#[test]
fn a_loop_can_be_chosen_though_the_scheduler_cannot_do_that() {
    let pool = LoopPool::builder().threads(3).name("p").scheduler(ByTag::new).build().unwrap();
    for worker in [1, 2, 0] {
        let handle = pool.spawn_on(worker, || async { common::thread_name() }).unwrap();
        assert_eq!(block_on(handle).unwrap(), format!("p-{worker}"));
    }
    assert!(pool.spawn_on(3, || async {}).is_err());
}

#[test]
fn a_loop_asks_for_more_only_when_it_is_free() {
    let pool = LoopPool::builder().threads(2).name("p").scheduler(Queue::new).build().unwrap();
    // Both ways: a loop that is stuck in a task's first poll, and in a later one.
    for suspended in [false, true] {
        for stuck in 0..2 {
            let (door, front) = door();
            let handle = pool
                .spawn_on(stuck, move || async move {
                    if suspended {
                        futures_lite::future::yield_now().await;
                    }
                    front.stand();
                })
                .unwrap();
            door.wait();
            let free = format!("p-{}", 1 - stuck);
            let handles: Vec<_> = (0..500)
                .map(|_| pool.try_spawn(|| async { common::thread_name() }).unwrap())
                .collect();
            // Everything ends while the one loop is stuck.
            for other in handles {
                assert_eq!(block_on(other).unwrap(), free);
            }
            assert!(!handle.is_finished());
            door.open();
            block_on(handle).unwrap();
        }
    }
}

#[test]
fn a_loop_with_tasks_that_wait_is_not_handed_what_a_free_one_can_take() {
    let pool = LoopPool::builder().threads(2).name("p").scheduler(Queue::new).build().unwrap();
    // Loop 0 has a task that waits, and then keeps it busy when it goes on.
    let (door, front) = door();
    let (go, mut gone) = futures_channel();
    let waiting = pool
        .spawn_on(0, move || async move {
            gone.recv().await;
            front.stand();
        })
        .unwrap();
    block_on(pool.spawn_on(0, || async {}).unwrap()).unwrap();
    go.send();
    door.wait();
    for _ in 0..100 {
        let handle = pool.try_spawn(|| async { common::thread_name() }).unwrap();
        assert_eq!(block_on(handle).unwrap(), "p-1");
    }
    door.open();
    block_on(waiting).unwrap();
}

/// The least of a one-shot channel.
fn futures_channel() -> (Go, Gone) {
    let shared = std::sync::Arc::new((Mutex::new(false), event_listener::Event::new()));
    (Go(shared.clone()), Gone(shared))
}

type Gate = std::sync::Arc<(Mutex<bool>, event_listener::Event)>;

struct Go(Gate);
struct Gone(Gate);

impl Go {
    fn send(self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify(1);
    }
}

impl Gone {
    async fn recv(&mut self) {
        loop {
            let listener = self.0.1.listen();
            if *self.0.0.lock().unwrap() {
                return;
            }
            listener.await;
        }
    }
}

#[test]
fn round_robin_is_exact_with_any_number_of_submitters() {
    let pool = LoopPool::builder().threads(3).scheduler(RoundRobin::new).build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    pool.try_spawn(|| async {}).unwrap().detach();
                }
            });
        }
    });
    let report = pool.shutdown(LONG);
    assert_eq!((report.completed, report.cancelled), (3_000, 0));
    let done: Vec<_> = pool.stats().loops.iter().map(|stats| stats.done).collect();
    assert_eq!(done, [1_000; 3]);
}

#[test]
fn a_scheduler_that_names_a_worker_that_does_not_exist_is_told_so() {
    struct Off;
    impl Scheduler<Task> for Off {
        fn workers(&self) -> usize {
            2
        }
        fn push(&self, _: Task) -> Result<Wake, Rejected<Task>> {
            Ok(Wake::One(2))
        }
        fn pop(&self, _: usize) -> Option<Task> {
            None
        }
        fn len(&self) -> usize {
            0
        }
        fn close(&self) -> Vec<Task> {
            Vec::new()
        }
    }
    let pool = LoopPool::builder().threads(2).scheduler(|_| Off).build().unwrap();
    let payload = catch_unwind(AssertUnwindSafe(|| pool.try_spawn(|| async {}))).unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(text.contains("worker 2, and there are 2"), "{text}");
}

#[test]
fn a_placement_that_fails_gives_the_factory_back_and_its_error() {
    use std::error::Error as _;
    use thrasks_sched::{PerWorker, place_fn};
    let policy = place_fn(|_: &Task, _| Err("not today".into()));
    let pool = LoopPool::builder().threads(2).scheduler(move |n| PerWorker::new(n, policy)).build();
    let error = pool.unwrap().try_spawn(|| async { 1 }).unwrap_err();
    assert!(!error.is_full() && !error.is_closed());
    assert_eq!(error.source().unwrap().to_string(), "not today");
    assert_eq!(block_on(error.into_factory()()), 1);
}
