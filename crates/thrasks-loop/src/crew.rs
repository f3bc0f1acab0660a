use std::{collections::VecDeque, sync::Arc, time::Instant};

use thrasks_sched::{Batch, Reason, Rejected, Scheduler, Wake};

use crate::{
    LoopHandle, PoolStats,
    permits::Permits,
    quiet::{bury, quietly},
    shared::Seat,
    sync::{AtomicBool, AtomicUsize, Event, Mutex, Ordering, fence, lock},
    wait::wait,
};

/// How often a job may come back from loops that are over before it is given up: a placement may
/// insist on one of them.
const TRIES: usize = if cfg!(thrasks_loom) { 2 } else { 1_000 };

/// A scheduler and the loops that serve it: what the pool's handles and its loops share.
///
/// # Jobs of a loop that is over
///
/// A pool goes on as long as one of its loops does. A job that waits for a loop that is over is
/// taken out and pushed again, for the scheduler to choose anew; with the last loop the scheduler
/// is closed, and its jobs are dropped. So whoever waits for a job waits for something that can
/// happen.
///
/// For that, whoever loses a loop and whoever submits shake hands as in Dekker's algorithm:
///
/// ```text
/// submit:  push the job;     fence;  read `lost`
/// lose:    increase `lost`;  fence;  look for jobs
/// ```
///
/// Both fences are SeqCst, so one of them comes first in the single order of such fences. If it is
/// the submitter's, the look finds the job; if it is the other one's, the submitter reads that a
/// loop is lost, and looks itself.
pub(crate) struct Crew<J> {
    pub(crate) scheduler: Arc<dyn Scheduler<J>>,
    pub(crate) loops: Vec<LoopHandle<J>>,
    /// How much each loop had done before it came here.
    before: Vec<u64>,
    pub(crate) permits: Option<Arc<Permits>>,
    closing: AtomicBool,
    /// How many loops are over.
    lost: AtomicUsize,
    losses: Mutex<Vec<Loss>>,
    /// Somebody waits on `drained`.
    draining: AtomicBool,
    drained: Event,
}

/// A loop that is over.
struct Loss {
    worker: usize,
    /// How many jobs were taken out in its place. They are never reported as finished, so that a
    /// scheduler that goes by the load finds this worker the less attractive the more it gave it.
    taken: usize,
}

impl<J> Crew<J> {
    pub(crate) fn new(
        scheduler: Arc<dyn Scheduler<J>>,
        loops: Vec<LoopHandle<J>>,
        permits: Option<Arc<Permits>>,
    ) -> Arc<Self> {
        let before = loops.iter().map(|handle| handle.shared().counters.done()).collect();
        let crew = Arc::new(Self {
            scheduler,
            loops,
            before,
            permits,
            closing: AtomicBool::new(false),
            lost: AtomicUsize::new(0),
            losses: Mutex::new(Vec::new()),
            draining: AtomicBool::new(false),
            drained: Event::new(),
        });
        let idle = crew.scheduler.is_empty() && crew.stand_in_line();
        for (worker, handle) in crew.loops.iter().enumerate() {
            if !handle.shared().take_seat(Seat { crew: crew.clone(), worker }) {
                crew.lose(worker, 0);
            }
        }
        // A loop that is known as idle is woken by the first job for it. Otherwise it is to look for
        // itself: nobody has woken it for what is there already.
        if !idle || !crew.scheduler.is_empty() {
            crew.loops.iter().for_each(LoopHandle::notify);
        }
        crew
    }

    /// Has the scheduler take each loop for idle, as if that had looked for a job and found none, before
    /// it has its seat. Returns whether that is so.
    ///
    /// So nobody has to wake the loops for that. And where they share a queue, the first jobs are handed
    /// to all of them; otherwise the first one to look would take the lot.
    fn stand_in_line(&self) -> bool {
        (0..self.loops.len()).all(|worker| match quietly(|| self.scheduler.pop(worker)) {
            Some(None) => true,
            // It has said that it was empty.
            Some(Some(job)) => {
                self.rehome(VecDeque::from([job]));
                false
            }
            None => false,
        })
    }

