use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use thrasks_loop::Join;

use super::{BlockingStats, thread::Main};
use crate::{
    Job, Refused,
    quiet::{bury, quietly},
    starter::Starter,
    sync::{AtomicBool, Condvar, Event, Listener as _, Mutex, MutexGuard, Ordering, lock},
    waiting::{is_thread_of, while_waiting},
};

/// What a pool's handles and its threads share.
///
/// # Why no job is left lying
///
/// Everything is under one lock. A thread is *busy* unless it is idle or its job waits: it is in a
/// job, or on its way to look for one. The invariant: while jobs are queued, `cap` threads are
/// busy, or one is *coming*, which was woken or is being started and has not looked yet, or the
/// last attempt to start one has failed (and then some thread is there that will look). What could
/// break it is what queues a job, makes a busy thread fewer, or ends the coming of one:
///
/// - `execute` and `begin_wait` restore it: [`State::provide`], unless one is coming, wakes an idle
///   thread or starts one;
/// - one that has come and takes a job restores it in the same way, before it runs the job: so a
///   burst of jobs wakes or starts a thread after the other, each by the one before, and costs who
///   pushes them one wake-up. If it finds no job, none is needed; if it is one too many, `cap`
///   others are busy;
/// - a thread becomes idle, or retires, with the queue found empty under the same lock;
/// - a surplus thread leaves only while more than `cap` are busy;
/// - an attempt to start that fails and leaves no thread behind takes the queue with it.
///
/// A thread that is being started may be long in coming. It keeps no idle one from being woken: an
/// attempt that fails leaves no job queued beside a thread that sleeps. A thread that is in the
/// idle hook may be long, too: it is woken last, and does not count as coming.
///
/// An idle thread sleeps on a bell of its own, with its seat on the stack. Whoever takes the seat
/// off the stack tells it so under the lock that it sleeps with, so it is woken by one who has a
/// job for it, once, and a push while all threads are busy wakes nobody.
pub(crate) struct Inner {
    pub(super) cap: usize,
    pub(super) keep_alive: Duration,
    pub(super) idle_hook: Option<IdleHook>,
    starter: Starter,
    pub(super) state: Mutex<State>,
    /// Told when a closed pool has lost its last thread.
    over: Event,
}

/// What an idle thread calls every so often.
pub(super) struct IdleHook {
    pub(super) every: Duration,
    pub(super) call: Box<dyn Fn() + Send + Sync>,
}

/// Jobs, in order, with the numbers by which those who pushed them know them.
type Queue = VecDeque<(u64, Job)>;

pub(super) struct State {
    pub(super) queue: Queue,
    /// The threads without a job, the one that had one last on top: it is the next to get one, and
    /// those at the bottom retire.
    pub(super) idle: Vec<Arc<Seat>>,
    /// All that live, or are being started.
    pub(super) threads: usize,
    /// Calls of the spawn hook that have not returned.
    pub(super) starting: usize,
    /// The jobs that wait; each keeps its thread.
    pub(super) waiting: usize,
    pub(super) running: usize,
    /// The one that was woken and has not looked yet.
    woken: Option<u64>,
    /// The one that is being started and has not looked yet.
    started: Option<u64>,
    pub(super) closed: bool,
    pub(super) completed: u64,
    pub(super) panicked: u64,
    next_job: u64,
    next_thread: u64,
    /// How to join each thread; `None` while its spawn hook has not returned.
    joins: HashMap<u64, Option<Join>>,
    /// The threads that have said their last word, and that nobody has joined.
    ended: Vec<Join>,
}

/// Where an idle thread sleeps.
pub(super) struct Seat {
    pub(super) number: u64,
    pub(super) bell: Condvar,
    /// Off the stack. Only used with the state locked.
    pub(super) told: AtomicBool,
    /// Its thread is in the idle hook. Only used with the state locked.
    pub(super) away: AtomicBool,
}

/// What a job in the queue needs, to be done without the lock.
pub(super) enum Need {
    Nothing,
    Wake(Arc<Seat>),
    Start(u64),
}

impl State {
    /// The threads that are in a job that does not wait, or about to look for one.
    pub(super) fn busy(&self) -> usize {
        self.threads - self.waiting - self.idle.len()
    }

