use slab::Slab;

use super::{
    line::Line,
    types::{Act, Closing, Refusal, Refused, Stats, Stranded, Submitted, Ticket, WorkerId},
};

/// What the roster's lock guards.
pub(super) struct State<J> {
    max_workers: usize,
    closed: bool,
    line: Line<J>,
    workers: Slab<At>,
    /// The idle workers, the one that has rested least last: it is the one to be woken, so that the
    /// others may retire.
    idle: Vec<usize>,
    /// How many workers are on their way to the queue.
    coming: usize,
    submitted: u64,
    completed: u64,
    removed: u64,
    started: u64,
    lost: u64,
}

/// What a worker is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Started or woken, or done with a job: it will look for one.
    Coming,
    Job,
    Idle,
}

impl<J> State<J> {
    pub(super) fn new(max_workers: usize) -> Self {
        Self {
            max_workers,
            closed: false,
            line: Line::new(),
            workers: Slab::new(),
            idle: Vec::new(),
            coming: 0,
            submitted: 0,
            completed: 0,
            removed: 0,
            started: 0,
            lost: 0,
        }
    }

    pub(super) fn submit(
        &mut self,
        job: J,
        capacity: Option<usize>,
    ) -> Result<Submitted, Refused<J>> {
        if self.closed {
            return Err(Refused { job, refusal: Refusal::Closed });
        }
        if let Some(capacity) = capacity {
            let free = self.coming + self.idle.len() + (self.max_workers - self.workers.len());
            if self.line.len() >= free.saturating_add(capacity) {
                return Err(Refused { job, refusal: Refusal::Full });
            }
        }
        let ticket = Ticket(self.line.push(job));
        self.submitted += 1;
        Ok(Submitted { ticket, act: self.call() })
    }

    /// Whom to call to the queue: nobody, if as many are on their way as jobs wait.
    fn call(&mut self) -> Act {
        if self.line.len() <= self.coming {
            return Act::Nothing;
        }
        if let Some(index) = self.idle.pop() {
            self.workers[index] = At::Coming;
            self.coming += 1;
            return Act::Wake(WorkerId(index));
        }
        if self.workers.len() >= self.max_workers {
            return Act::Nothing;
        }
        self.coming += 1;
        self.started += 1;
        Act::Start(WorkerId(self.workers.insert(At::Coming)))
    }

    /// The worker's job has ended, if it had one.
    pub(super) fn finish(&mut self, index: usize) {
        if self.workers[index] == At::Job {
            self.completed += 1;
            self.workers[index] = At::Coming;
            self.coming += 1;
        }
    }

    /// The worker, which has no job, takes the next one.
    pub(super) fn take(&mut self, index: usize) -> Option<J> {
        let job = self.line.pop()?;
        self.detach(index);
        self.workers[index] = At::Job;
        Some(job)
    }

    /// The worker is to wait.
    pub(super) fn rest(&mut self, index: usize) {
        if self.workers[index] == At::Coming {
            self.coming -= 1;
            self.workers[index] = At::Idle;
            self.idle.push(index);
        }
    }

    pub(super) fn retire(&mut self, index: usize) -> bool {
        let may = self.workers[index] == At::Idle && self.line.len() == 0;
        if may {
            self.leave(index);
        }
        may
    }

    pub(super) fn leave(&mut self, index: usize) {
        self.detach(index);
        self.workers.remove(index);
    }

    /// Takes the worker out of the numbers for what it is at.
    fn detach(&mut self, index: usize) {
        match self.workers[index] {
            At::Coming => self.coming -= 1,
            At::Job => {}
            At::Idle => {
                // Those that leave have mostly been idle for the longest time, and are found first.
                let position = self.idle.iter().position(|idle| *idle == index);
                self.idle.remove(position.expect("an idle worker is in the list of them"));
            }
        }
    }

    pub(super) fn lose(&mut self, index: usize) -> Act {
        self.completed += u64::from(self.workers[index] == At::Job);
        self.leave(index);
        self.lost += 1;
        self.call()
    }

    pub(super) fn not_started(&mut self, index: usize) -> Stranded<J> {
        self.leave(index);
        if self.workers.is_empty() {
            return Stranded { jobs: self.line.take_all().collect(), act: Act::Nothing };
        }
        // Nobody new: what made this one fail would make that one fail.
        let act = if self.idle.is_empty() { Act::Nothing } else { self.call() };
        Stranded { jobs: Vec::new(), act }
    }

    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<J> {
        let job = self.line.remove(ticket.0)?;
        self.removed += 1;
        Some(job)
    }

    pub(super) fn close(&mut self, cancel_pending: bool) -> Closing<J> {
        self.closed = true;
        let jobs: Vec<_> = if cancel_pending { self.line.take_all().collect() } else { Vec::new() };
        self.removed += jobs.len() as u64;
        let wake = std::mem::take(&mut self.idle);
        self.coming += wake.len();
        for &index in &wake {
            self.workers[index] = At::Coming;
        }
        Closing { jobs, wake: wake.into_iter().map(WorkerId).collect() }
    }

    pub(super) fn has(&self, index: usize) -> bool {
        self.workers.contains(index)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn is_finished(&self) -> bool {
        self.closed && self.workers.is_empty() && self.line.len() == 0
    }

    pub(super) fn queued(&self) -> usize {
        self.line.len()
    }

    pub(super) fn max_workers(&self) -> usize {
        self.max_workers
    }

    pub(super) fn stats(&self) -> Stats {
        let (workers, idle) = (self.workers.len(), self.idle.len());
        Stats {
            workers,
            idle,
            queued: self.line.len(),
            running: workers - idle - self.coming,
            submitted: self.submitted,
            completed: self.completed,
            removed: self.removed,
            started: self.started,
            lost: self.lost,
        }
    }
}
