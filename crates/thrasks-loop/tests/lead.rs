//! A loop knows how far ahead of the others it is.

use std::{
    sync::{Arc, Barrier, OnceLock, mpsc},
    task::{Wake, Waker},
    thread::Thread,
};

use thrasks_loop::{Builder, Driver, Next, Work};
use thrasks_sched::Queue;

#[derive(Default)]
struct Unpark(OnceLock<Thread>);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

/// A job: `true` has to be finished at once, `false` stays unfinished for ever.
type Job = bool;

/// Takes jobs and tells its lead after each.
struct Taker {
    unpark: Arc<Unpark>,
    tell: mpsc::Sender<(bool, usize)>,
    /// Held by the first worker on its first job, while the other takes the rest.
    hold: Option<Arc<Barrier>>,
}

impl Driver for Taker {
    type Job = Job;

    fn waker(&self) -> Waker {
        self.unpark.clone().into()
    }

    fn run(self, work: Work<Job>) {
        self.unpark.0.get_or_init(std::thread::current);
        loop {
            work.acknowledge();
            match work.next() {
                Next::Job(finishes) => {
                    if finishes {
                        work.finish();
                    }
                    let _ = self.tell.send((self.hold.is_some(), work.lead()));
                    if let Some(hold) = &self.hold {
                        hold.wait();
                    }
                }
                Next::Posted(_) => {}
                Next::Idle => std::thread::park(),
                Next::Stop => return,
            }
        }
    }
}

#[test]
fn the_lead_counts_unfinished_jobs_beyond_those_of_the_loop_with_the_fewest() {
    let hold = Arc::new(Barrier::new(2));
    let (tell, told) = mpsc::channel();
    let pool = Builder::new()
        .threads(2)
        .scheduler(Queue::new)
        .build_with(|worker| Taker {
            unpark: Arc::default(),
            tell: tell.clone(),
            hold: (worker == 0).then(|| hold.clone()),
        })
        .unwrap();

    // The idle workers get one each; the first then stays busy.
    pool.submit(false).unwrap();
    assert_eq!(told.recv().unwrap(), (true, 1), "the other has none");
    for _ in 0..3 {
        pool.submit(false).unwrap();
    }
    // One level with the first, then ahead of it by each further one.
    for lead in 0..3 {
        assert_eq!(told.recv().unwrap(), (false, lead));
    }
    pool.submit(true).unwrap();
    assert_eq!(told.recv().unwrap(), (false, 2), "what has ended does not count");
    hold.wait();
}
