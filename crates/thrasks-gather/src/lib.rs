//! Ordered results of many tasks on many event loops.
//!
//! A gather takes factories of futures, runs the futures on the loops of a
//! [`LoopPool`](thrasks_loop::LoopPool), and gives what they yield, in the order of the factories.
//! The futures need not be `Send`. When a gather completes, all its tasks have ended.
//!
//! ```
//! use thrasks_gather::gather;
//! use thrasks_loop::LoopPool;
//!
//! let pool = LoopPool::builder().threads(2).build()?;
//! let lengths = futures_lite::future::block_on(async {
//!     gather(&pool, ["a", "bcd"].map(|text| move || async move { text.len() })).limit(10).await
//! })?;
//! assert_eq!(lengths, [1, 3]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | the futures yield | on a failure | use |
//! | --- | --- | --- |
//! | values | cancel the rest (only a panic or a closed pool fails) | [`gather`] |
//! | a `Result` | cancel the rest at the first error | [`try_gather`] |
//! | anything | go on, and give every outcome | [`gather_settled`] |
//!
//! Each takes a [`limit`](Gather::limit) on how many tasks are alive. For tasks that come while
//! others run, or spawn others, use the crate `thrasks-group`; for a gather over another kind of
//! task, [`Slots`].
#![forbid(unsafe_code)]

#[cfg(thrasks_loom)]
#[doc(hidden)]
pub mod models;
mod slots;
mod sync;
mod tasks;

pub use slots::Slots;
pub use tasks::{
    All, Gather, GatherFuture, Kind, Settled, Try, gather, gather_settled, try_gather,
};
pub use thrasks_group::{Failure, Panic};

/// Runs the README's code as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
