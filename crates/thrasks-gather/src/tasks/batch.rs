use std::{future::Future, mem, sync::Arc, task::Waker};

use thrasks_group::{Enclosed, Enclosure, Failure, Panic};
use thrasks_loop::{JoinError, Keeper};

use super::common::Common;
use crate::{
    Kind,
    sync::{AtomicUsize, Mutex, Ordering, lock},
};

/// Some tasks of a gather that are next to each other, from their factories to their outcomes. It is
/// one allocation for all of them; on the loop each has another one for its future.
///
/// Each task has a lock of its own, that only its loop and the gather's future ever take. Nothing of
/// the user's runs, and nothing of it is dropped, with it held.
///
/// # Why the last one sees everything
///
/// An outcome is left before the countdown is lowered, with `AcqRel`. The countdown's decrements form
/// one release sequence: whoever finds it at zero has synchronised with every one, and sees every
/// outcome.
///
/// # Why no task is missed when the rest is cancelled
///
/// The gather is stopped first; then each lock is taken, and the waker there woken. A task leaves its
/// waker with the lock held and looks then whether the gather was stopped: either its waker is found,
/// or it finds that.
pub(crate) struct Batch<F, O, K: Kind<O>> {
    common: Arc<Common>,
    /// The index of the first one in the gather.
    offset: usize,
    places: Box<[Slot<F, Outcome<O, K>>]>,
    left: AtomicUsize,
}

/// How a task of a gather ended.
pub(crate) type Outcome<O, K> =
    Result<<K as crate::tasks::Rules<O>>::Value, Failure<<K as crate::tasks::Rules<O>>::Error>>;

type Slot<F, R> = Mutex<Place<F, R>>;

/// Where a task stands, and what there is of it.
enum Place<F, R> {
    Unbegun(F),
    /// Its loop has begun with it; how to wake it, once it has had to wait.
    Begun(Option<Waker>),
    Ended(R),
    Taken,
}

/// A batch as it is seen by the gather's future, which need not know what the tasks were made of.
pub(crate) trait Gathered<R>: Send + Sync {
    /// How many tasks have not ended.
    fn left(&self) -> usize;

    /// Wakes the tasks that wait, of a gather that was stopped.
    fn cancel(&self);

    /// Moves the outcomes that are there, in order.
    fn take_into(&self, outcomes: &mut Vec<R>);
}

impl<F, O, K: Kind<O>> Batch<F, O, K> {
    pub(crate) fn new(common: Arc<Common>, offset: usize, factories: Vec<F>) -> Self {
        common.open();
        let left = AtomicUsize::new(factories.len());
        let place = |factory| Mutex::new(Place::Unbegun(factory));
        Self { common, offset, places: factories.into_iter().map(place).collect(), left }
    }

    fn begin(&self, key: usize) -> Option<F> {
        let mut place = lock(&self.places[key]);
        if self.common.is_stopped() || !matches!(*place, Place::Unbegun(_)) {
            return None;
        }
        match mem::replace(&mut *place, Place::Begun(None)) {
            Place::Unbegun(factory) => Some(factory),
            _ => None,
        }
    }

    /// How a task ended that was dropped, begun or not.
    fn dropped(&self, key: usize) -> Failure<<K as crate::tasks::Rules<O>>::Error> {
        let place = mem::replace(&mut *lock(&self.places[key]), Place::Begun(None));
        match Panic::catch(|| drop(place)) {
            Ok(()) => {
                let reason = self.common.reason(self.offset + key);
                reason.map_or(Failure::Lost, Failure::Rejected)
            }
            Err(panic) => Failure::Panicked(panic),
        }
    }
}

impl<F, Fut, K> Keeper for Batch<F, Fut::Output, K>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future + 'static,
    Fut::Output: Send + 'static,
    K: Kind<Fut::Output>,
{
    type Output = Fut::Output;
    type Future = Enclosed<F, Fut, Self>;

    fn begin(self: &Arc<Self>, key: usize) -> Option<Self::Future> {
        Batch::begin(self, key).map(|factory| Enclosed::new(factory, self.clone()))
    }

    fn waits(self: &Arc<Self>, key: usize, waker: &Waker) -> bool {
        if let Place::Begun(task) = &mut *lock(&self.places[key])
            && !task.as_ref().is_some_and(|old| old.will_wake(waker))
        {
            // Both are the executor's: dropping the old one runs no code of the user's.
            *task = Some(waker.clone());
        }
        self.common.is_stopped()
    }

    fn ended(self: Arc<Self>, key: usize, outcome: Result<Fut::Output, JoinError>) {
        let index = self.offset + key;
        let outcome = match outcome.map_err(JoinError::try_into_panic) {
            Ok(output) => K::split(output),
            Err(Ok(payload)) => Err(Failure::Panicked(Panic::new(payload))),
            Err(Err(_dropped)) => Err(self.dropped(key)),
        };
        if K::FAIL_FAST && outcome.is_err() {
            self.common.fail(index);
        }
        self.common.start_next(index);
        // What is replaced is a waker of the executor's at most, which keeps this alive.
        let waker = mem::replace(&mut *lock(&self.places[key]), Place::Ended(outcome));
        drop(waker);
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.common.close();
        }
    }
}

impl<F, O, K> Gathered<Outcome<O, K>> for Batch<F, O, K>
where
    F: Send,
    K: Kind<O>,
{
    fn left(&self) -> usize {
        self.left.load(Ordering::Acquire)
    }

    fn cancel(&self) {
        for place in &self.places {
            let waker = match &mut *lock(place) {
                Place::Begun(task) => task.take(),
                _ => None,
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    fn take_into(&self, outcomes: &mut Vec<Outcome<O, K>>) {
        outcomes.extend(self.places.iter().filter_map(|place| {
            let mut place = lock(place);
            match mem::replace(&mut *place, Place::Taken) {
                Place::Ended(outcome) => Some(outcome),
                other => {
                    *place = other;
                    None
                }
            }
        }));
    }
}

/// A hold is on the whole gather: its tasks need no place of their own for it.
impl<F, O, K> Enclosure for Batch<F, O, K>
where
    F: Send + 'static,
    O: 'static,
    K: Kind<O>,
{
    fn hold(&self) {
        self.common.open();
    }

    fn release(&self) {
        self.common.close();
    }
}
