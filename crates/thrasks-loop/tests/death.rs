//! A loop that ends before its pool does: nothing hangs, and nothing is lost that another loop can
//! still do.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::Waker,
    time::Duration,
};

use common::{LONG, block_on, door};
use thrasks_loop::{
    Builder, Driver, JoinHandle, LocalDriver, LoopHandle, LoopPool, LoopThread, Next, Task, Work,
};
use thrasks_sched::{
    LeastLoaded, PerWorker, Queue, Reason, Rejected, RoundRobin, Scheduler, Wake, place_fn,
};

/// Two loops, of which the first has ended.
fn maimed(builder: Builder) -> LoopPool {
    let pool = builder.threads(2).name("p").build().unwrap();
    // Idle, and known as such.
    for worker in 0..2 {
        block_on(pool.spawn_on(worker, || async {}).unwrap()).unwrap();
    }
    pool.loops()[0].stop();
    block_on(pool.loops()[0].exited());
    pool
}

fn runs_everything(pool: &LoopPool, n: usize) {
    let names: Vec<_> = (0..n)
        .map(|_| pool.try_spawn(|| async { common::thread_name() }).unwrap())
        .collect::<Vec<_>>()
        .into_iter()
        .map(|handle| block_on(handle).unwrap())
        .collect();
    assert!(names.iter().all(|name| name == "p-1"), "{names:?}");
    // And one at a time, with the loop idle in between.
    for _ in 0..n {
        block_on(pool.try_spawn(|| async {}).unwrap()).unwrap();
    }
    let (tasks, handles): (Vec<_>, Vec<_>) = (0..n).map(|_| Task::new(|| async {})).unzip();
    assert_eq!(pool.submit_batch(&mut tasks.into_iter()).unwrap(), n);
    for handle in handles {
        block_on(handle).unwrap();
    }
    let stats = pool.stats();
    assert_eq!((stats.queued, stats.running), (0, 0));
    assert_eq!([stats.loops[0].alive, stats.loops[1].alive], [false, true]);
    assert_eq!(stats.loops[0].queued, 0);
}

#[test]
fn the_others_do_what_it_would_have_done_with_a_queue() {
    runs_everything(&maimed(LoopPool::builder().scheduler(Queue::new)), 50);
}

#[test]
fn the_others_do_what_it_would_have_done_with_round_robin() {
    runs_everything(&maimed(LoopPool::builder().scheduler(RoundRobin::new)), 50);
}

#[test]
fn the_others_do_what_it_would_have_done_with_least_loaded() {
    runs_everything(&maimed(LoopPool::builder().scheduler(LeastLoaded::new)), 50);
}

/// The least a scheduler can be: it tells no loads.
struct Plain<J> {
    /// One queue for all, or one for each.
    queues: Mutex<Option<Vec<VecDeque<J>>>>,
    workers: usize,
    next: AtomicUsize,
}

impl<J> Plain<J> {
    fn new(workers: usize, queues: usize) -> Self {
        let queues = (0..queues).map(|_| VecDeque::new()).collect();
        Self { queues: Mutex::new(Some(queues)), workers, next: AtomicUsize::new(0) }
    }
}

impl<J: Send> Scheduler<J> for Plain<J> {
    fn workers(&self) -> usize {
        self.workers
    }

    fn push(&self, job: J) -> Result<Wake, Rejected<J>> {
        let mut queues = self.queues.lock().unwrap();
        let Some(queues) = &mut *queues else { return Err(Rejected::new(job, Reason::Closed)) };
        let at = self.next.fetch_add(1, Ordering::Relaxed) % queues.len();
        queues[at].push_back(job);
        let shared = queues.len() < self.workers;
        Ok(if shared { Wake::Many((0..self.workers).collect()) } else { Wake::One(at) })
    }

    fn pop(&self, worker: usize) -> Option<J> {
        let mut queues = self.queues.lock().unwrap();
        let queues = queues.as_mut()?;
        let at = worker % queues.len();
        queues[at].pop_front()
    }

    fn len(&self) -> usize {
        let queues = self.queues.lock().unwrap();
        queues.iter().flatten().map(VecDeque::len).sum()
    }

    fn close(&self) -> Vec<J> {
        let queues = self.queues.lock().unwrap().take();
        queues.into_iter().flatten().flatten().collect()
    }
}

