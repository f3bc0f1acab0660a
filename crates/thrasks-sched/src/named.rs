use std::mem;

use crate::Wake;

/// Collects the workers to wake for a burst, each once.
///
/// [`Wake::and`] searches what it has for every job; this remembers. It allocates nothing until a
/// second worker is named.
#[derive(Default)]
pub(crate) struct Named {
    wake: Wake,
    seen: Vec<bool>,
}

impl Named {
    /// Adds `worker`, one of `workers`.
    pub(crate) fn add(&mut self, worker: usize, workers: usize) {
        match &mut self.wake {
            Wake::Nobody => self.wake = Wake::One(worker),
            Wake::One(first) if *first == worker => {}
            Wake::One(first) => {
                self.seen = vec![false; workers];
                self.seen[*first] = true;
                self.seen[worker] = true;
                self.wake = Wake::Many(vec![*first, worker]);
            }
            Wake::Many(named) => {
                if !mem::replace(&mut self.seen[worker], true) {
                    named.push(worker);
                }
            }
        }
    }

    pub(crate) fn wake(self) -> Wake {
        self.wake
    }
}
