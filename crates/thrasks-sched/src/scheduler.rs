use std::sync::Arc;

use crate::{Batch, Reason, Rejected, Wake};

/// Decides which worker runs which job.
///
/// A scheduler only keeps jobs and hands them out: it owns no thread and wakes nobody. Whoever
/// submits calls [`push`](Self::push) and wakes the workers that the returned [`Wake`] names;
/// worker `w` calls [`pop`](Self::pop) with its own number until that returns `None`, then sleeps
/// until it is woken.
///
/// # The contract
///
/// - **No job is lost or handed out twice.** A pushed job comes out of exactly one `pop`, or of
///   [`close`](Self::close).
/// - **No wake-up is lost.** When `push` returns, either the returned `Wake` names a worker whose
///   next `pop` can return the job, or some worker that has not had `None` from `pop` since will
///   `pop` it.
/// - `pop(w)` and `finish(w)` are called by one thread at a time for each `w`; everything else by
///   any thread at any time.
/// - `pop(w)` returning `None` means that worker `w` now counts as idle, until `pop` gives it a job.
///   A worker therefore pops before it first sleeps, and after [`finish`](Self::finish) before it
///   sleeps again.
/// - Popped jobs end: for each there is one `finish` by the worker that popped it.
///
/// # Examples
///
/// Five methods make a scheduler; this one starts the newest job first.
///
/// ```
/// use std::sync::Mutex;
/// use thrasks_sched::{Reason, Rejected, Scheduler, Wake};
///
/// struct Newest<J> {
///     workers: usize,
///     /// `None` once closed.
///     stack: Mutex<Option<Vec<J>>>,
/// }
///
/// impl<J: Send> Scheduler<J> for Newest<J> {
///     fn workers(&self) -> usize {
///         self.workers
///     }
///     fn push(&self, job: J) -> Result<Wake, Rejected<J>> {
///         match &mut *self.stack.lock().unwrap() {
///             Some(stack) => stack.push(job),
///             None => return Err(Rejected::new(job, Reason::Closed)),
///         }
///         // Simple, and right: who is idle is not known, so everybody is woken.
///         Ok(Wake::Many((0..self.workers).collect()))
///     }
///     fn pop(&self, _worker: usize) -> Option<J> {
///         self.stack.lock().unwrap().as_mut()?.pop()
///     }
///     fn len(&self) -> usize {
///         self.stack.lock().unwrap().as_ref().map_or(0, Vec::len)
///     }
///     fn close(&self) -> Vec<J> {
///         self.stack.lock().unwrap().take().unwrap_or_default()
///     }
/// }
///
/// let newest = Newest { workers: 2, stack: Mutex::new(Some(Vec::new())) };
/// let scheduler: Box<dyn Scheduler<&str>> = Box::new(newest);
/// let batch = scheduler.push_batch(&mut ["a", "b"].into_iter());
/// assert_eq!(batch.accepted, 2);
/// assert_eq!(scheduler.pop(0), Some("b"));
/// assert_eq!(scheduler.close(), ["a"]);
/// ```
pub trait Scheduler<J>: Send + Sync {
    /// How many workers the jobs are for. Workers are numbered from zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{Queue, Scheduler};
    ///
    /// assert_eq!(Queue::<u32>::new(4).workers(), 4);
    /// ```
    fn workers(&self) -> usize;

    /// Accepts a job and says whom to wake for it.
    ///
    /// # Errors
    ///
    /// Gives the job back with the [`Reason`]: closed, full, or a policy that failed.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{RoundRobin, Scheduler, Wake};
    ///
    /// let scheduler = RoundRobin::new(2);
    /// assert_eq!(scheduler.push("a").unwrap(), Wake::One(0));
    ///
    /// let _jobs = scheduler.close();
    /// assert_eq!(scheduler.push("b").unwrap_err().into_job(), "b");
    /// ```
    fn push(&self, job: J) -> Result<Wake, Rejected<J>>;

    /// The next job for `worker` to start now, or `None` when there is nothing for it.
    ///
    /// # Panics
    ///
    /// May panic when `worker` is not below [`workers`](Self::workers).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{RoundRobin, Scheduler};
    ///
    /// let scheduler = RoundRobin::new(2);
    /// let _wake = scheduler.push("a").unwrap();
    /// assert_eq!(scheduler.pop(1), None);
    /// assert_eq!(scheduler.pop(0), Some("a"));
    /// ```
    #[must_use = "the job that is given is to be run, and its end told"]
    fn pop(&self, worker: usize) -> Option<J>;

    /// How many jobs wait to be started.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{Queue, Scheduler};
    ///
    /// let scheduler = Queue::new(2);
    /// let _wake = scheduler.push("a").unwrap();
    /// assert_eq!(scheduler.len(), 1);
    /// assert_eq!(scheduler.pop(0), Some("a"));
    /// assert_eq!(scheduler.len(), 0);
    /// ```
    fn len(&self) -> usize;

    /// Refuses every later push and gives back the jobs that no worker has taken.
    ///
    /// Idempotent: a second call gives back nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{Queue, Scheduler};
    ///
    /// let scheduler = Queue::new(2);
    /// let _batch = scheduler.push_batch(&mut ["a", "b"].into_iter());
    /// assert_eq!(scheduler.pop(0), Some("a"));
    /// assert_eq!(scheduler.close(), ["b"]);
    /// assert!(scheduler.close().is_empty());
    /// assert!(scheduler.push("c").is_err());
    /// ```
    #[must_use = "the jobs that are given back will not be run"]
    fn close(&self) -> Vec<J>;

