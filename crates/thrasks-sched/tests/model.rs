//! Each scheduler against a simple sequential model of it, over random sequences of calls.

use std::collections::VecDeque;

use proptest::prelude::*;
use thrasks_sched::{
    Batch, LeastLoaded, PerWorker, Queue, Reason, Rejected, RoundRobin, Scheduler, Wake, place_fn,
};

#[derive(Debug, Clone)]
enum Call {
    Push,
    Batch(usize),
    /// A batch whose iterator promises this many jobs too many.
    Promising(usize, usize),
    Pop(usize),
    Finish(usize),
    PushTo(usize),
    Close,
}

fn calls() -> impl Strategy<Value = (usize, Vec<Call>)> {
    (1..5_usize).prop_flat_map(|workers| {
        let call = prop_oneof![
            6 => Just(Call::Push),
            2 => (0..9_usize).prop_map(Call::Batch),
            1 => (0..9_usize, 1..9_usize).prop_map(|(n, more)| Call::Promising(n, more)),
            8 => (0..workers).prop_map(Call::Pop),
            6 => (0..workers).prop_map(Call::Finish),
            // One of them does not exist.
            2 => (0..=workers).prop_map(Call::PushTo),
        ];
        // Most sequences are not closed; a close comes anywhere in the others.
        let close = prop_oneof![3 => Just(None), 1 => (0..80_usize).prop_map(Some)];
        (Just(workers), prop::collection::vec(call, 0..80), close).prop_map(
            |(workers, mut calls, close)| {
                if let Some(at) = close {
                    calls.insert(at.min(calls.len()), Call::Close);
                    calls.push(Call::Close);
                }
                (workers, calls)
            },
        )
    })
}

/// Why a job was refused, in a form that can be compared.
#[derive(Debug, PartialEq, Eq)]
enum Why {
    Closed,
    OutOfRange,
    Policy,
}

type Pushed = Result<Wake, (usize, Why)>;

fn pushed(result: Result<Wake, Rejected<usize>>) -> Pushed {
    result.map_err(refused)
}

fn refused(rejected: Rejected<usize>) -> (usize, Why) {
    let (job, reason) = rejected.into_parts();
    let why = match reason {
        Reason::Closed => Why::Closed,
        Reason::OutOfRange { .. } => Why::OutOfRange,
        Reason::Policy(_) => Why::Policy,
        other => panic!("not a reason of these schedulers: {other:?}"),
    };
    (job, why)
}

trait Model {
    fn push(&mut self, job: usize) -> Pushed;
    fn pop(&mut self, worker: usize) -> Option<usize>;
    fn finish(&mut self, worker: usize);
    fn push_to(&mut self, worker: usize, job: usize) -> Pushed;
    fn close(&mut self) -> Vec<usize>;
    fn len(&self) -> usize;
    fn load(&self, worker: usize) -> usize;