#[test]
fn the_others_do_what_it_would_have_done_with_a_foreign_scheduler() {
    runs_everything(&maimed(LoopPool::builder().scheduler(|n| Plain::new(n, 1))), 50);
    runs_everything(&maimed(LoopPool::builder().scheduler(|n| Plain::new(n, n))), 50);
}

#[test]
fn a_placement_that_insists_on_a_dead_loop_gets_its_tasks_cancelled() {
    let pool = maimed(
        LoopPool::builder()
            .scheduler(|n| PerWorker::new(n, place_fn(|task: &Task, _| Ok(task.tag() as usize)))),
    );
    let (task, handle) = Task::new(|| async {});
    pool.submit(task.with_tag(0)).unwrap();
    assert!(block_on(handle).unwrap_err().is_cancelled());
    let (task, handle) = Task::new(|| async { 1 });
    pool.submit(task.with_tag(1)).unwrap();
    assert_eq!(block_on(handle).unwrap(), 1);
}

#[test]
fn what_waits_for_a_loop_when_it_dies_is_done_by_the_others() {
    for least_loaded in [false, true] {
        let builder = LoopPool::builder().threads(2).name("p");
        let builder = match least_loaded {
            false => builder.scheduler(RoundRobin::new),
            true => builder.scheduler(LeastLoaded::new),
        };
        let pool = builder.build().unwrap();
        let (door, front) = door();
        let stuck = pool.spawn_on(0, || async move { front.stand() }).unwrap();
        door.wait();
        let handles: Vec<_> =
            (0..10).map(|_| pool.try_spawn(|| async { common::thread_name() }).unwrap()).collect();
        pool.loops()[0].stop();
        door.open();
        block_on(stuck).unwrap();
        for handle in handles {
            assert_eq!(block_on(handle).unwrap(), "p-1");
        }
    }
}

/// A regression test: a loop that died took the queue that all shared with it.
#[test]
fn what_waits_for_all_when_a_loop_dies_is_done_by_the_others() {
    let pool = LoopPool::builder().threads(2).name("p").build().unwrap();
    let doors: Vec<_> = (0..2)
        .map(|worker| {
            let (door, front) = door();
            pool.spawn_on(worker, || async move { front.stand() }).unwrap().detach();
            door.wait();
            door
        })
        .collect();
    let handles: Vec<_> =
        (0..10).map(|i| pool.try_spawn(move || async move { i }).unwrap()).collect();
    pool.loops()[0].stop();
    doors[0].open();
    block_on(pool.loops()[0].exited());
    assert_eq!(pool.stats().queued, 10);
    doors[1].open();
    for (i, handle) in handles.into_iter().enumerate() {
        assert_eq!(block_on(handle).unwrap(), i);
    }
}

#[test]
fn what_ran_on_it_is_cancelled_and_what_was_meant_for_it_alone_too() {
    for builder in [LoopPool::builder(), LoopPool::builder().scheduler(|n| Plain::new(n, 1))] {
        let pool = builder.threads(2).build().unwrap();
        let (door, front) = door();
        let pending = pool.spawn_on(0, std::future::pending::<()>).unwrap();
        pool.spawn_on(0, || async move { front.stand() }).unwrap().detach();
        door.wait();
        let chosen = pool.spawn_on(0, || async {}).unwrap();
        let (task, posted) = Task::new(|| async {});
        pool.loops()[0].post(task).unwrap();
        pool.loops()[0].stop();
        door.open();
        for handle in [pending, chosen, posted] {
            assert!(block_on(handle).unwrap_err().is_cancelled());
        }
        block_on(pool.loops()[0].exited());
        let error = pool.spawn_on(0, || async { 1 }).unwrap_err();
        assert!(error.is_closed());
        assert_eq!(block_on(error.into_factory()()), 1);
        assert!(pool.loops()[0].post(Task::new(|| async {}).0).is_err());
        assert_eq!(block_on(pool.spawn_on(1, || async { 2 }).unwrap()).unwrap(), 2);
    }
}

