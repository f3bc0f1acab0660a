//! What a job is tied to while it is under way: few are tied to anything.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use thrasks_group::Ticket;

use crate::{pins::Pin, pooled::Pooled, sync::lock, team::Team};

/// The ties of a job. To ask one that has none costs no lock.
#[derive(Default)]
pub(crate) struct Ties {
    /// Whether it has ever had any. Set before `knots` is locked to tie the first: whoever does not
    /// see it comes before that.
    tied: AtomicBool,
    knots: Mutex<Knots>,
}

#[derive(Default)]
struct Knots {
    /// The worker it has to run on, if that matters, until it has ended.
    pin: Option<Pin>,
    /// Where it is listed while it is under way, if its team keeps a list.
    listed: Option<(Arc<Team>, Ticket)>,
    /// Whose job it is until its outcome is delivered, if it is an executor's.
    executor: Option<(Arc<Pooled>, Ticket)>,
}

impl Ties {
    pub(crate) fn pinned(pin: Option<Pin>) -> Self {
        Self {
            tied: AtomicBool::new(pin.is_some()),
            knots: Mutex::new(Knots { pin, ..Knots::default() }),
        }
    }

    /// The worker it has to run on, if that matters.
    pub(crate) fn pin(&self) -> Option<usize> {
        self.look(|knots| knots.pin.as_ref().map(Pin::worker))
    }

    pub(crate) fn take_pin(&self) -> Option<Pin> {
        self.look(|knots| knots.pin.take())
    }

    pub(crate) fn list(&self, team: Arc<Team>, ticket: Ticket) {
        self.tie(|knots| knots.listed = Some((team, ticket)));
    }

    pub(crate) fn take_listed(&self) -> Option<(Arc<Team>, Ticket)> {
        self.look(|knots| knots.listed.take())
    }

    pub(crate) fn give_to(&self, executor: Arc<Pooled>, ticket: Ticket) {
        self.tie(|knots| knots.executor = Some((executor, ticket)));
    }

    pub(crate) fn take_executor(&self) -> Option<(Arc<Pooled>, Ticket)> {
        self.look(|knots| knots.executor.take())
    }

    fn tie(&self, tie: impl FnOnce(&mut Knots)) {
        self.tied.store(true, Ordering::Release);
        tie(&mut lock(&self.knots));
    }

    fn look<R>(&self, look: impl FnOnce(&mut Knots) -> Option<R>) -> Option<R> {
        if self.tied.load(Ordering::Acquire) { look(&mut lock(&self.knots)) } else { None }
    }
}