    /// Whom to wake for these jobs at once, and the job at which it stopped.
    fn push_batch(&mut self, jobs: &mut dyn Iterator<Item = usize>) -> Batched {
        let mut batched = Batched { accepted: 0, wake: Wake::Nobody, refused: None };
        for job in jobs {
            match self.push(job) {
                Ok(wake) => {
                    batched.accepted += 1;
                    batched.wake = batched.wake.and(wake);
                }
                Err(refused) => {
                    batched.refused = Some(refused);
                    break;
                }
            }
        }
        batched
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Batched {
    accepted: usize,
    wake: Wake,
    refused: Option<(usize, Why)>,
}

impl From<Batch<usize>> for Batched {
    fn from(batch: Batch<usize>) -> Self {
        let Batch { accepted, wake, rejected } = batch;
        Self { accepted, wake, refused: rejected.map(refused) }
    }
}

/// A queue for each worker and a rule.
struct Placed<F> {
    queues: Vec<VecDeque<usize>>,
    live: Vec<usize>,
    closed: bool,
    /// Chooses by the job, the number of jobs placed before, and the loads.
    rule: F,
    placed: usize,
}

impl<F> Placed<F>
where
    F: Fn(usize, usize, &[usize]) -> Result<usize, Why>,
{
    fn new(workers: usize, rule: F) -> Self {
        let queues = vec![VecDeque::new(); workers];
        Self { queues, live: vec![0; workers], closed: false, rule, placed: 0 }
    }
}

impl<F> Model for Placed<F>
where
    F: Fn(usize, usize, &[usize]) -> Result<usize, Why>,
{
    fn push(&mut self, job: usize) -> Pushed {
        if self.closed {
            return Err((job, Why::Closed));
        }
        let loads: Vec<_> = (0..self.queues.len()).map(|worker| self.load(worker)).collect();
        let worker = (self.rule)(job, self.placed, &loads).map_err(|why| (job, why))?;
        self.placed += 1;
        self.push_to(worker, job)
    }

    fn pop(&mut self, worker: usize) -> Option<usize> {
        let job = self.queues[worker].pop_front()?;
        self.live[worker] += 1;
        Some(job)
    }

    fn finish(&mut self, worker: usize) {
        self.live[worker] -= 1;
    }

    fn push_to(&mut self, worker: usize, job: usize) -> Pushed {
        if worker >= self.queues.len() {
            return Err((job, Why::OutOfRange));
        }
        if self.closed {
            return Err((job, Why::Closed));
        }
        self.queues[worker].push_back(job);
        Ok(Wake::One(worker))
    }

    fn close(&mut self) -> Vec<usize> {
        self.closed = true;
        self.queues.iter_mut().flat_map(|queue| queue.drain(..)).collect()
    }

    fn len(&self) -> usize {
        self.queues.iter().map(VecDeque::len).sum()
    }

    fn load(&self, worker: usize) -> usize {
        self.queues[worker].len() + self.live[worker]
    }
}

/// The shared queue, told as a story: who stands in line, who holds what.
struct Shared {
    shared: VecDeque<usize>,
    hands: Vec<VecDeque<usize>>,
    live: Vec<usize>,
    line: Vec<usize>,
    closed: bool,
}

impl Shared {
    fn new(workers: usize) -> Self {
        Self {
            shared: VecDeque::new(),
            hands: vec![VecDeque::new(); workers],
            live: vec![0; workers],
            line: Vec::new(),
            closed: false,
        }
    }

    fn offer(&mut self) -> Wake {
        let mut wake = Wake::Nobody;
        while let Some(at) = self.line.iter().position(|&worker| self.live[worker] == 0) {
            let Some(job) = self.shared.pop_front() else { return wake };
            let worker = self.line.remove(at);
            self.hands[worker].push_back(job);
            wake = wake.and(Wake::One(worker));
        }
        if !self.shared.is_empty() {
            wake = self.line.iter().fold(wake, |wake, &worker| wake.and(Wake::One(worker)));
        }
        wake
    }
}

impl Model for Shared {
    fn push(&mut self, job: usize) -> Pushed {
        if self.closed {
            return Err((job, Why::Closed));
        }
        self.shared.push_back(job);
        Ok(self.offer())
    }

    fn pop(&mut self, worker: usize) -> Option<usize> {
        let job = self.hands[worker].pop_front().or_else(|| self.shared.pop_front());
        if job.is_some() {
            self.line.retain(|&idle| idle != worker);
            self.live[worker] += 1;
        } else if !self.line.contains(&worker) {
            self.line.push(worker);
        }
        job
    }

    fn finish(&mut self, worker: usize) {
        self.live[worker] -= 1;
    }

    fn push_to(&mut self, worker: usize, job: usize) -> Pushed {
        if worker >= self.hands.len() {
            return Err((job, Why::OutOfRange));
        }
        if self.closed {
            return Err((job, Why::Closed));
        }
        self.hands[worker].push_back(job);
        let waits = self.line.contains(&worker);
        self.line.retain(|&idle| idle != worker);
        Ok(if waits { Wake::One(worker) } else { Wake::Nobody })
    }

    fn close(&mut self) -> Vec<usize> {
        self.closed = true;
        let hands = self.hands.iter_mut().flat_map(|hand| hand.drain(..));
        hands.chain(self.shared.drain(..)).collect()
    }

    fn len(&self) -> usize {
        self.shared.len() + self.hands.iter().map(VecDeque::len).sum::<usize>()
    }

    fn load(&self, worker: usize) -> usize {
        self.hands[worker].len() + self.live[worker]
    }

    // One answer for all of them: the jobs are there before anybody is named.
    fn push_batch(&mut self, jobs: &mut dyn Iterator<Item = usize>) -> Batched {
        let mut batched = Batched { accepted: 0, wake: Wake::Nobody, refused: None };
        if self.closed {
            batched.refused = jobs.next().map(|job| (job, Why::Closed));
            return batched;
        }
        let before = self.shared.len();
        self.shared.extend(jobs);
        batched.accepted = self.shared.len() - before;
        if batched.accepted > 0 {
            batched.wake = self.offer();
        }
        batched
    }
}

/// Promises `more` jobs than it has.
struct Promising<I>(I, usize);

impl<I: Iterator> Iterator for Promising<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.size_hint().0 + self.1, None)
    }
}

