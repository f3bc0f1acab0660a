use std::ops::Range;

use crate::{
    padded::Padded,
    sync::{AtomicUsize, ConcurrentQueue, Ordering},
};

/// Deals the workers' numbers in turn, 0, 1, .. n - 1, 0, 1, .. , each turn to one caller.
pub(crate) struct Tickets {
    /// The next number. It stands for worker `next % workers`.
    next: Padded<AtomicUsize>,
    workers: usize,
    /// A multiple of `workers`, at most half the counter's range.
    lap: usize,
    /// Workers whose turn was claimed and not used.
    unused: ConcurrentQueue<usize>,
}

impl Tickets {
    pub(crate) fn new(workers: usize) -> Self {
        let half = usize::MAX / 2;
        Self {
            next: Padded(AtomicUsize::new(0)),
            workers,
            lap: (half - half % workers).max(workers),
            unused: ConcurrentQueue::unbounded(),
        }
    }

    /// The worker whose turn it is.
    #[inline]
    pub(crate) fn take(&self) -> usize {
        // `is_empty` first: it only reads, where a pop on the empty queue is a full fence.
        if !self.unused.is_empty()
            && let Ok(worker) = self.unused.pop()
        {
            return worker;
        }
        self.claim(1).start % self.workers
    }

    /// The next `count` turns, which are the caller's until it drops them; none while there are
    /// unused ones, which go first.
    pub(crate) fn take_many(&self, count: usize) -> Turns<'_> {
        let numbers = if count > 0 && self.unused.is_empty() { self.claim(count) } else { 0..0 };
        Turns { tickets: self, numbers }
    }

    /// Claims `count` numbers.
    ///
    /// The counter never wraps, which would break the turn unless `workers` divides its range:
    /// whoever claims the numbers at which it passes `lap` takes a lap off again. That leaves
    /// every number's remainder as it was, whether claimed before or after. The other half of the
    /// range is room for what is claimed in between.
    #[inline]
    fn claim(&self, count: usize) -> Range<usize> {
        // Relaxed: a number carries no data, and read-modify-writes of one atomic are in order.
        let start = self.next.fetch_add(count, Ordering::Relaxed);
        let end = start + count;
        if start < self.lap && end >= self.lap {
            self.next.fetch_sub(self.lap, Ordering::Relaxed);
        }
        start..end
    }
}

/// Turns that were claimed at once. Those not used go back when this is dropped, also by a panic.
pub(crate) struct Turns<'a> {
    tickets: &'a Tickets,
    numbers: Range<usize>,
}

impl Turns<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The next turn.
    pub(crate) fn take(&mut self) -> Option<usize> {
        self.numbers.next().map(|number| number % self.tickets.workers)
    }
}

impl Drop for Turns<'_> {
    fn drop(&mut self) {
        while let Some(worker) = self.take() {
            // Never closed, never full.
            let _ = self.tickets.unused.push(worker);
        }
    }
}

#[cfg(all(test, not(thrasks_loom)))]
mod tests {
    use super::*;

    fn just_before_the_lap(workers: usize, numbers: usize) -> Tickets {
        let tickets = Tickets::new(workers);
        tickets.next.store(tickets.lap - numbers, Ordering::Relaxed);
        tickets
    }

    #[test]
    fn the_turn_goes_on_where_the_counter_starts_again() {
        for workers in 1..=7 {
            let tickets = just_before_the_lap(workers, 2 * workers);
            let turns: Vec<_> = (0..5 * workers).map(|_| tickets.take()).collect();
            let expected: Vec<_> = (0..5 * workers).map(|i| i % workers).collect();
            assert_eq!(turns, expected);
            assert!(tickets.next.load(Ordering::Relaxed) < 4 * workers);
        }
    }

    #[test]
    fn a_range_may_cross_the_lap() {
        let tickets = just_before_the_lap(3, 4);
        let mut turns = tickets.take_many(9);
        let got: Vec<_> = std::iter::from_fn(|| turns.take()).collect();
        assert_eq!(got, [2, 0, 1, 2, 0, 1, 2, 0, 1]);
        drop(turns);
        assert_eq!(tickets.take(), 2);
    }

    #[test]
    fn unused_turns_are_dealt_again() {
        let tickets = Tickets::new(4);
        let mut turns = tickets.take_many(7);
        assert_eq!(turns.take(), Some(0));
        drop(turns);
        let got: Vec<_> = (0..8).map(|_| tickets.take()).collect();
        assert_eq!(got, [1, 2, 3, 0, 1, 2, 3, 0]);
    }

    #[test]
    fn threads_that_cross_the_lap_together_share_the_turns_exactly() {
        let tickets = just_before_the_lap(3, 3_000);
        let mut counts = [0_usize; 3];
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut counts = [0_usize; 3];
                        (0..5_000).for_each(|_| counts[tickets.take()] += 1);
                        counts
                    })
                })
                .collect();
            for thread in threads {
                for (total, count) in counts.iter_mut().zip(thread.join().unwrap()) {
                    *total += count;
                }
            }
        });
        assert_eq!(counts, [5_000; 3]);
    }
}
