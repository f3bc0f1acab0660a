//! Who runs the jobs of an executor that has no threads: a `thrasks_pool::Roster` for Python.

use std::sync::Mutex;

use pyo3::{exceptions::PyValueError, prelude::*};
use thrasks_pool::{Act, Ticket, WorkerId};

use crate::sync::lock;

/// A queue of jobs, and at most so many workers, each with one job at a time.
///
/// It starts nobody: whoever submits a job is told which worker is to come for it.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Roster")]
pub(crate) struct Roster {
    roster: thrasks_pool::Roster<Py<PyAny>>,
    /// The workers there are, by their numbers.
    workers: Mutex<Vec<Option<WorkerId>>>,
}

/// A job's place in the queue.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Ticket")]
pub(crate) struct QueueTicket(Ticket);

impl Roster {
    fn worker(&self, index: usize) -> PyResult<WorkerId> {
        let known = lock(&self.workers).get(index).copied().flatten();
        known.ok_or_else(|| PyValueError::new_err(format!("there is no worker {index}")))
    }
}

#[pymethods]
impl Roster {
    #[new]
    fn new(max_workers: usize) -> PyResult<Self> {
        if max_workers == 0 {
            return Err(PyValueError::new_err("a roster needs at least one worker"));
        }
        let roster = thrasks_pool::Roster::new(max_workers);
        Ok(Self { roster, workers: Mutex::default() })
    }

    /// Queues a job. Returns its ticket, and the number of the worker that is to be started for it,
    /// if one is; `None` if the roster is closed.
    fn submit(&self, job: Py<PyAny>) -> Option<(QueueTicket, Option<usize>)> {
        // A refused job is dropped here: it is the caller's, too.
        let submitted = self.roster.submit(job).ok()?;
        let start = match submitted.act {
            Act::Start(worker) => {
                let index = worker.index();
                let mut workers = lock(&self.workers);
                if workers.len() <= index {
                    workers.resize(index + 1, None);
                }
                workers[index] = Some(worker);
                Some(index)
            }
            // None of these workers ever waits.
            Act::Wake(_) | Act::Nothing => None,
        };
        Some((QueueTicket(submitted.ticket), start))
    }

    /// The next job of a worker, whose last one has ended; `None` if there is none: then it has left.
    fn next(&self, worker: usize) -> PyResult<Option<Py<PyAny>>> {
        let id = self.worker(worker)?;
        // Once it has left, its number may be given to another at once.
        lock(&self.workers)[worker] = None;
        let job = self.roster.next_or_retire(id);
        if job.is_some() {
            lock(&self.workers)[worker] = Some(id);
        }
        Ok(job)
    }

    /// Takes a job back. Returns whether no worker had begun with it.
    fn remove(&self, ticket: &Bound<'_, QueueTicket>) -> bool {
        self.roster.remove(ticket.get().0).is_some()
    }

    /// Refuses every later job. Returns those that are queued, if they are not to run.
    fn close(&self, cancel_queued: bool) -> Vec<Py<PyAny>> {
        self.roster.close(cancel_queued).jobs
    }

    /// How many jobs are queued or run.
    fn __len__(&self) -> usize {
        let stats = self.roster.stats();
        stats.queued + stats.running
    }
}
