//! The smallest executor that can drive any scheduler: threads that sleep until they are woken.
#![allow(dead_code)] // Each test file uses its own part of it.

use std::{
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use thrasks_sched::{Scheduler, Wake};

/// Far longer than any of these tests takes: what is waited for longer never comes.
const NEVER: Duration = Duration::from_secs(60);

/// A flag that is waited for.
#[derive(Default)]
pub(crate) struct Flag(Mutex<bool>, Condvar);

impl Flag {
    pub(crate) fn set(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    /// Waits until it is set, and clears it.
    #[track_caller]
    pub(crate) fn take(&self) {
        let guard = self.0.lock().unwrap();
        let (mut set, timeout) = self.1.wait_timeout_while(guard, NEVER, |set| !*set).unwrap();
        assert!(!timeout.timed_out(), "a wake-up was lost");
        *set = false;
    }
}

/// What the workers of a scheduler share: a bell for each, by which it sleeps.
pub(crate) struct Crew<'a, J> {
    pub(crate) scheduler: &'a dyn Scheduler<J>,
    bells: Mutex<Bells>,
    /// For all of them: tests have few workers.
    changed: Condvar,
    stopped: AtomicBool,
}

struct Bells {
    rung: Vec<bool>,
    asleep: Vec<bool>,
}

impl<'a, J> Crew<'a, J> {
    pub(crate) fn new(scheduler: &'a dyn Scheduler<J>) -> Self {
        let none = vec![false; scheduler.workers()];
        let bells = Mutex::new(Bells { rung: none.clone(), asleep: none });
        Self { scheduler, bells, changed: Condvar::new(), stopped: AtomicBool::new(false) }
    }

    pub(crate) fn wake(&self, wake: &Wake) {
        let mut bells = self.bells.lock().unwrap();
        wake.each(|worker| bells.rung[worker] = true);
        self.changed.notify_all();
    }

    /// Sleeps until `worker` is woken, unless it was since it last slept.
    #[track_caller]
    pub(crate) fn sleep(&self, worker: usize) {
        let mut bells = self.bells.lock().unwrap();
        bells.asleep[worker] = true;
        self.changed.notify_all();
        bells = self.wait(bells, |bells| bells.rung[worker]);
        bells.rung[worker] = false;
        bells.asleep[worker] = false;
    }

    /// Waits until every worker sleeps and none has been woken.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let bells = self.bells.lock().unwrap();
        drop(
            self.wait(bells, |bells| !bells.rung.contains(&true) && !bells.asleep.contains(&false)),
        );
    }

    #[track_caller]
    fn wait<'b>(
        &self,
        bells: MutexGuard<'b, Bells>,
        until: impl Fn(&Bells) -> bool,
    ) -> MutexGuard<'b, Bells> {
        let (bells, timeout) =
            self.changed.wait_timeout_while(bells, NEVER, |bells| !until(bells)).unwrap();
        assert!(!timeout.timed_out(), "a wake-up was lost");
        bells
    }

    /// Lets every worker go home once it finds nothing to do.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.wake(&Wake::Many((0..self.scheduler.workers()).collect()));
    }

    /// Runs `worker` until the crew is stopped. Up to `suspending` of its jobs stay alive while it
    /// goes on; one of them ends whenever it finds nothing to start, so it then pops again.
    pub(crate) fn work(&self, worker: usize, suspending: usize, mut run: impl FnMut(J)) {
        let mut alive = 0;
        loop {
            while let Some(job) = self.scheduler.pop(worker) {
                run(job);
                if alive < suspending {
                    alive += 1;
                } else {
                    self.scheduler.finish(worker);
                }
            }
            if alive > 0 {
                alive -= 1;
                self.scheduler.finish(worker);
            } else if self.stopped.load(Ordering::SeqCst) {
                return;
            } else {
                self.sleep(worker);
            }
        }
    }
}
