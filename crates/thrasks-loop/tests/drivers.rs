//! A driver of one's own: what it is fed with, and how it is woken.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    sync::{Arc, Condvar, Mutex, mpsc},
    task::{Wake, Waker},
};

use common::{CountWaker, LONG, block_on, door};
use thrasks_loop::{Builder, Driver, Inbox, LoopPool, LoopThread, Next, Signal, Work};
use thrasks_sched::{LeastLoaded, Queue};

type Job = Box<dyn FnOnce() + Send>;

/// Runs closures, and sleeps on a condition variable.
#[derive(Default)]
struct Closures(Arc<Bell>);

#[derive(Default)]
struct Bell(Mutex<bool>, Condvar);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }
}

impl Driver for Closures {
    type Job = Job;

    fn waker(&self) -> Waker {
        self.0.clone().into()
    }

    fn run(self, work: Work<Job>) {
        work.set_asleep(false);
        loop {
            work.acknowledge();
            match work.next() {
                Next::Job(job) => {
                    job();
                    work.finish();
                }
                Next::Posted(job) => {
                    work.start_posted();
                    job();
                    work.finish_posted();
                }
                Next::Idle => {
                    work.set_asleep(true);
                    let mut rung = self.0.0.lock().unwrap();
                    while !std::mem::take(&mut *rung) {
                        rung = self.0.1.wait(rung).unwrap();
                    }
                    drop(rung);
                    work.set_asleep(false);
                }
                Next::Stop => break,
            }
        }
    }
}

fn closures(n: usize) -> LoopPool<Job> {
    Builder::new().threads(n).name("c").build_with(|_| Closures::default()).unwrap()
}

#[test]
fn a_foreign_driver_runs_what_is_submitted_and_posted() {
    let pool = closures(2);
    let (send, receive) = mpsc::channel();
    let job = |text: &'static str| -> Job {
        let send = send.clone();
        Box::new(move || send.send((text, common::thread_name())).unwrap())
    };
    pool.submit_to(1, job("to")).unwrap();
    assert_eq!(receive.recv_timeout(LONG).unwrap(), ("to", "c-1".into()));
    assert!(pool.loops()[0].post(job("posted")).is_ok());
    assert_eq!(receive.recv_timeout(LONG).unwrap(), ("posted", "c-0".into()));
    assert_eq!(pool.submit_batch(&mut (0..10).map(|_| job("batch"))).unwrap(), 10);
    for _ in 0..10 {
        assert_eq!(receive.recv_timeout(LONG).unwrap().0, "batch");
    }
    let report = pool.shutdown(LONG);
    assert_eq!((report.completed, report.cancelled), (12, 0));
    let rejected = pool.submit(job("late")).unwrap_err();
    rejected.into_job()();
    assert_eq!(receive.recv_timeout(LONG).unwrap().0, "late");
}