    pub(crate) fn submit(&self, job: J) -> Result<(), Rejected<J>> {
        let job = self.check_open(job)?;
        let wake = self.scheduler.push(job)?;
        self.wake(&wake);
        if self.has_losses() {
            self.rehome(self.exhume(&wake, false));
        }
        Ok(())
    }

    pub(crate) fn submit_batch(
        &self,
        jobs: &mut dyn Iterator<Item = J>,
    ) -> Result<usize, Rejected<J>> {
        if self.is_closed() {
            return jobs.next().map_or(Ok(0), |job| Err(Rejected::new(job, Reason::Closed)));
        }
        // The iterator is the caller's. If it panics, the jobs before are queued, and nobody knows
        // whom to wake for them.
        let all = WakeAll(self);
        let Batch { accepted, wake, rejected } = self.scheduler.push_batch(jobs);
        std::mem::forget(all);
        self.wake(&wake);
        if self.has_losses() {
            self.rehome(self.exhume(&wake, true));
        }
        rejected.map_or(Ok(accepted), Err)
    }

    pub(crate) fn submit_to(&self, worker: usize, job: J) -> Result<(), Rejected<J>> {
        let job = self.check_open(job)?;
        let Some(target) = self.loops.get(worker) else {
            let reason = Reason::OutOfRange { worker, workers: self.loops.len() };
            return Err(Rejected::new(job, reason));
        };
        if target.shared().is_over() {
            return Err(Rejected::new(job, Reason::Closed));
        }
        match self.scheduler.push_to(worker, job) {
            Ok(wake) => {
                self.wake(&wake);
                if self.has_losses() {
                    self.rehome(self.exhume(&wake, false));
                }
                Ok(())
            }
            Err(rejected) => match rejected.into_parts() {
                (job, Reason::Unsupported) => {
                    target.post(job).map_err(|job| Rejected::new(job, Reason::Closed))
                }
                (job, reason) => Err(Rejected::new(job, reason)),
            },
        }
    }

    fn check_open(&self, job: J) -> Result<J, Rejected<J>> {
        if self.is_closed() { Err(Rejected::new(job, Reason::Closed)) } else { Ok(job) }
    }

    fn wake(&self, wake: &Wake) {
        wake.each(|worker| match self.loops.get(worker) {
            Some(target) => target.notify(),
            None => panic!(
                "the scheduler says to wake worker {worker}, and there are {}, numbered from 0",
                self.loops.len()
            ),
        });
    }

    /// Whether a loop is over. To be asked after a push: see above.
    fn has_losses(&self) -> bool {
        fence(Ordering::SeqCst);
        self.lost.load(Ordering::Relaxed) > 0
    }

    /// A loop is over, on its thread or before it was seated, and left so many jobs unfinished.
    pub(crate) fn lose(&self, worker: usize, unfinished: usize) {
        for _ in 0..unfinished {
            quietly(|| self.scheduler.finish(worker));
        }
        lock(&self.losses).push(Loss { worker, taken: 0 });
        let lost = self.lost.fetch_add(1, Ordering::SeqCst) + 1;
        fence(Ordering::SeqCst);
        if lost == self.loops.len() {
            // Nobody is left to run anything.
            quietly(|| bury(self.close()));
        } else {
            self.rehome(self.exhume(&Wake::One(worker), true));
        }
        self.drained.notify(usize::MAX);
    }