fn same(
    real: &dyn Scheduler<usize>,
    mut model: impl Model,
    calls: &[Call],
) -> Result<(), TestCaseError> {
    let mut next = 0..;
    let mut live = vec![0; real.workers()];
    for call in calls {
        match *call {
            Call::Push => {
                let job = next.next().unwrap();
                prop_assert_eq!(pushed(real.push(job)), model.push(job));
            }
            Call::Batch(count) | Call::Promising(count, _) => {
                let more = if let Call::Promising(_, more) = call { *more } else { 0 };
                let jobs: Vec<_> = next.by_ref().take(count).collect();
                let (mut ours, mut theirs) = (jobs.clone().into_iter(), jobs.into_iter());
                let batch = real.push_batch(&mut Promising(&mut ours, more));
                prop_assert_eq!(Batched::from(batch), model.push_batch(&mut theirs));
                // What was not looked at is left where it was.
                prop_assert_eq!(ours.as_slice(), theirs.as_slice());
            }
            Call::Pop(worker) => {
                let job = real.pop(worker);
                prop_assert_eq!(job, model.pop(worker));
                live[worker] += usize::from(job.is_some());
            }
            Call::Finish(worker) if live[worker] > 0 => {
                live[worker] -= 1;
                real.finish(worker);
                model.finish(worker);
            }
            Call::Finish(_) => {}
            Call::PushTo(worker) => {
                let job = next.next().unwrap();
                prop_assert_eq!(pushed(real.push_to(worker, job)), model.push_to(worker, job));
            }
            Call::Close => prop_assert_eq!(real.close(), model.close()),
        }
        prop_assert_eq!(real.len(), model.len());
        prop_assert_eq!(real.is_empty(), model.len() == 0);
        for worker in 0..real.workers() {
            prop_assert_eq!(real.load(worker), Some(model.load(worker)));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases * 5 / 2,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn round_robin_is_its_model((workers, calls) in calls()) {
        let model = Placed::new(workers, |_, placed, loads| Ok(placed % loads.len()));
        same(&RoundRobin::new(workers), model, &calls)?;
    }

    #[test]
    fn least_loaded_is_its_model((workers, calls) in calls()) {
        let model = Placed::new(workers, |_, placed, loads| {
            let from_start = (0..loads.len()).map(|i| (placed + i) % loads.len());
            Ok(from_start.min_by_key(|&worker| loads[worker]).unwrap())
        });
        same(&LeastLoaded::new(workers), model, &calls)?;
    }

    #[test]
    fn a_policy_that_fails_and_errs_is_its_model((workers, calls) in calls()) {
        // Every ninth job fails, every seventh goes to nobody, the rest by job and load.
        fn rule(job: usize, loads: &[usize]) -> Result<usize, Why> {
            match job {
                _ if job % 9 == 8 => Err(Why::Policy),
                _ if job % 7 == 6 => Ok(loads.len()),
                _ => Ok((job + loads.iter().sum::<usize>()) % loads.len()),
            }
        }
        let real = PerWorker::new(workers, place_fn(|job: &usize, loads| {
            rule(*job, &loads.iter().collect::<Vec<_>>()).map_err(|_| "no".into())
        }));
        same(&real, Placed::new(workers, |job, _, loads| rule(job, loads)), &calls)?;
    }

    #[test]
    fn queue_is_its_model((workers, calls) in calls()) {
        same(&Queue::new(workers), Shared::new(workers), &calls)?;
    }
}