#[test]
fn its_threads_serve_one_pool_after_another() {
    let pool = closures(2);
    let (send, receive) = mpsc::channel();
    let mut threads = pool.dismiss();
    for round in 0..20 {
        let pool = if round % 2 == 0 {
            LoopPool::from_threads(Arc::new(Queue::new(2)), threads)
        } else {
            LoopPool::from_threads(Arc::new(LeastLoaded::new(2)), threads)
        };
        for i in 0..10 {
            let send = send.clone();
            pool.submit(Box::new(move || send.send(i).unwrap())).unwrap();
        }
        let mut all: Vec<_> = (0..10).map(|_| receive.recv_timeout(LONG).unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        threads = pool.dismiss();
    }
    assert_eq!(threads.len(), 2);
    for thread in threads {
        thread.join(None).unwrap();
    }
}

#[test]
fn jobs_of_a_dismissed_pool_that_no_loop_has_taken_are_dropped() {
    let pool = closures(1);
    let (door, front) = door();
    pool.submit(Box::new(move || front.stand())).unwrap();
    door.wait();
    let drops = common::Drops::default();
    let guard = drops.guard();
    pool.submit(Box::new(move || drop(guard))).unwrap();
    let threads = pool.dismiss();
    assert_eq!(drops.count(), 1);
    // The loop reports the end of its job to nobody: not to its next scheduler.
    let scheduler = Arc::new(LeastLoaded::<Job>::new(1));
    let pool = LoopPool::from_threads(scheduler.clone(), threads);
    door.open();
    let (send, receive) = mpsc::channel();
    pool.submit(Box::new(move || send.send(()).unwrap())).unwrap();
    receive.recv_timeout(LONG).unwrap();
    assert!(pool.shutdown(LONG).is_clean());
}

#[test]
fn a_posted_message_shows_in_no_numbers_unless_it_is_counted() {
    struct Messages(Closures);
    impl Driver for Messages {
        type Job = Job;
        fn waker(&self) -> Waker {
            self.0.waker()
        }
        fn run(self, work: Work<Job>) {
            loop {
                work.acknowledge();
                match work.next() {
                    Next::Job(job) | Next::Posted(job) => job(),
                    Next::Idle => {
                        let mut rung = self.0.0.0.lock().unwrap();
                        while !std::mem::take(&mut *rung) {
                            rung = self.0.0.1.wait(rung).unwrap();
                        }
                    }
                    Next::Stop => break,
                }
            }
        }
    }
    let thread: LoopThread<Job> = Builder::new().start_with(Messages(Closures::default())).unwrap();
    let (send, receive) = mpsc::channel();
    assert!(thread.post(Box::new(move || send.send(()).unwrap())).is_ok());
    receive.recv_timeout(LONG).unwrap();
    let stats = thread.stats();
    assert_eq!((stats.queued, stats.running, stats.done), (0, 0, 0));
    assert_eq!(stats.busy, std::time::Duration::ZERO);
}

#[test]
fn a_burst_wakes_a_busy_loop_once() {
    let count = Arc::new(CountWaker::default());
    let inbox = Inbox::new(count.clone().into());
    for i in 0..100 {
        inbox.push(i).unwrap();
    }
    let woken = || count.0.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(woken(), 1);
    assert!(inbox.acknowledge());
    assert_eq!(std::iter::from_fn(|| inbox.pop()).count(), 100);
    inbox.push(0).unwrap();
    assert_eq!(woken(), 2);
}

/// A regression test: the signal stayed raised after a waker had panicked, and nobody woke the loop
/// ever after.
#[test]
fn a_waker_that_panics_once_is_woken_by_the_next_notification() {
    struct Once(std::sync::atomic::AtomicUsize);
    impl Wake for Once {
        fn wake(self: Arc<Self>) {
            assert!(self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0, "the first time");
        }
    }
    let once = Arc::new(Once(0.into()));
    let signal = Signal::new(once.clone().into());
    let notify = std::panic::AssertUnwindSafe(|| signal.notify());
    assert!(std::panic::catch_unwind(notify).is_err());
    assert!(signal.is_raised());
    assert!(signal.notify());
    assert!(!signal.notify());
    assert_eq!(once.0.load(std::sync::atomic::Ordering::SeqCst), 2);
    assert!(signal.acknowledge());
    assert!(!signal.is_raised());
}

#[test]
fn a_driver_may_be_woken_before_it_runs() {
    // The job is there before the thread is.
    let (main, mains) = mpsc::channel();
    let thread = LoopThread::builder()
        .spawn_hook(move |spec| {
            main.send(spec.main).unwrap();
            Ok(Box::new(|| ()))
        })
        .start()
        .unwrap();
    let handle = thread.spawn(|| async { 4 }).unwrap();
    let thread_main = mains.recv().unwrap();
    let runner = std::thread::spawn(thread_main);
    assert_eq!(block_on(handle).unwrap(), 4);
    thread.join(None).unwrap();
    runner.join().unwrap();
}
