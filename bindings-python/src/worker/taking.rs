//! How a worker takes up what there is to do.

use std::{collections::VecDeque, sync::Arc, sync::atomic::Ordering};

use pyo3::{intern, prelude::*};
use thrasks_loop::{Next, Work};

use super::{LoopSide, SHARES, SLICE, STARTING, Stopwatch, Worker, with_work};
use crate::{
    carrier::{self, Passenger},
    imports,
    orders::Order,
    share::Share,
};

/// How many more unfinished jobs than the worker with the fewest a worker may have and still take
/// the next one of a shared queue at once, when its last one has suspended. Further ahead it takes
/// one each `PACE`: never none, since a job may be waiting for one that waits in the queue.
const MAX_LEAD: usize = 4;

/// How many jobs that suspend such a worker takes at most before they go on: a turn of its loop costs
/// as much as some of them.
const MAX_AT_ONCE: usize = 32;

/// How many seconds a worker that is far ahead waits before it takes the next job.
const PACE: f64 = 0.001;

/// When a worker's loop is to take up work again.
pub(super) enum Again {
    WhenWoken,
    /// After what waits on the loop now.
    Soon,
    AfterPace,
    /// It is to stop.
    Never,
}

/// Takes up work, until there is none or the loop's own callbacks are to have a turn. Returns when to
/// do so again, and whether any of it was a task that was sent by itself, as more may be.
pub(super) fn take_up(py: Python<'_>, worker: &Arc<Worker>) -> (Again, bool) {
    let mut tired = false;
    with_work(Work::acknowledge);
    let mut watch = Stopwatch::default();
    let mut found = None;
    let mut in_a_row = 0;
    loop {
        let next = found.take().or_else(|| with_work(Work::next)).unwrap_or(Next::Stop);
        let suspended = match next {
            Next::Job(Order::Start(sent)) | Next::Posted(Order::Start(sent)) => {
                tired = true;
                start(py, worker, Passenger::Job(sent), &mut watch, &mut found)
            }
            Next::Job(Order::Item(item)) | Next::Posted(Order::Item(item)) => {
                start(py, worker, Passenger::Item(item), &mut watch, &mut found)
            }
            Next::Posted(Order::Share(share)) | Next::Job(Order::Share(share)) => {
                start(py, worker, Passenger::Share(share), &mut watch, &mut found)
            }
            Next::Posted(Order::CancelAll(gather, message))
            | Next::Job(Order::CancelAll(gather, message)) => {
                gather.cancel_suspended(py, worker, message.as_ref());
                false
            }
            Next::Posted(Order::Cancel(job, message)) | Next::Job(Order::Cancel(job, message)) => {
                job.cancel_task(py, message);
                false
            }
            Next::Posted(Order::Clean(order)) | Next::Job(Order::Clean(order)) => {
                // What else has been sent is not to wait for what went wrong here.
                if let Err(error) = order.carry_out(py, &worker.event_loop(py)) {
                    error.write_unraisable(py, None);
                }
                false
            }
            Next::Idle if with_work(Work::is_notified).unwrap_or(false) => {
                with_work(Work::acknowledge);
                false
            }
            Next::Idle => match SHARES.with_borrow_mut(VecDeque::pop_front) {
                Some(share) => start(py, worker, Passenger::Share(share), &mut watch, &mut found),
                None => return (Again::WhenWoken, tired),
            },
            Next::Stop => return (Again::Never, tired),
        };
        let is_over = watch.has_passed(SLICE);
        // A worker that shares a queue takes the next job only when it can run it at once: a task
        // that has just suspended may be ready to go on, and goes first.
        if suspended && with_work(Work::is_shared).unwrap_or(false) {
            let share = match &found {
                Some(Next::Posted(Order::Share(share))) => Some(share),
                _ => None,
            };
            let (far_ahead, backlog) = standing(worker, share);
            // A task that has not so much as begun does not count as suspended.
            let at_once =
                if imports::has_eager_tasks(py) { MAX_AT_ONCE.min(backlog / 8) } else { 0 };
            if !far_ahead && !is_over && in_a_row < at_once {
                in_a_row += 1;
                continue;
            }
            set_aside(&mut found);
            let again = if far_ahead { Again::AfterPace } else { Again::Soon };
            return (again, tired);
        }
        // What has been found already is seen to, whatever the time: but for a share, which waits.
        if is_over {
            set_aside(&mut found);
        }
        if found.is_none() && is_over {
            return (Again::Soon, tired);
        }
    }
}

/// Keeps a share that was found for when all else has been seen to.
fn set_aside(found: &mut Option<Next<Order>>) {
    match found.take() {
        Some(Next::Posted(Order::Share(share))) => {
            SHARES.with_borrow_mut(|shares| shares.push_back(share));
        }
        other => *found = other,
    }
}

/// Whether a worker that shares a queue, or this share, is too far ahead of the others to take the
/// next job at once; and how many wait for each of them.
///
/// While everybody has enough to do, one may get ahead by a part of what is left, as in guided
/// self-scheduling (Polychronopoulos and Kuck, 1987): the rest evens it out.
fn standing(worker: &Worker, share: Option<&Share>) -> (bool, usize) {
    let (lead, backlog) = match share {
        Some(share) => (share.lead(worker), share.backlog()),
        None => with_work(|work| (work.lead(), work.backlog())).unwrap_or_default(),
    };
    (lead > MAX_LEAD.max(backlog / 4), backlog)
}

/// Starts a job, by itself or with others that come next. Returns whether the last one has suspended.
fn start(
    py: Python<'_>,
    worker: &Arc<Worker>,
    job: Passenger,
    watch: &mut Stopwatch,
    found: &mut Option<Next<Order>>,
) -> bool {
    STARTING.set(Some(job.home().clone()));
    let suspended = if carrier::may_be(py) {
        carrier::carry(py, worker, job, watch, found)
    } else {
        job.start_by_itself(py, worker, found)
    };
    drop(STARTING.take());
    suspended
}

/// A callback of the loop of a worker that is far ahead: takes up work when it is so no more, after
/// some turns of the loop, or after a while.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Pause")]
pub(super) struct Pause {
    side: Py<LoopSide>,
    turns: u8,
}

impl Pause {
    pub(super) fn new(side: &Bound<'_, LoopSide>) -> Self {
        Self { side: side.clone().unbind(), turns: 0 }
    }

    /// What is ready to go on and ends then has ended after so many turns: a step, and a callback.
    const TURNS: u8 = 2;
}

#[pymethods]
impl Pause {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let side = self.side.bind(py);
        let worker = &side.get().worker;
        let still = SHARES.with_borrow(|shares| standing(worker, shares.front()).0);
        if !still || worker.leaving.load(Ordering::Acquire) {
            return LoopSide::__call__(side);
        }
        let event_loop = worker.event_loop(py);
        if self.turns < Self::TURNS {
            let pause = Self { side: side.clone().unbind(), turns: self.turns + 1 };
            event_loop.call_method1(intern!(py, "call_soon"), (pause,))?;
        } else {
            event_loop.call_method1(intern!(py, "call_later"), (PACE, side))?;
        }
        Ok(())
    }
}
