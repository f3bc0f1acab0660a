//! What ran where and when: a recorder of tasks, and its file in the Chrome trace event format.
//!
//! Behind the feature `trace`. The file opens in [Perfetto](https://ui.perfetto.dev) and in Chrome's
//! `about:tracing`: a lane per thread, on which tasks run; an arrow from where each was submitted;
//! and each task's whole life, with the times in which it was queued and suspended.
//!
//! ```standalone_crate
//! use thrasks_loop::{LoopPool, trace::Trace};
//!
//! let file = std::env::temp_dir().join(format!("run-{}.json", std::process::id()));
//! let trace = Trace::start(&file)?;
//! let pool = LoopPool::builder().threads(2).build()?;
//! let handle = pool.try_spawn(|| async { 6 * 7 })?;
//! assert_eq!(futures_lite::future::block_on(handle)?, 42);
//! assert_eq!(trace.finish()?.tasks, 1);
//! # assert!(std::fs::read_to_string(&file)?.contains("traceEvents"));
//! # std::fs::remove_file(&file)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | you want | use |
//! | --- | --- |
//! | a file of all that the loops of this crate do for a while | [`Trace::start`], [`Trace::finish`] |
//! | it in memory, or somewhere else | [`TraceBuilder::start_into`] |
//! | a name for what runs, other than its type's | [`name_task`] |
//! | a [`Driver`](crate::Driver) of your own to be in it | [`TaskId`] |
//!
//! A `TaskPool` of `thrasks-pool` runs its jobs one after the other in tasks of its workers: it is these
//! that are in a trace.
//!
//! # What it costs
//!
//! While no trace is recorded, a relaxed load for each task that is spawned. While one is, some reads
//! of the clock and some events of 24 bytes per task, which wait in memory until the end: at most so
//! many as [`TraceBuilder::max_events`] says.

mod file;
mod ids;
mod lane;
mod lives;
mod names;
mod recording;
mod session;

pub use ids::{End, TaskId, TaskIds};
pub use lane::{is_thread_named, name_loop_thread, name_thread};
pub use names::{Name, name_task};
pub use recording::{after_fork, is_on};
pub use session::{Summary, Trace, TraceBuilder};
