//! A roster whose workers wait when they are idle, as the Python package's do.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use loom::thread;
use thrasks_loop::models::Bell;
use thrasks_pool::{Act, Next, Roster};

use crate::model;

/// A roster of one worker, and what that waits on.
struct Crew {
    roster: Roster<u8>,
    bell: Arc<Bell>,
    ran: AtomicUsize,
    patient: bool,
}

impl Crew {
    fn new(patient: bool) -> Arc<Self> {
        let (roster, bell) = (Roster::new(1), Bell::new());
        Arc::new(Self { roster, bell, ran: AtomicUsize::new(0), patient })
    }

    fn submit(self: &Arc<Self>) -> bool {
        let Ok(submitted) = self.roster.submit(7) else { return false };
        match submitted.act {
            Act::Start(worker) => {
                let crew = self.clone();
                thread::spawn(move || {
                    loop {
                        match crew.roster.next(worker) {
                            Next::Job(_) => _ = crew.ran.fetch_add(1, SeqCst),
                            Next::Idle if crew.patient => crew.bell.sleep(),
                            Next::Idle if crew.roster.retire(worker) => return,
                            Next::Idle => {}
                            Next::Retire => return,
                        }
                    }
                });
            }
            Act::Wake(_) => self.ring(),
            Act::Nothing => {}
        }
        true
    }

    fn ring(&self) {
        std::task::Wake::wake(self.bell.clone());
    }

    /// loom finds a deadlock if the worker is not told.
    fn close(&self, cancel: bool) -> usize {
        let closing = self.roster.close(cancel);
        if !closing.wake.is_empty() {
            self.ring();
        }
        closing.jobs.len()
    }
}

/// A job that comes while the worker goes idle wakes it, or is found.
#[test]
fn a_submit_and_a_worker_that_goes_idle() {
    model(3, || {
        let crew = Crew::new(true);
        assert!(crew.submit());
        let other = crew.clone();
        let submitter = thread::spawn(move || assert!(other.submit()));
        submitter.join().unwrap();
        assert_eq!(crew.close(false), 0);
        while !crew.roster.is_finished() {
            thread::yield_now();
        }
        assert_eq!(crew.ran.load(SeqCst), 2);
    });
}

/// A job that comes while the worker retires keeps it, or starts another.
#[test]
fn a_submit_and_a_worker_that_retires() {
    model(3, || {
        let crew = Crew::new(false);
        assert!(crew.submit());
        let other = crew.clone();
        thread::spawn(move || assert!(other.submit())).join().unwrap();
        while crew.roster.stats().workers > 0 {
            thread::yield_now();
        }
        assert_eq!((crew.ran.load(SeqCst), crew.roster.queued()), (2, 0));
    });
}

/// A job that comes while the roster is closed runs, is given back, or is refused, and the worker
/// ends.
#[test]
fn a_submit_and_a_close() {
    for cancel in [false, true] {
        model(3, move || {
            let crew = Crew::new(true);
            assert!(crew.submit());
            let other = crew.clone();
            let submitter = thread::spawn(move || usize::from(other.submit()));
            let cancelled = crew.close(cancel);
            let taken = 1 + submitter.join().unwrap();
            while !crew.roster.is_finished() {
                thread::yield_now();
            }
            assert_eq!(crew.ran.load(SeqCst) + cancelled, taken);
        });
    }
}
