use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::{Driver, Work, builder::Observers, quiet::discard, shared::Shared, traced};

/// What a loop's thread runs, from its first to its last word.
///
/// The last word is said by a drop: also when a spawn hook drops the thread's `main` without ever
/// running it, nobody waits for that thread, or for a job that it was given.
pub(crate) struct Life<J> {
    shared: Arc<Shared<J>>,
    observers: Observers,
    index: usize,
}

impl<J: Send + 'static> Life<J> {
    pub(crate) fn new(shared: Arc<Shared<J>>, observers: Observers, index: usize) -> Self {
        Self { shared, observers, index }
    }

    /// Does not panic, whatever the driver and the hooks do.
    pub(crate) fn live<D: Driver<Job = J>>(self, driver: D) {
        self.shared.enter();
        traced::enter_loop(self.shared.name());
        let work = Work::new(self.shared.clone());
        // A hook that panics ends the loop, as a driver that does.
        let result = catch_unwind(AssertUnwindSafe(|| {
            self.observers.start(self.index);
            driver.run(work);
        }));
        // Before the hooks, which may take their time: whoever waits for a job hears of its end.
        self.shared.end();
        if let Err(payload) = result {
            self.observers.panic(self.index, &*payload);
            discard(payload);
        }
    }
}

impl<J> Drop for Life<J> {
    fn drop(&mut self) {
        if self.shared.has_entered() {
            self.observers.exit(self.index);
        } else {
            self.shared.end();
        }
        self.shared.exit();
    }
}
