mod line;

use std::fmt;

use self::line::Line;
use crate::{
    Batch, Reason, Rejected, Scheduler, Wake,
    lanes::{Live, at_least_one, drain_into, no_such_worker},
    named::Named,
    padded::Padded,
    sync::{AtomicBool, AtomicUsize, ConcurrentQueue, Mutex, Ordering, fence, lock},
};

/// One queue for all, from which each worker takes the next job when it is free to start it.
///
/// It balances itself: a slow job delays nobody else's. Jobs start in the order in which they
/// were pushed. A job that is pushed while workers are idle is handed to the one that has been
/// idle longest, so n idle workers and n or more jobs use n workers.
///
/// Idle is a worker whose last [`pop`](Scheduler::pop) was `None`, in one of two ways:
///
/// - *free*, when none of its jobs is alive: it surely sleeps, and jobs are handed to it.
/// - *suspended*, when it has jobs that wait for something. It may sleep, or be busy with one that
///   has just gone on, so nothing is handed to it: a push that finds no free worker leaves the job
///   in the queue and names all suspended ones, and the first that comes takes it.
///
/// While no worker is idle, a push names nobody: each will pop again before it goes idle.
///
/// # What it expects of a worker
///
/// - It pops once before it first sleeps, for until then it does not count as idle. Whoever wants
///   workers that sleep from the start pops once for each of them before they run.
/// - It pops after [`finish`](Scheduler::finish) before it sleeps, and does nothing long between
///   the two: with its last job ended it counts as free and may be handed a job at once.
///
/// # Examples
///
/// ```
/// use thrasks_sched::{Queue, Scheduler, Wake};
///
/// let scheduler = Queue::new(2);
/// assert_eq!(scheduler.pop(1), None);
/// assert_eq!(scheduler.pop(0), None);
///
/// // Worker 1 has been idle longer.
/// assert_eq!(scheduler.push("a").unwrap(), Wake::One(1));
/// assert_eq!(scheduler.push("b").unwrap(), Wake::One(0));
/// // Both have a job to start and will pop again.
/// assert_eq!(scheduler.push("c").unwrap(), Wake::Nobody);
///
/// assert_eq!(scheduler.pop(0), Some("b"));
/// assert_eq!(scheduler.pop(0), Some("c"));
/// assert_eq!(scheduler.pop(1), Some("a"));
/// ```
//
// # The invariant
//
// A worker is *in line* when it is registered as idle. At the end of every critical section of
// `line`:
//
// 1. `idle` is the length of the line, and `Desk::in_line` is true of exactly those in it;
// 2. the hand of a worker in line is empty;
// 3. if `shared` holds a job, then for each worker in line something is under way that will look:
//    the push of that job is still to take the lock, or the worker is suspended and was named for
//    it, or it has just become free in `finish` and pops next.
//
// Jobs are put in hands only under the lock, and only from there is anybody taken out of line by
// another thread; only worker w puts itself in line. Hands are separate queues so that the worker
// can empty its own without the lock.
//
// # Why no wake-up is lost
//
// A push and a worker that goes idle shake hands as in Dekker's algorithm:
//
//     push:  put the job in `shared`;  fence;  read `idle`
//     pop:   raise `idle`;             fence;  look into `shared`
//
// Both fences are SeqCst, so one of them comes first in the single order of such fences. If it is
// the push's, the worker's look sees the job, takes it (unless somebody else did) and leaves the
// line. If it is the worker's, the push reads `idle` as raised, takes the lock and hands the job
// over. If the push reads zero because the worker has been taken out of line meanwhile, then the
// worker was handed a job or found one itself, so it will pop again, and this argument holds for
// the next time it goes idle. The worker raises `idle` and looks under the lock, the push only
// takes it when it read a raised `idle`: a busy system pays one fence and one read.
//
// A worker that is already in line may look without the lock and miss a job: it stays in line, so
// the push of that job names it or somebody before it.
pub struct Queue<J> {
    shared: ConcurrentQueue<J>,
    /// How many workers are in line. Written under the lock of `line`.
    idle: Padded<AtomicUsize>,
    line: Padded<Mutex<Line>>,
    desks: Box<[Padded<Desk<J>>]>,
}

