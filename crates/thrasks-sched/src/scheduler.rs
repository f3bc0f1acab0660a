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
pub trait Scheduler<J>: Send + Sync {
    /// How many workers the jobs are for. Workers are numbered from zero.
    fn workers(&self) -> usize;

    /// Accepts a job and says whom to wake for it.
    ///
    /// # Errors
    ///
    /// Gives the job back with the [`Reason`]: closed, full, or a policy that failed.
    fn push(&self, job: J) -> Result<Wake, Rejected<J>>;

    /// The next job for `worker` to start now, or `None` when there is nothing for it.
    ///
    /// # Panics
    ///
    /// May panic when `worker` is not below [`workers`](Self::workers).
    fn pop(&self, worker: usize) -> Option<J>;

    /// How many jobs wait to be started.
    fn len(&self) -> usize;

    /// Refuses every later push and gives back the jobs that no worker has taken.
    ///
    /// Idempotent: a second call gives back nothing.
    fn close(&self) -> Vec<J>;

    /// Whether no job waits to be started.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Accepts many jobs with one answer, taking them from the iterator in order.
    ///
    /// Stops at the first job that is rejected; the iterator still holds the ones after it.
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
    fn push_to(&self, worker: usize, job: J) -> Result<Wake, Rejected<J>> {
        let _ = worker;
        Err(Rejected::new(job, Reason::Unsupported))
    }

    /// Tells that a job which `worker` popped has ended.
    ///
    /// Schedulers that balance by load count with it; the default does nothing.
    fn finish(&self, worker: usize) {
        let _ = worker;
    }

    /// How many jobs wait for `worker` or have been started by it and not finished; `None` from a
    /// scheduler that does not count.
    fn load(&self, worker: usize) -> Option<usize> {
        let _ = worker;
        None
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
        }
    )+};
}

forward!(&S, Arc<S>, Box<S>);