    /// Whether no job waits to be started.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{Queue, Scheduler};
    ///
    /// let scheduler = Queue::new(2);
    /// assert!(scheduler.is_empty());
    /// let _wake = scheduler.push("a").unwrap();
    /// assert!(!scheduler.is_empty());
    /// ```
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Accepts many jobs with one answer, taking them from the iterator in order.
    ///
    /// Stops at the first job that is rejected; the iterator still holds the ones after it.
    ///
    /// The answer comes when the iterator has ended, and idle workers sleep until then: push what
    /// is slow to make in pieces, with `by_ref().take(n)`. If the iterator panics, the jobs it gave
    /// before are queued and nobody is woken for them.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{RoundRobin, Scheduler, Wake};
    ///
    /// let scheduler = RoundRobin::new(4);
    /// let batch = scheduler.push_batch(&mut ["a", "b", "c"].into_iter());
    /// assert_eq!(batch.accepted, 3);
    /// assert_eq!(batch.wake, Wake::Many(vec![0, 1, 2]));
    /// assert!(batch.rejected.is_none());
    /// ```
    fn push_batch(&self, jobs: &mut dyn Iterator<Item = J>) -> Batch<J> {
        let mut batch = Batch::default();
        for job in jobs {
            match self.push(job) {
                Ok(wake) => {
                    batch.accepted += 1;
                    batch.wake = batch.wake.and(wake);
                }
                Err(rejected) => {
                    batch.rejected = Some(rejected);
                    break;
                }
            }
        }
        batch
    }

    /// Accepts a job for one worker, whatever the policy would choose.
    ///
    /// # Errors
    ///
    /// Gives the job back; with [`Reason::Unsupported`] from a scheduler that cannot do this, which
    /// is what the default does.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{Queue, Reason, Scheduler};
    ///
    /// let scheduler = Queue::new(2);
    /// let _wake = scheduler.push_to(1, "a").unwrap();
    /// assert_eq!(scheduler.pop(0), None);
    /// assert_eq!(scheduler.pop(1), Some("a"));
    ///
    /// let rejected = scheduler.push_to(2, "b").unwrap_err();
    /// assert!(matches!(rejected.reason(), Reason::OutOfRange { worker: 2, workers: 2 }));
    /// ```
    fn push_to(&self, worker: usize, job: J) -> Result<Wake, Rejected<J>> {
        let _ = worker;
        Err(Rejected::new(job, Reason::Unsupported))
    }

    /// Tells that a job which `worker` popped has ended.
    ///
    /// Schedulers that balance by load count with it; the default does nothing.
    ///
    /// # Panics
    ///
    /// May panic when `worker` is not below [`workers`](Self::workers).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{LeastLoaded, Scheduler};
    ///
    /// let scheduler = LeastLoaded::new(1);
    /// let _wake = scheduler.push("a").unwrap();
    /// assert_eq!(scheduler.pop(0), Some("a"));
    /// assert_eq!(scheduler.load(0), Some(1));
    /// scheduler.finish(0);
    /// assert_eq!(scheduler.load(0), Some(0));
    /// ```
    fn finish(&self, worker: usize) {
        let _ = worker;
    }

    /// How many jobs wait for `worker` or have been started by it and not finished; `None` from a
    /// scheduler that does not count, and for a worker that does not exist.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{RoundRobin, Scheduler};
    ///
    /// let scheduler = RoundRobin::new(2);
    /// let _batch = scheduler.push_batch(&mut ["a", "b", "c"].into_iter());
    /// assert_eq!(scheduler.load(0), Some(2));
    /// assert_eq!(scheduler.load(1), Some(1));
    /// ```
    fn load(&self, worker: usize) -> Option<usize> {
        let _ = worker;
        None
    }

    /// Whether a job that one worker leaves alone may be taken by another.
    ///
    /// If so, a loop had better take a job only when it can start it at once. The default, for
    /// schedulers that have chosen the worker by the time `push` returns, is `false`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{Queue, RoundRobin, Scheduler};
    ///
    /// assert!(Queue::<u8>::new(2).is_shared());
    /// assert!(!RoundRobin::<u8>::new(2).is_shared());
    /// ```
    fn is_shared(&self) -> bool {
        false
    }
}

macro_rules! forward {
    ($($pointer:ty),+) => {$(
        impl<J, S: Scheduler<J> + ?Sized> Scheduler<J> for $pointer {
            fn workers(&self) -> usize {
                (**self).workers()
            }
            fn push(&self, job: J) -> Result<Wake, Rejected<J>> {
                (**self).push(job)
            }
            fn pop(&self, worker: usize) -> Option<J> {
                (**self).pop(worker)
            }
            fn len(&self) -> usize {
                (**self).len()
            }
            fn close(&self) -> Vec<J> {
                (**self).close()
            }
            fn is_empty(&self) -> bool {
                (**self).is_empty()
            }
            fn push_batch(&self, jobs: &mut dyn Iterator<Item = J>) -> Batch<J> {
                (**self).push_batch(jobs)
            }
            fn push_to(&self, worker: usize, job: J) -> Result<Wake, Rejected<J>> {
                (**self).push_to(worker, job)
            }
            fn finish(&self, worker: usize) {
                (**self).finish(worker);
            }
            fn load(&self, worker: usize) -> Option<usize> {
                (**self).load(worker)
            }
            fn is_shared(&self) -> bool {
                (**self).is_shared()
            }
        }
    )+};
}

forward!(&S, Arc<S>, Box<S>);