/// What belongs to one worker.
struct Desk<J> {
    /// Jobs for this worker alone: handed over, or pushed to it by name.
    hand: ConcurrentQueue<J>,
    live: Live,
    /// Whether the worker is in line. Written under the lock of `line`. The worker itself may
    /// read it without: nobody else makes it true, so at worst it is false since a moment ago.
    in_line: AtomicBool,
}

impl<J> Queue<J> {
    /// A scheduler for `workers` workers.
    ///
    /// # Panics
    ///
    /// When `workers` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{Queue, Scheduler};
    ///
    /// let scheduler = Queue::<u32>::new(4);
    /// assert_eq!(scheduler.workers(), 4);
    /// assert!(scheduler.is_empty());
    /// ```
    #[must_use = "a scheduler runs nothing by itself"]
    #[track_caller]
    pub fn new(workers: usize) -> Self {
        at_least_one(workers, "Queue");
        Self {
            shared: ConcurrentQueue::unbounded(),
            idle: Padded(AtomicUsize::new(0)),
            line: Padded(Mutex::new(Line::with_capacity(workers))),
            desks: (0..workers).map(|_| Padded(Desk::new())).collect(),
        }
    }

    #[inline]
    fn desk(&self, worker: usize) -> &Desk<J> {
        match self.desks.get(worker) {
            Some(desk) => desk,
            None => no_such_worker(worker, self.desks.len()),
        }
    }

    /// Sees to it that somebody looks at what was just put in `shared`.
    #[inline]
    fn offer(&self) -> Wake {
        fence(Ordering::SeqCst);
        if self.idle.load(Ordering::SeqCst) == 0 { Wake::Nobody } else { self.hand_over() }
    }

    /// Hands the oldest jobs to the free workers that have been idle longest; names the suspended
    /// workers if there are more jobs.
    #[cold]
    fn hand_over(&self) -> Wake {
        let mut named = Named::default();
        let mut line = lock(&self.line);
        while let Some(worker) = line.longest_free() {
            let Ok(job) = self.shared.pop() else { return named.wake() };
            self.step_out(&mut line, worker);
            if self.desks[worker].hand.push(job).is_err() {
                unreachable!("hands are closed after the shared queue was closed and emptied");
            }
            named.add(worker, self.desks.len());
        }
        if !self.shared.is_empty() {
            // Everybody still in line is suspended.
            line.workers().for_each(|worker| named.add(worker, self.desks.len()));
        }
        named.wake()
    }

    /// Takes a worker out of line, under the lock.
    fn step_out(&self, line: &mut Line, worker: usize) {
        if line.remove(worker) {
            self.desks[worker].in_line.store(false, Ordering::Relaxed);
            self.idle.store(line.len(), Ordering::SeqCst);
        }
    }

    /// Puts the worker in line unless it is there, then looks for a job once more.
    #[cold]
    fn wait_in_line(&self, worker: usize) -> Option<J> {
        let desk = self.desk(worker);
        let mut line = lock(&self.line);
        if !desk.in_line.load(Ordering::Relaxed) {
            line.join(worker, desk.live.count() == 0);
            desk.in_line.store(true, Ordering::Relaxed);
            self.idle.store(line.len(), Ordering::SeqCst);
        }
        // Pairs with the fence in `offer`: see above.
        fence(Ordering::SeqCst);
        let job = desk.hand.pop().or_else(|_| self.shared.pop()).ok();
        if job.is_some() {
            self.step_out(&mut line, worker);
        }
        job
    }
}

impl<J> Desk<J> {
    fn new() -> Self {
        Self {
            hand: ConcurrentQueue::unbounded(),
            live: Live::new(),
            in_line: AtomicBool::new(false),
        }
    }

    /// The next job for this worker alone. Reads before it pops: the hand is empty as a rule, and
    /// a pop would pay a full fence to find that out.
    #[inline]
    fn take(&self) -> Option<J> {
        if self.hand.is_empty() { None } else { self.hand.pop().ok() }
    }
}

