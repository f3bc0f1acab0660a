use std::{
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use thrasks_loop::JoinError;

use crate::{
    Act, Kind, NotSpawned, Roster, Spawn, Ticket, Worker, WorkerId,
    job::Start,
    quiet::{discard, quietly},
    sync::Event,
};

/// What a pool, its workers and its handles share.
pub(crate) struct Shared<K: Kind> {
    pub(crate) roster: Roster<Box<dyn Start<K>>>,
    pub(crate) respawns: bool,
    /// Told when the last worker of a closed pool has left.
    pub(crate) ended: Event,
    spawner: Box<dyn Spawn<K>>,
    name: String,
}

impl<K: Kind> Shared<K> {
    pub(crate) fn new(spawner: Box<dyn Spawn<K>>, name: String, max_workers: usize) -> Self {
        let respawns = spawner.respawns();
        Self { roster: Roster::new(max_workers), respawns, ended: Event::new(), spawner, name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn spawn(&self, worker: Worker<K>) -> Result<(), NotSpawned<K>> {
        // A spawner that panics has dropped the worker.
        catch_unwind(AssertUnwindSafe(|| self.spawner.spawn(worker))).unwrap_or_else(|payload| {
            discard(payload);
            Ok(())
        })
    }

    pub(crate) fn act(self: &Arc<Self>, act: Act) {
        match act {
            Act::Start(id) => {
                if let Err(refused) = self.spawn(Worker::new(self.clone(), id)) {
                    let (worker, reason) = refused.into_parts();
                    let id = worker.id();
                    worker.give_up();
                    self.not_started(id, reason);
                }
            }
            // Workers that find no job leave: none is ever idle.
            Act::Wake(_) | Act::Nothing => {}
        }
    }

    pub(crate) fn lost(self: &Arc<Self>, id: WorkerId) {
        let act = self.roster.lost(id);
        self.act(act);
        self.worker_left();
    }

    pub(crate) fn not_started(
        &self,
        id: WorkerId,
        reason: impl Into<Box<dyn Error + Send + Sync>>,
    ) {
        let stranded = self.roster.not_started(id);
        if !stranded.jobs.is_empty() {
            let reason = Reason(Arc::from(reason.into()));
            for job in stranded.jobs {
                job.refuse(JoinError::refused(reason.clone()));
            }
        }
        self.worker_left();
    }

    /// A worker is no longer on the roster.
    pub(crate) fn worker_left(&self) {
        if self.roster.is_finished() {
            self.ended.notify(usize::MAX);
        }
    }

    pub(crate) fn close(&self, cancel_pending: bool) {
        // Nobody is idle, and to be woken.
        for job in self.roster.close(cancel_pending).jobs {
            job.refuse(JoinError::cancelled());
        }
        self.worker_left();
    }
}

/// Takes a job out of the queue, whatever its pool's kind.
pub(crate) trait Withdraw: Send + Sync {
    /// Cancels the job, if no worker has begun with it. Returns whether it was.
    fn withdraw(&self, ticket: Ticket) -> bool;
}

impl<K: Kind> Withdraw for Shared<K> {
    fn withdraw(&self, ticket: Ticket) -> bool {
        let Some(job) = self.roster.remove(ticket) else { return false };
        job.refuse(JoinError::cancelled());
        true
    }
}

impl<K: Kind> Drop for Shared<K> {
    fn drop(&mut self) {
        // The spawner's drop is the last of the user's code here, on whatever thread this is.
        let spawner = std::mem::replace(&mut self.spawner, Box::new(drop::<Worker<K>>));
        quietly(|| drop(spawner));
    }
}

/// Why workers were refused, for each of the jobs that nobody ran.
#[derive(Debug, Clone)]
struct Reason(Arc<dyn Error + Send + Sync>);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Reason {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
