//! One thread, one event loop: loop threads and pools of them, with pluggable schedulers and drivers.
//!
//! A task is born on the caller's thread as a *factory*; a [scheduler](thrasks_sched) picks a loop;
//! there the factory makes a future, which need not be `Send` and runs on that loop to its end. The
//! outcome, a panic included, goes to the [`JoinHandle`]. A loop asks for more only when it is free.
//!
//! ```
//! use thrasks_loop::LoopPool;
//!
//! let pool = LoopPool::builder().threads(2).build()?;
//! let handle = pool.try_spawn(|| async { 6 * 7 })?;
//! assert_eq!(futures_lite::future::block_on(handle)?, 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | you want | use |
//! | --- | --- |
//! | work spread over all cores | [`LoopPool::try_spawn`], or [`spawn`](LoopPool::spawn) to wait for room |
//! | it on a certain loop | [`LoopPool::spawn_on`] |
//! | one thread for what must stay on one | [`LoopThread`] |
//! | another policy, like priorities | a [`Scheduler<Task>`](thrasks_sched::Scheduler) and [`Task::with_tag`] |
//! | another kind of loop (a GUI's, asyncio) | a [`Driver`], [`Builder::build_with`] |
//! | threads made another way | [`Builder::spawn_hook`] |
//! | tasks kept in a structure of your own | a [`Keeper`] |
//! | I/O and timers in the loops | async-io, with the feature `io` |
//! | a timeline of what ran where, for Perfetto | `trace::Trace`, with the feature `trace` |
//! | an orderly end | [`LoopPool::shutdown`] |
#![forbid(unsafe_code)]

mod builder;
mod cache;
mod cell;
mod counters;
mod crew;
mod driver;
mod handle;
mod inbox;
mod join_error;
mod keeper;
mod life;
mod local;
mod loop_handle;
mod loop_id;
#[cfg(thrasks_loom)]
#[doc(hidden)]
pub mod modelled;
#[cfg(thrasks_loom)]
#[doc(hidden)]
pub mod models;
mod permits;
mod pool;
mod pool_spawn;
mod quiet;
mod quiet_waker;
mod relay;
mod report;
mod run;
mod shared;
mod signal;
mod spawn;
mod spawner;
mod sync;
mod task;
mod thread;
#[cfg(feature = "trace")]
pub mod trace;
mod traced;
mod wait;
mod work;

pub use builder::Builder;
pub use cache::LoopCache;
pub use counters::LoopStats;
pub use driver::Driver;
pub use handle::JoinHandle;
pub use inbox::Inbox;
pub use join_error::JoinError;
pub use keeper::Keeper;
pub use local::LocalDriver;
pub use loop_handle::LoopHandle;
pub use loop_id::LoopId;
pub use pool::LoopPool;
pub use quiet_waker::QuietWaker;
pub use report::{PoolStats, Report};
pub use signal::Signal;
pub use spawn::SpawnError;
pub use spawner::{Join, ThreadSpec, spawn_std_thread};
pub use task::Task;
pub use thread::LoopThread;
pub use work::{Next, Work};

/// Runs the README's code as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
