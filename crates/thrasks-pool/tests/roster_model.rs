//! The roster against a model of it: a list of jobs and a map of what each worker is at.

use std::collections::BTreeMap;

use proptest::prelude::*;
use thrasks_pool::{Act, Next, Refusal, Roster, Ticket, WorkerId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Coming,
    Job,
    Idle,
}

/// What happens. The numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Submit,
    TrySubmit(usize),
    Next(usize),
    NextOrRetire(usize),
    Finish(usize),
    Retire(usize),
    Lost(usize),
    NotStarted(usize),
    Remove(usize),
    Close(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Submit),
        2 => (0..4usize).prop_map(Step::TrySubmit),
        12 => any::<usize>().prop_map(Step::Next),
        3 => any::<usize>().prop_map(Step::NextOrRetire),
        3 => any::<usize>().prop_map(Step::Finish),
        3 => any::<usize>().prop_map(Step::Retire),
        1 => any::<usize>().prop_map(Step::Lost),
        1 => any::<usize>().prop_map(Step::NotStarted),
        2 => any::<usize>().prop_map(Step::Remove),
        1 => any::<bool>().prop_map(Step::Close),
    ]
}

#[derive(Default)]
struct Model {
    max: usize,
    closed: bool,
    queue: Vec<u32>,
    workers: BTreeMap<usize, (WorkerId, At)>,
    /// In the order in which they went idle.
    idle: Vec<usize>,
    /// A worker could not be started, and jobs may wait for the next submit.
    short: bool,
    jobs: Vec<(Ticket, u32)>,
    completed: u64,
    removed: u64,
    lost: u64,
}

impl Model {
    fn at(&self, at: At) -> usize {
        self.workers.values().filter(|worker| worker.1 == at).count()
    }

    fn set(&mut self, index: usize, at: At) {
        self.idle.retain(|idle| *idle != index);
        self.workers.get_mut(&index).unwrap().1 = at;
        if at == At::Idle {
            self.idle.push(index);
        }
    }

    fn remove(&mut self, index: usize) {
        self.idle.retain(|idle| *idle != index);
        self.workers.remove(&index);
    }

    /// What the roster must ask for, and the model then does.
    fn expect(&mut self, act: Act) {
        let wanted = self.queue.len() > self.at(At::Coming);
        match act {
            Act::Nothing => assert!(
                !wanted || (self.idle.is_empty() && self.workers.len() == self.max),
                "nobody comes for a job"
            ),
            Act::Wake(id) => {
                assert!(wanted, "one too many was woken");
                assert_eq!(self.idle.last(), Some(&id.index()), "not the one that rested least");
                self.set(id.index(), At::Coming);
            }
            Act::Start(id) => {
                assert!(wanted && self.idle.is_empty(), "one too many was started");
                assert!(self.workers.len() < self.max && id.index() < self.max);
                let old = self.workers.insert(id.index(), (id, At::Coming));
                assert!(old.is_none(), "two workers with one number");
            }
        }
    }

