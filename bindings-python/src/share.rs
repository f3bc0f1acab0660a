//! The part that a worker has in the jobs of a gather: which it takes, one after the other.
//!
//! Where the mode is one of ours and the workers have nothing else to do, no job goes by way of the
//! scheduler: each worker is sent its share once, and takes its jobs from what they have in common.
//! What it takes, and when, is what the scheduler would have given it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use pyo3::{exceptions::PyRuntimeError, prelude::*};

use crate::{
    gather::Gather,
    orders::Order,
    sync::{Padded, in_drop},
    team::Team,
    worker::{Worker, with_work},
};

/// How many jobs all workers have taken together.
///
/// Each number is given out once, since it is counted by one atomic operation. What belongs to it was
/// there before the shares were sent, so no order of memory is needed here.
#[derive(Default)]
pub(crate) struct Taken(Padded<AtomicUsize>);

/// A worker's share of a gather. Dropped before it is used up, by a loop that has ended, it goes to
/// another of the workers.
pub(crate) struct Share {
    gather: Arc<Gather>,
    team: Arc<Team>,
    claim: Claim,
    used_up: bool,
}

/// How jobs are claimed.
#[derive(Clone, Copy)]
enum Claim {
    /// In turn, as `ROUND_ROBIN` deals them: every so many, from this one on.
    Dealt { next: usize, step: usize },
    /// Whoever is free takes the next, as with `QUEUE`.
    Shared,
}

impl Share {
    /// That of worker number `lane` of so many, each of which takes what is its own.
    pub(crate) fn dealt(gather: Arc<Gather>, team: Arc<Team>, lane: usize, lanes: usize) -> Self {
        let claim = Claim::Dealt { next: lane, step: lanes };
        Self { gather, team, claim, used_up: false }
    }

    /// That of any worker, where each takes what it can.
    pub(crate) fn shared(gather: Arc<Gather>, team: Arc<Team>) -> Self {
        Self { gather, team, claim: Claim::Shared, used_up: false }
    }

    pub(crate) fn gather(&self) -> &Arc<Gather> {
        &self.gather
    }

    fn claim(&mut self) -> Option<usize> {
        let index = match &mut self.claim {
            Claim::Dealt { next, step } => {
                let index = *next;
                *next = index.saturating_add(*step);
                index
            }
            // Once for each worker it may go past the end, and no further.
            Claim::Shared if self.used_up => usize::MAX,
            Claim::Shared => self.gather.taken().0.fetch_add(1, Ordering::Relaxed),
        };
        self.used_up = index >= self.gather.len();
        (!self.used_up).then_some(index)
    }

    /// Takes the next job for the worker whose thread this is, to be started at once: its number, and
    /// its coroutine.
    pub(crate) fn take<'py>(&mut self, py: Python<'py>) -> Option<(usize, Bound<'py, PyAny>)> {
        loop {
            let index = self.claim()?;
            if let Some(coroutine) = self.gather.take(py, index) {
                with_work(thrasks_loop::Work::start_posted);
                return Some((index, coroutine));
            }
            // It was cancelled.
        }
    }

    /// How many more jobs have suspended on this worker than on the one with the fewest.
    pub(crate) fn lead(&self, worker: &Worker) -> usize {
        let crew = self.team.crew().iter();
        let least = crew.map(|other| other.unfinished()).min().unwrap_or(0);
        worker.unfinished().saturating_sub(least)
    }

    /// How many jobs nobody has taken, for each worker.
    pub(crate) fn backlog(&self) -> usize {
        let taken = self.gather.taken().0.load(Ordering::Relaxed);
        self.gather.len().saturating_sub(taken) / self.team.crew().len()
    }

    /// The jobs cannot be run by who would have taken them.
    pub(crate) fn fail(mut self, py: Python<'_>, error: &PyErr) {
        while let Some(index) = self.claim() {
            self.gather.fail(py, index, error.clone_ref(py));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.used_up {
            return;
        }
        let (gather, team, claim) = (self.gather.clone(), self.team.clone(), self.claim);
        let mut share = Self { gather, team, claim, used_up: false };
        for worker in self.team.crew() {
            match worker.post(Order::Share(share)) {
                Ok(()) => return,
                Err(Order::Share(back)) => share = back,
                Err(_) => unreachable!("what was sent comes back"),
            }
        }
        in_drop(|py| share.fail(py, &PyRuntimeError::new_err("the worker's event loop has ended")));
    }
}