#[test]
fn with_its_last_loop_a_pool_is_closed() {
    let pool = LoopPool::builder().threads(2).capacity(2).build().unwrap();
    let doors: Vec<_> = (0..2)
        .map(|worker| {
            let (door, front) = door();
            pool.spawn_on(worker, || async move { front.stand() }).unwrap().detach();
            door.wait();
            door
        })
        .collect();
    let queued = [pool.try_spawn(|| async {}).unwrap(), pool.try_spawn(|| async {}).unwrap()];
    let waiter = pool.clone();
    let waiting = std::thread::spawn(move || block_on(waiter.spawn(|| async {})).map(drop));
    pool.loops().iter().for_each(LoopHandle::stop);
    doors.iter().for_each(common::Door::open);
    for handle in queued {
        assert!(block_on(handle).unwrap_err().is_cancelled());
    }
    for handle in pool.loops() {
        block_on(handle.exited());
    }
    assert!(pool.is_closed());
    assert!(pool.try_spawn(|| async {}).unwrap_err().is_closed());
    // Either it was refused, or it got a place that the drop of the queue made, and was refused then.
    assert!(waiting.join().unwrap().unwrap_err().is_closed());
    assert!(pool.shutdown(LONG).unstopped.is_empty());
}

/// A regression test: a loop that died before it was seated was not missed by anybody.
#[test]
fn start_hooks_that_panic_everywhere_hang_nobody() {
    for _ in 0..50 {
        let (send, receive) = mpsc::channel();
        let pool = LoopPool::builder()
            .threads(2)
            .on_start(|index| panic!("start hook {index}"))
            .on_panic(move |index, payload| {
                let text = payload.downcast_ref::<String>().cloned();
                let _ = send.send((index, text.unwrap_or_default()));
            })
            .build()
            .unwrap();
        // Accepted and cancelled, or refused.
        let handles: Vec<JoinHandle<()>> =
            (0..4).filter_map(|_| pool.try_spawn(|| async {}).ok()).collect();
        for handle in handles {
            assert!(block_on(handle).unwrap_err().is_cancelled());
        }
        let mut told: Vec<_> = (0..2).map(|_| receive.recv_timeout(LONG).unwrap()).collect();
        told.sort();
        assert_eq!(told, [(0, "start hook 0".to_owned()), (1, "start hook 1".to_owned())]);
        for handle in pool.loops() {
            block_on(handle.exited());
        }
        assert!(pool.try_spawn(|| async {}).unwrap_err().is_closed());
    }
}

#[test]
fn a_start_hook_that_panics_on_one_loop_leaves_the_work_to_the_others() {
    for _ in 0..50 {
        let pool = LoopPool::builder()
            .threads(2)
            .on_start(|index| assert!(index != 0, "not on this one"))
            .build()
            .unwrap();
        let handles: Vec<_> =
            (0..20).map(|i| pool.try_spawn(move || async move { i }).unwrap()).collect();
        for (i, handle) in handles.into_iter().enumerate() {
            assert_eq!(block_on(handle).unwrap(), i);
        }
    }
}

/// Runs numbers, and dies at 13: by a panic, or by returning.
struct Superstitious {
    thread: std::thread::Thread,
    seen: mpsc::Sender<u32>,
    panics: bool,
}

struct Unpark(std::sync::OnceLock<std::thread::Thread>);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

struct Numbers {
    unpark: Arc<Unpark>,
    seen: mpsc::Sender<u32>,
    panics: bool,
}

impl Driver for Numbers {
    type Job = u32;

    fn waker(&self) -> Waker {
        self.unpark.clone().into()
    }

    fn run(self, work: Work<u32>) {
        let thread = self.unpark.0.get_or_init(std::thread::current).clone();
        Superstitious { thread, seen: self.seen, panics: self.panics }.run(&work);
    }
}

impl Superstitious {
    fn run(self, work: &Work<u32>) {
        assert_eq!(self.thread.id(), std::thread::current().id());
        loop {
            work.acknowledge();
            match work.next() {
                Next::Job(13) if self.panics => panic!("13!"),
                Next::Job(13) | Next::Stop => return,
                Next::Job(job) => {
                    self.seen.send(job).unwrap();
                    work.finish();
                }
                Next::Posted(_) => {}
                Next::Idle => std::thread::park(),
            }
        }
    }
}

