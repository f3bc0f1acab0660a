//! Who runs what: schedulers that decide which worker runs which job.
//!
//! Threads push jobs into a [`Scheduler`] and wake the workers it names; each worker pops what is
//! its to run, and sleeps when there is nothing. The crate has no threads, no async and no I/O,
//! so it fits under any executor.
//!
//! ```
//! use thrasks_sched::{Queue, Scheduler, Wake};
//!
//! let scheduler = Queue::new(2);
//! assert_eq!(scheduler.pop(1), None, "worker 1 finds nothing, and sleeps");
//! assert_eq!(scheduler.push("job")?, Wake::One(1));
//! assert_eq!(scheduler.pop(1), Some("job"));
//! scheduler.finish(1);
//! # Ok::<(), thrasks_sched::Rejected<&str>>(())
//! ```
//!
//! | you want | use |
//! | --- | --- |
//! | jobs to start in order, on whichever worker is free first | [`Queue`] |
//! | to know beforehand which worker runs what, at the least cost | [`RoundRobin`] |
//! | to spread many jobs that mostly wait | [`LeastLoaded`] |
//! | to choose the worker yourself | [`Placement`] in a [`PerWorker`] |
//! | something else, like priorities | your own [`Scheduler`] |
//! | at most n jobs alive at a time | a [`Limit`] in front of any of them |
#![forbid(unsafe_code)]

mod lanes;
mod least_loaded;
mod limit;
mod loads;
mod named;
mod padded;
mod per_worker;
mod placement;
mod queue;
mod rejected;
mod round_robin;
mod scheduler;
mod sync;
mod tickets;
mod wake;

pub use least_loaded::LeastLoaded;
pub use limit::Limit;
pub use loads::Loads;
pub use per_worker::PerWorker;
pub use placement::{PlaceFn, Placement, place_fn};
pub use queue::Queue;
pub use rejected::{Batch, Reason, Rejected};
pub use round_robin::RoundRobin;
pub use scheduler::Scheduler;
pub use wake::Wake;

/// Runs the README's code as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