impl<J: Send> Scheduler<J> for Queue<J> {
    fn is_shared(&self) -> bool {
        true
    }

    fn workers(&self) -> usize {
        self.desks.len()
    }

    fn push(&self, job: J) -> Result<Wake, Rejected<J>> {
        match self.shared.push(job) {
            Ok(()) => Ok(self.offer()),
            Err(refused) => Err(Rejected::new(refused.into_inner(), Reason::Closed)),
        }
    }

    fn pop(&self, worker: usize) -> Option<J> {
        let desk = self.desk(worker);
        let job = if !desk.in_line.load(Ordering::Relaxed) {
            desk.take().or_else(|| self.shared.pop().ok()).or_else(|| self.wait_in_line(worker))
        } else if desk.hand.is_empty() && self.shared.is_empty() {
            None
        } else {
            self.wait_in_line(worker)
        };
        if job.is_some() {
            desk.live.started();
        }
        job
    }

    // Under the lock no job is on its way from the shared queue to a hand, where it would be
    // missed.
    fn len(&self) -> usize {
        let _line = lock(&self.line);
        self.shared.len() + self.desks.iter().map(|desk| desk.hand.len()).sum::<usize>()
    }

    /// Refuses every later push and gives back the jobs that no worker has taken: first those in
    /// the workers' hands, then the shared ones in order.
    //
    // Each exactly once: a push that claimed its place in a queue before the queue was closed is
    // emptied out here or popped by a worker, and a queue hands out each place once. Once `shared`
    // is closed and emptied nothing can be handed over any more, but for one job that `hand_over`
    // may hold at that time: it does so under the lock, so its hand is emptied after.
    fn close(&self) -> Vec<J> {
        self.shared.close();
        let mut shared = Vec::new();
        drain_into(&self.shared, &mut shared);
        let mut jobs = Vec::new();
        let line = lock(&self.line);
        for desk in &self.desks {
            desk.hand.close();
            drain_into(&desk.hand, &mut jobs);
        }
        drop(line);
        jobs.append(&mut shared);
        jobs
    }

    // The iterator is the user's code: it runs before the lock is taken.
    fn push_batch(&self, jobs: &mut dyn Iterator<Item = J>) -> Batch<J> {
        let mut batch = Batch::default();
        for job in jobs {
            if let Err(refused) = self.shared.push(job) {
                batch.rejected = Some(Rejected::new(refused.into_inner(), Reason::Closed));
                break;
            }
            batch.accepted += 1;
        }
        if batch.accepted > 0 {
            batch.wake = self.offer();
        }
        batch
    }

    // Under the lock, so that no other job is handed to the worker behind this one.
    fn push_to(&self, worker: usize, job: J) -> Result<Wake, Rejected<J>> {
        let Some(desk) = self.desks.get(worker) else {
            let reason = Reason::OutOfRange { worker, workers: self.desks.len() };
            return Err(Rejected::new(job, reason));
        };
        let mut line = lock(&self.line);
        if let Err(refused) = desk.hand.push(job) {
            return Err(Rejected::new(refused.into_inner(), Reason::Closed));
        }
        if desk.in_line.load(Ordering::Relaxed) {
            self.step_out(&mut line, worker);
            Ok(Wake::One(worker))
        } else {
            Ok(Wake::Nobody)
        }
    }

    fn finish(&self, worker: usize) {
        let desk = self.desk(worker);
        if desk.live.ended() && desk.in_line.load(Ordering::Relaxed) {
            // It was suspended and is free now. If there are jobs in the shared queue it was named
            // for them and is here: it pops next.
            lock(&self.line).set_free(worker);
        }
    }

    fn load(&self, worker: usize) -> Option<usize> {
        self.desks.get(worker).map(|desk| desk.hand.len() + desk.live.count())
    }
}

impl<J> fmt::Debug for Queue<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hands: usize = self.desks.iter().map(|desk| desk.hand.len()).sum();
        f.debug_struct("Queue")
            .field("workers", &self.desks.len())
            .field("queued", &(self.shared.len() + hands))
            .field("idle", &self.idle.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}