#[test]
fn a_driver_that_panics_or_returns_is_missed_by_nobody() {
    for panics in [true, false] {
        let (seen, see) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let pool = Builder::new()
            .threads(3)
            .scheduler(RoundRobin::new)
            .on_panic(move |index, _| tell.send(index).unwrap())
            .build_with(|_| Numbers {
                unpark: Arc::new(Unpark(std::sync::OnceLock::new())),
                seen: seen.clone(),
                panics,
            })
            .unwrap();
        for job in [0, 13, 2, 3, 4, 5] {
            pool.submit(job).unwrap();
        }
        block_on(pool.loops()[1].exited());
        for job in 6..12 {
            pool.submit(job).unwrap();
        }
        let mut all: Vec<_> = (0..11).map(|_| see.recv_timeout(LONG).unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), if panics { vec![1] } else { vec![] });
        let report = pool.shutdown(LONG);
        assert_eq!(report.completed, 11);
        assert_eq!(report.cancelled, 1);
        assert!(report.unstopped.is_empty());
    }
}

#[test]
fn a_scheduler_that_panics_kills_its_loops_and_hangs_nobody() {
    struct Broken(Queue<Task>);
    impl Scheduler<Task> for Broken {
        fn workers(&self) -> usize {
            self.0.workers()
        }
        fn push(&self, job: Task) -> Result<Wake, Rejected<Task>> {
            let _ = self.0.push(job)?;
            Ok(Wake::Many((0..self.0.workers()).collect()))
        }
        fn pop(&self, worker: usize) -> Option<Task> {
            let job = self.0.pop(worker);
            assert!(job.is_none(), "broken");
            job
        }
        fn len(&self) -> usize {
            self.0.len()
        }
        fn close(&self) -> Vec<Task> {
            self.0.close()
        }
    }

    let pool = LoopPool::builder().threads(2).scheduler(|n| Broken(Queue::new(n))).build().unwrap();
    // Each task kills the loop that takes it.
    while let Ok(handle) = pool.try_spawn(|| async {}) {
        assert!(block_on(handle).unwrap_err().is_cancelled());
    }
    assert!(pool.is_closed());
    for handle in pool.loops() {
        block_on(handle.exited());
    }
}

#[test]
fn a_thread_that_a_hook_never_made_is_over_before_it_began() {
    let thread = LoopThread::builder()
        .on_start(|_| unreachable!())
        .on_exit(|_| unreachable!())
        .spawn_hook(|spec| {
            drop(spec);
            Ok(Box::new(|| ()))
        })
        .start()
        .unwrap();
    assert!(thread.has_exited());
    assert!(thread.spawn(|| async {}).unwrap_err().is_closed());
    thread.join(None).unwrap();

    let made = Arc::new(AtomicUsize::new(0));
    let pool = LoopPool::builder()
        .threads(2)
        .spawn_hook(move |spec| {
            if made.fetch_add(1, Ordering::Relaxed) == 0 {
                drop(spec);
                Ok(Box::new(|| ()))
            } else {
                thrasks_loop::spawn_std_thread(spec)
            }
        })
        .build()
        .unwrap();
    for _ in 0..10 {
        block_on(pool.try_spawn(|| async {}).unwrap()).unwrap();
    }
    assert!(pool.shutdown(LONG).unstopped.is_empty());
}

#[test]
fn a_thread_that_died_takes_no_seat() {
    let dead = LoopThread::builder().start().unwrap();
    dead.stop();
    block_on(dead.handle().exited());
    let threads = vec![dead, LoopThread::builder().name("p-1").start().unwrap()];
    let pool = LoopPool::from_threads(Arc::new(Queue::new(2)), threads);
    runs_everything(&pool, 10);
}

#[test]
fn loops_that_die_under_load_lose_nothing_that_was_not_begun() {
    for round in 0..20 {
        let builder = LoopPool::builder().threads(3);
        let pool = match round % 3 {
            0 => builder.scheduler(Queue::new),
            1 => builder.scheduler(RoundRobin::new),
            _ => builder.scheduler(LeastLoaded::new),
        }
        .build_with(|_| LocalDriver::new())
        .unwrap();
        let handles: Vec<_> = (0..600)
            .map(|i| {
                if i == 200 || i == 400 {
                    pool.loops()[i / 200].stop();
                }
                // Each is over with its first poll: begun is done.
                pool.try_spawn(move || async move { i }).unwrap()
            })
            .collect();
        let lost = handles.into_iter().filter_map(|handle| block_on(handle).err()).count();
        // A task that was taken and not polled when its loop stopped: one for each loop.
        assert!(lost <= 2, "lost {lost}");
        assert!(pool.shutdown(Duration::from_secs(30)).unstopped.is_empty());
    }
}