    fn pick(&self, number: usize) -> Option<(WorkerId, At)> {
        self.workers.values().nth(number.checked_rem(self.workers.len())?).copied()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_roster_forgets_no_job_and_calls_nobody_in_vain(
        max in 1..5usize,
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let roster = Roster::new(max);
        let mut model = Model { max, ..Model::default() };
        let mut job = 0;
        for step in steps {
            match step {
                Step::Submit | Step::TrySubmit(_) => {
                    job += 1;
                    let free = model.at(At::Coming) + model.idle.len() + (max - model.workers.len());
                    let (submitted, full) = match step {
                        Step::TrySubmit(capacity) => {
                            let full = model.queue.len() >= free + capacity;
                            (roster.try_submit(job, capacity), full)
                        }
                        _ => (roster.submit(job), false),
                    };
                    match submitted {
                        Ok(submitted) => {
                            prop_assert!(!model.closed && !full);
                            model.queue.push(job);
                            model.jobs.push((submitted.ticket, job));
                            model.expect(submitted.act);
                        }
                        Err(refused) => {
                            prop_assert_eq!(refused.job, job);
                            let closed = refused.refusal == Refusal::Closed;
                            prop_assert_eq!(closed, model.closed);
                            prop_assert!(closed || full);
                        }
                    }
                }
                Step::Next(number) => {
                    let Some((id, at)) = model.pick(number) else { continue };
                    model.completed += u64::from(at == At::Job);
                    match roster.next(id) {
                        Next::Job(job) => {
                            prop_assert_eq!(job, model.queue.remove(0));
                            model.set(id.index(), At::Job);
                        }
                        Next::Idle => {
                            prop_assert!(model.queue.is_empty() && !model.closed);
                            if at != At::Idle {
                                model.set(id.index(), At::Idle);
                            }
                        }
                        Next::Retire => {
                            prop_assert!(model.queue.is_empty() && model.closed);
                            model.remove(id.index());
                        }
                    }
                }
                Step::NextOrRetire(number) => {
                    let Some((id, at)) = model.pick(number) else { continue };
                    model.completed += u64::from(at == At::Job);
                    if let Some(job) = roster.next_or_retire(id) {
                        prop_assert_eq!(job, model.queue.remove(0));
                        model.set(id.index(), At::Job);
                    } else {
                        prop_assert!(model.queue.is_empty());
                        model.remove(id.index());
                    }
                }
                Step::Finish(number) => {
                    let Some((id, at)) = model.pick(number) else { continue };
                    prop_assert_eq!(roster.finish(id), !model.queue.is_empty());
                    if at == At::Job {
                        model.completed += 1;
                        model.set(id.index(), At::Coming);
                    }
                }
                Step::Retire(number) => {
                    let Some((id, at)) = model.pick(number) else { continue };
                    let retired = roster.retire(id);
                    prop_assert_eq!(retired, at == At::Idle && model.queue.is_empty());
                    if retired {
                        model.remove(id.index());
                    }
                }
                Step::Lost(number) => {
                    let Some((id, at)) = model.pick(number) else { continue };
                    model.completed += u64::from(at == At::Job);
                    model.lost += 1;
                    model.remove(id.index());
                    let act = roster.lost(id);
                    model.expect(act);
                }
                Step::NotStarted(number) => {
                    let Some((id, At::Coming)) = model.pick(number) else { continue };
                    model.remove(id.index());
                    let stranded = roster.not_started(id);
                    prop_assert!(!matches!(stranded.act, Act::Start(_)));
                    if model.workers.is_empty() {
                        prop_assert_eq!(stranded.jobs, std::mem::take(&mut model.queue));
                    } else {
                        prop_assert!(stranded.jobs.is_empty());
                        model.short = true;
                        if !model.idle.is_empty() {
                            model.expect(stranded.act);
                        }
                    }
                }
                Step::Remove(number) => {
                    let Some(number) = number.checked_rem(model.jobs.len()) else { continue };
                    let (ticket, job) = model.jobs[number];
                    let at = model.queue.iter().position(|queued| *queued == job);
                    prop_assert_eq!(roster.remove(ticket), at.map(|_| job));
                    if let Some(at) = at {
                        model.queue.remove(at);
                        model.removed += 1;
                    }
                }
                Step::Close(cancel) => {
                    let closing = roster.close(cancel);
                    model.closed = true;
                    if cancel {
                        model.removed += model.queue.len() as u64;
                        prop_assert_eq!(closing.jobs, std::mem::take(&mut model.queue));
                    } else {
                        prop_assert!(closing.jobs.is_empty());
                    }
                    let woken: Vec<_> = closing.wake.iter().map(|id| id.index()).collect();
                    prop_assert_eq!(&woken, &model.idle);
                    for index in woken {
                        model.set(index, At::Coming);
                    }
                }
            }
            let stats = roster.stats();
            prop_assert_eq!(stats.workers, model.workers.len());
            prop_assert_eq!(stats.idle, model.at(At::Idle));
            prop_assert_eq!(stats.running, model.at(At::Job));
            prop_assert_eq!(stats.queued, model.queue.len());
            prop_assert_eq!(stats.submitted, model.jobs.len() as u64);
            prop_assert_eq!(stats.completed, model.completed);
            prop_assert_eq!(stats.removed, model.removed);
            prop_assert_eq!(stats.lost, model.lost);
            let finished = model.closed && model.workers.is_empty() && model.queue.is_empty();
            prop_assert_eq!(roster.is_finished(), finished);
            // No job is forgotten: somebody comes for it.
            prop_assert!(
                model.queue.is_empty()
                    || model.queue.len() <= model.at(At::Coming)
                    || model.short && model.idle.is_empty()
                    || model.idle.is_empty() && model.workers.len() == max
            );
        }
        // Driven to its end, every job that is left runs.
        let left = model.queue.clone();
        let mut ran = Vec::new();
        let _woken = roster.close(false);
        while let Some((id, _)) = model.pick(0) {
            match roster.next(id) {
                Next::Job(job) => ran.push(job),
                Next::Retire => model.remove(id.index()),
                Next::Idle => panic!("idle though closed"),
            }
        }
        prop_assert_eq!(ran, left);
        prop_assert!(roster.is_finished());
    }
}
