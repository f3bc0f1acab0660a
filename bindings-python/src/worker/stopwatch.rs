//! A look at the clock now and then.

use std::time::{Duration, Instant};

/// Tells when a time has passed, without a look at the clock each time it is asked: while what is
/// done between is short, it looks now and then.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stopwatch {
    start: Option<Instant>,
    last: Duration,
    /// How often it may be asked before it looks, and how often it has been.
    stride: u32,
    asked: u32,
    passed: bool,
}

impl Stopwatch {
    /// Between two looks it is asked so often at most.
    const MAX_STRIDE: u32 = 16;
    /// What is short.
    const SHORT: Duration = Duration::from_micros(10);

    /// Whether so much time has passed. Once it has, that stays so.
    pub(crate) fn has_passed(&mut self, time: Duration) -> bool {
        self.asked += 1;
        if self.passed || self.asked <= self.stride {
            return self.passed;
        }
        let spent = self.start.get_or_insert_with(Instant::now).elapsed();
        let short = (spent - self.last) / self.asked < Self::SHORT;
        self.stride = if short { (self.stride * 2 + 1).min(Self::MAX_STRIDE - 1) } else { 0 };
        self.last = spent;
        self.asked = 0;
        self.passed = spent >= time;
        self.passed
    }
}
