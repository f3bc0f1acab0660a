//! Structured concurrency over many event loops: task groups that never leak a task.
//!
//! A [`TaskGroup`] spawns children on the loops of a [`LoopPool`](thrasks_loop::LoopPool). Its scope
//! is over when the body and every child have ended; the first failure cancels the rest, and all
//! failures are told. Groups nest, in bodies and in children.
//!
//! ```
//! use thrasks_group::TaskGroup;
//! use thrasks_loop::LoopPool;
//!
//! let pool = LoopPool::builder().threads(2).build()?;
//! let answer = futures_lite::future::block_on(TaskGroup::scope(&pool, async |group| {
//!     let a = group.spawn(|| async { Ok::<_, Box<dyn std::error::Error + Send + Sync>>(20) })?;
//!     let b = group.spawn(|| async { Ok(22) })?;
//!     Ok(a.await? + b.await?)
//! }))?;
//! assert_eq!(answer, 42);
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! | you want | use |
//! | --- | --- |
//! | tasks that end before you go on | [`TaskGroup::scope`] |
//! | to go on after failures, and see all of them | [`Builder::collect_errors`] |
//! | at most n children alive | [`Builder::max_concurrency`] |
//! | to stop a group from outside | [`TaskGroup::run`] and [`TaskGroup::cancel`] |
//! | only the results of many, in order | the crate `thrasks-gather` |
//! | a group for another kind of task | [`GroupState`] |
//! | a combinator that groups wait for | [`Hold`], [`Enclosed`], [`Supervised`] |
#![forbid(unsafe_code)]

#[cfg(thrasks_loom)]
#[doc(hidden)]
pub mod models;
mod state;
mod sync;
mod tasks;

pub use state::{AlreadyEntered, GroupState, Left, Refusal, Refused, Ticket};
pub use tasks::{
    Builder, ChildError, Enclosed, Enclosure, Failure, GroupError, GroupHandle, Hold, Outcome,
    Panic, SpawnError, Supervised, Supervisor, TaskGroup, Unstarted, within,
};

/// Runs the README's code as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
