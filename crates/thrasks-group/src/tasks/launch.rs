use std::{any::Any, future::Future, sync::Arc};

use thrasks_loop::{LoopPool, Task};

use super::{child::Child, core::Waiting, spawn_error::Reason};
use crate::{Panic, Unstarted};

/// A child that the pool has not been given yet.
pub(crate) struct Launch<F, T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    pub(crate) task: Unstarted<F, Result<T, E>, Child<T, E>>,
    pub(crate) child: Arc<Child<T, E>>,
    pub(crate) pool: LoopPool,
    /// The loop it is to run on, if the scheduler is not to choose.
    pub(crate) worker: Option<usize>,
}

impl<F, Fut, T, E> Waiting for Launch<F, T, E>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn start(self: Box<Self>) -> bool {
        let Self { task, child, pool, worker } = *self;
        if child.is_cancelled() {
            return false;
        }
        child.starting();
        // Past the pool's bound on what waits there: this one was promised a place, and the
        // group's limit bounds how many come this way.
        let (task, handle) = Task::new(move || task.start());
        let submitted = Panic::catch(|| match worker {
            Some(worker) => pool.submit_to(worker, task),
            None => pool.submit(task),
        });
        match submitted {
            Ok(Ok(())) => child.attach(handle),
            Ok(Err(rejected)) => {
                let (task, reason) = rejected.into_parts();
                child.reject(reason);
                drop(task);
            }
            // The scheduler's. The task is gone, or lies in a queue, where this cancels it.
            Err(_panic) => drop(handle),
        }
        child.started()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Gives a child to the pool.
pub(crate) fn spawn<F, Fut, T, E>(
    task: Unstarted<F, Result<T, E>, Child<T, E>>,
    child: &Child<T, E>,
    pool: &LoopPool,
    worker: Option<usize>,
) -> Result<(), (F, Reason)>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let start = move || task.start();
    let spawned = match worker {
        Some(worker) => pool.spawn_on(worker, start),
        None => pool.try_spawn(start),
    };
    match spawned {
        Ok(handle) => {
            child.attach(handle);
            Ok(())
        }
        Err(error) => {
            let reason = Reason::of(&error);
            let start = error.into_factory();
            Err((start().reclaim().0, reason))
        }
    }
}