    /// Takes out the jobs that nobody but loops that are over would run, after a push that said to
    /// wake these (`each` for a reason of its own, or any for the same).
    ///
    /// A scheduler that tells each worker's load tells how many jobs wait for it alone. With one
    /// that does not, the jobs that the worker would get may be everybody's; they are taken only
    /// if the others have not been called for them.
    #[cold]
    fn exhume(&self, wake: &Wake, each: bool) -> VecDeque<J> {
        let mut jobs = VecDeque::new();
        let mut called = false;
        wake.each(|worker| called |= !self.loops[worker].shared().is_over());
        // `Scheduler::pop` wants one thread at a time for a worker. The loop's own thread is past
        // its last `pop`, and those who come here take turns.
        for Loss { worker, taken } in lock(&self.losses).iter_mut() {
            let pop = || quietly(|| self.scheduler.pop(*worker)).flatten();
            if let Some(load) = self.scheduler.load(*worker) {
                while *taken < load
                    && let Some(job) = pop()
                {
                    *taken += 1;
                    jobs.push_back(job);
                }
            } else if names(wake, *worker) && (each || !called) {
                while let Some(job) = pop() {
                    jobs.push_back(job);
                }
            }
        }
        jobs
    }

    /// Pushes again what was taken out, until it is with a loop that runs.
    fn rehome(&self, mut jobs: VecDeque<J>) {
        let mut tries = jobs.len() + TRIES;
        while let Some(job) = jobs.pop_front() {
            if tries == 0 {
                bury([job]);
                continue;
            }
            tries -= 1;
            match quietly(|| self.scheduler.push(job)) {
                Some(Ok(wake)) => {
                    self.wake(&wake);
                    jobs.append(&mut self.exhume(&wake, false));
                }
                Some(Err(rejected)) => bury([rejected.into_job()]),
                None => {}
            }
        }
    }

    /// Refuses every later job, and lets nobody wait to submit one.
    pub(crate) fn refuse(&self) {
        self.closing.store(true, Ordering::SeqCst);
        if let Some(permits) = &self.permits {
            permits.close();
        }
    }

    pub(crate) fn close(&self) -> Vec<J> {
        self.refuse();
        let jobs = self.scheduler.close();
        self.drained.notify(usize::MAX);
        jobs
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// How many jobs ended on their own, and how many were cut off in the loops that stopped.
    pub(crate) fn tally(&self) -> (u64, usize) {
        self.loops.iter().zip(&self.before).fold((0, 0), |(done, cut), (handle, before)| {
            let (all, running) = handle.shared().counters.tally();
            (done + all.saturating_sub(*before), cut + running)
        })
    }

    pub(crate) fn stats(&self) -> PoolStats {
        let loops: Vec<_> = self.loops.iter().map(LoopHandle::stats).collect();
        PoolStats {
            queued: self.scheduler.len(),
            running: loops.iter().map(|stats| stats.running).sum(),
            done: loops.iter().zip(&self.before).map(|(stats, before)| stats.done - before).sum(),
            loops,
        }
    }

    /// A loop found nothing to take: wakes whoever waits for that.
    pub(crate) fn went_idle(&self) {
        // Pairs with the fence in `wait_drained`: either the waiter's look at the counters sees
        // what this loop has done, or this loop sees that somebody waits.
        fence(Ordering::SeqCst);
        if self.draining.load(Ordering::Relaxed) {
            self.drained.notify(usize::MAX);
        }
    }

    /// Blocks until no job waits and none runs, the calling loop's own excepted.
    pub(crate) fn wait_drained(&self, deadline: Option<Instant>) -> bool {
        self.draining.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        wait(&self.drained, deadline, || {
            // The queues before the loops: a job goes from there to here.
            self.scheduler.is_empty()
                && self.loops.iter().all(|handle| {
                    let shared = handle.shared();
                    shared.is_over()
                        || shared.is_this_thread()
                        || (shared.inbox.is_empty() && shared.counters.is_idle())
                })
        })
    }
}

fn names(wake: &Wake, worker: usize) -> bool {
    let mut named = false;
    wake.each(|other| named |= other == worker);
    named
}

/// Wakes every loop, dropped by a panic.
struct WakeAll<'a, J>(&'a Crew<J>);

impl<J> Drop for WakeAll<'_, J> {
    fn drop(&mut self) {
        self.0.loops.iter().for_each(LoopHandle::notify);
        if self.0.has_losses() {
            let all = Wake::Many((0..self.0.loops.len()).collect());
            self.0.rehome(self.0.exhume(&all, true));
        }
    }
}