    /// Sees to it that one more thread comes, if a job is queued, one more may run, and none is
    /// coming.
    pub(super) fn provide(&mut self, cap: usize) -> Need {
        if self.queue.is_empty() || self.busy() >= cap || self.woken.is_some() {
            return Need::Nothing;
        }
        if let Some(seat) = self.wake() {
            return Need::Wake(seat);
        }
        if self.started.is_some() {
            return Need::Nothing;
        }
        let number = self.next_thread;
        self.started = Some(number);
        self.next_thread += 1;
        self.threads += 1;
        self.starting += 1;
        self.joins.insert(number, None);
        Need::Start(number)
    }

    /// Takes an idle thread off the stack.
    fn wake(&mut self) -> Option<Arc<Seat>> {
        let here = self.idle.iter().rposition(|seat| !seat.away.load(Ordering::Relaxed));
        let seat = match here {
            Some(index) => self.idle.remove(index),
            None => self.idle.pop()?,
        };
        seat.told.store(true, Ordering::Relaxed);
        if here.is_some() {
            self.woken = Some(seat.number);
        }
        Some(seat)
    }

    /// That thread looks for a job now, or will never. Returns whether it was coming.
    pub(super) fn arrive(&mut self, number: u64) -> bool {
        let coming = [&mut self.woken, &mut self.started];
        coming.into_iter().any(|one| one.take_if(|coming| *coming == number).is_some())
    }

    /// The jobs that nobody is there to run.
    fn orphans(&mut self) -> Queue {
        if self.threads == 0 { std::mem::take(&mut self.queue) } else { Queue::new() }
    }

    fn is_over(&self) -> bool {
        self.closed && self.threads == 0 && self.starting == 0
    }
}

impl Inner {
    pub(super) fn new(
        cap: usize,
        keep_alive: Duration,
        starter: Starter,
        idle_hook: Option<IdleHook>,
    ) -> Self {
        let state = Mutex::new(State {
            queue: VecDeque::new(),
            idle: Vec::new(),
            threads: 0,
            starting: 0,
            waiting: 0,
            running: 0,
            woken: None,
            started: None,
            closed: false,
            completed: 0,
            panicked: 0,
            next_job: 0,
            next_thread: 0,
            joins: HashMap::new(),
            ended: Vec::new(),
        });
        Self { cap, keep_alive, idle_hook, starter, state, over: Event::new() }
    }

    pub(super) fn execute(self: &Arc<Self>, job: Job) -> Result<(), Refused> {
        let (number, need) = {
            let mut state = lock(&self.state);
            if state.closed {
                drop(state);
                return Err(Refused::new(job, Closed));
            }
            let number = state.next_job;
            state.next_job += 1;
            state.queue.push_back((number, job));
            (number, state.provide(self.cap))
        };
        let Err((error, mut orphans)) = self.meet(need) else { return Ok(()) };
        // Nobody is there to run any job. Mine is given back; others', who were told that theirs
        // was taken when a thread was still about to start, hear that it was cancelled.
        let mine = orphans.iter().position(|(other, _)| *other == number);
        let mine = mine.and_then(|index| orphans.remove(index));
        bury(orphans);
        mine.map_or(Ok(()), |(_, job)| Err(Refused::new(job, error)))
    }

    /// Wakes or starts whom a job needs. Fails when, for want of a thread, none is left at all,
    /// with the jobs that are then left.
    pub(super) fn meet(
        self: &Arc<Self>,
        need: Need,
    ) -> Result<(), (Box<dyn Error + Send + Sync>, Queue)> {
        let number = match need {
            Need::Nothing => return Ok(()),
            Need::Wake(seat) => {
                seat.bell.notify_one();
                return Ok(());
            }
            Need::Start(number) => number,
        };
        let main = Main::new(self.clone(), number);
        let result = self.starter.start(self.name(number), Box::new(move || main.run()));
        let mut state = lock(&self.state);
        state.starting -= 1;
        let error = match result {
            Ok(join) => {
                match state.joins.get_mut(&number) {
                    Some(slot) => *slot = Some(join),
                    // It has ended already.
                    None => state.ended.push(join),
                }
                "the spawn hook did not run the thread".into()
            }
            Err(error) => error.into(),
        };
        let orphans = state.orphans();
        self.tell_if_over(state);
        if orphans.is_empty() { Ok(()) } else { Err((error, orphans)) }
    }

