use std::{any::Any, mem, sync::Arc};

use thrasks_loop::{Keeper, LoopPool, Task};

use super::{child::Child, core::Waiting, spawn_error::Reason};
use crate::Panic;

/// A child that the pool has not been given yet.
pub(crate) struct Launch<F, T, E> {
    /// Dropped, it ends the child.
    pub(crate) task: Task,
    pub(crate) child: Arc<Child<F, T, E>>,
    pub(crate) pool: LoopPool,
    /// The loop it is to run on, if the scheduler is not to choose.
    pub(crate) worker: Option<usize>,
}

impl<F, T, E> Waiting for Launch<F, T, E>
where
    F: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn start(self: Box<Self>) -> bool {
        let Self { task, child, pool, worker } = *self;
        if child.is_unwanted() {
            return false;
        }
        child.starting();
        // Past the pool's bound on what waits there: this one was promised a place, and the
        // group's limit bounds how many come this way.
        let submitted = Panic::catch(|| match worker {
            Some(worker) => pool.submit_to(worker, task),
            None => pool.submit(task),
        });
        match submitted {
            Ok(Ok(())) => {}
            Ok(Err(rejected)) => {
                let (task, reason) = rejected.into_parts();
                child.reject(reason);
                drop(task);
            }
            // The scheduler's. The task is gone, or lies in a queue, where this cancels it.
            Err(_panic) => child.request_cancel(),
        }
        child.started()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Gives a child to the pool. One that is not taken has ended when this returns.
pub(crate) fn spawn<F, T, E>(
    task: Task,
    child: &Child<F, T, E>,
    pool: &LoopPool,
    worker: Option<usize>,
) -> Result<(), (F, Reason)>
where
    Child<F, T, E>: Keeper,
{
    let unwinding = Unwinding(child);
    let submitted = match worker {
        Some(worker) => pool.try_submit_on(worker, task),
        None => pool.try_submit(task),
    };
    mem::forget(unwinding);
    submitted.map_err(|rejected| {
        let (task, reason) = rejected.into_parts();
        let Some(factory) = child.reclaim() else {
            panic!("the scheduler gave back another task than the one it rejected")
        };
        drop(task);
        (factory, Reason::of(&reason))
    })
}

/// Dropped by a panic of the scheduler, it cancels the task, which may lie in a queue.
struct Unwinding<'a, F, T, E>(&'a Child<F, T, E>);

impl<F, T, E> Drop for Unwinding<'_, F, T, E> {
    fn drop(&mut self) {
        self.0.request_cancel();
    }
}
