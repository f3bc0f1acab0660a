use std::sync::Arc;

use thrasks_group::{Enclosure, Failure, Outcome, Supervisor};

use super::common::Common;
use crate::{Kind, Slots};

/// The outcomes of some tasks of a gather that are next to each other.
pub(crate) struct Batch<O, K: Kind<O>> {
    common: Arc<Common>,
    /// The index of the first one in the gather.
    offset: usize,
    pub(crate) slots: Slots<Result<K::Value, Failure<K::Error>>>,
}

impl<O, K: Kind<O>> Batch<O, K> {
    pub(crate) fn new(common: Arc<Common>, offset: usize, len: usize) -> Self {
        common.open();
        Self { common, offset, slots: Slots::new(len) }
    }
}

impl<O: 'static, K: Kind<O>> Supervisor<O> for Batch<O, K> {
    fn ended(self: Arc<Self>, key: usize, outcome: Outcome<O>) {
        let index = self.offset + key;
        let outcome = match outcome {
            Outcome::Done(output) => K::split(output),
            Outcome::Panicked(panic) => Err(Failure::Panicked(panic)),
            Outcome::Dropped => {
                Err(self.common.reason(index).map_or(Failure::Lost, Failure::Rejected))
            }
        };
        if K::FAIL_FAST && outcome.is_err() {
            self.common.fail(index);
        }
        self.common.start_next(index);
        if self.slots.fill(key, outcome) {
            self.common.close();
        }
    }

    fn wants(&self, _key: usize) -> bool {
        !self.common.is_stopped()
    }
}

/// A hold is on the whole gather: its tasks need no place of their own for it.
impl<O: 'static, K: Kind<O>> Enclosure for Batch<O, K> {
    fn hold(&self) {
        self.common.open();
    }

    fn release(&self) {
        self.common.close();
    }
}