    fn name(&self, number: u64) -> String {
        format!("{}-{number}", self.starter.name)
    }

    pub(super) fn running_threads(&self) -> Vec<String> {
        let mut numbers: Vec<u64> = {
            let state = lock(&self.state);
            let idle = |number: &u64| state.idle.iter().any(|seat| seat.number == *number);
            state.joins.keys().copied().filter(|number| !idle(number)).collect()
        };
        numbers.sort_unstable();
        numbers.into_iter().map(|number| self.name(number)).collect()
    }

    /// A thread has ended, or will never be.
    pub(super) fn lose(self: &Arc<Self>, mut state: MutexGuard<'_, State>, number: u64) {
        state.threads -= 1;
        state.arrive(number);
        // Each thread joins those that ended before it, as tokio's do: so whoever joins the last
        // one has joined all, and no list of the dead grows.
        let before = std::mem::take(&mut state.ended);
        if let Some(Some(join)) = state.joins.remove(&number) {
            state.ended.push(join);
        }
        // With a call of the spawn hook under way, its caller looks for orphans.
        let orphans = if state.starting == 0 { state.orphans() } else { VecDeque::new() };
        self.tell_if_over(state);
        bury(orphans);
        for join in before {
            quietly(join);
        }
    }

    fn tell_if_over(&self, state: MutexGuard<'_, State>) {
        let over = state.is_over();
        drop(state);
        if over {
            self.over.notify(usize::MAX);
        }
    }

    /// The job of this thread waits from now on.
    pub(crate) fn begin_wait(self: &Arc<Self>) {
        let need = {
            let mut state = lock(&self.state);
            state.waiting += 1;
            state.provide(self.cap)
        };
        // This thread is there, so no job is an orphan.
        let _ = self.meet(need);
    }

    /// The job of this thread goes on, though as many as may have begun to run meanwhile.
    pub(crate) fn end_wait(&self) {
        lock(&self.state).waiting -= 1;
    }

    /// No job comes after this one. Those that are queued are run, or else dropped.
    pub(super) fn close(&self, drop_queued: bool) {
        let mut state = lock(&self.state);
        state.closed = true;
        let idle = std::mem::take(&mut state.idle);
        for seat in &idle {
            seat.told.store(true, Ordering::Relaxed);
        }
        let jobs = if drop_queued { std::mem::take(&mut state.queue) } else { VecDeque::new() };
        self.tell_if_over(state);
        idle.iter().for_each(|seat| seat.bell.notify_one());
        bury(jobs);
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    pub(super) fn is_over(&self) -> bool {
        lock(&self.state).is_over()
    }

    pub(super) fn wait_closed(self: &Arc<Self>, deadline: Option<Instant>) -> bool {
        if is_thread_of(self) {
            return false;
        }
        if !while_waiting(|| wait_for(&self.over, deadline, || self.is_over())) {
            return false;
        }
        let ended = std::mem::take(&mut lock(&self.state).ended);
        for join in ended {
            quietly(join);
        }
        true
    }

    pub(super) async fn closed(&self) {
        crate::listen::until(&self.over, || self.is_over()).await;
    }

    pub(super) fn stats(&self) -> BlockingStats {
        let state = lock(&self.state);
        BlockingStats {
            threads: state.threads,
            idle: state.idle.len(),
            queued: state.queue.len(),
            running: state.running - state.waiting,
            waiting: state.waiting,
            completed: state.completed,
            panicked: state.panicked,
            cap: self.cap,
        }
    }
}

/// Blocks until `done`, which is told by the event, or the deadline has passed.
fn wait_for(event: &Event, deadline: Option<Instant>, done: impl Fn() -> bool) -> bool {
    loop {
        // Listens before it looks, so it does not miss what comes in between.
        let listener = event.listen();
        if done() {
            return true;
        }
        match deadline {
            None => listener.wait(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() || listener.wait_timeout(left).is_none() {
                    return done();
                }
            }
        }
    }
}

#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pool of threads is closed")
    }
}

impl Error for Closed {}
