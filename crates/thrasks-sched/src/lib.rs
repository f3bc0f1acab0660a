//! Who runs what: schedulers that decide which worker runs which job.
#![forbid(unsafe_code)]

mod rejected;
mod scheduler;
mod wake;

pub use rejected::{Batch, Reason, Rejected};
pub use scheduler::Scheduler;
pub use wake::Wake;
