//! A task pool: at most n jobs at a time, on an executor of your choice, and ordered, bounded
//! parallel maps over iterators and streams.
//!
//! A job is sent to a [`TaskPool`] as a factory; a worker of the pool makes its future and runs it
//! to its end. The workers run on the loops of a [`LoopPool`](thrasks_loop::LoopPool), where futures
//! need not be `Send`, or on whatever executor [spawns](Spawn) them. The outcome, a panic included,
//! goes to the [`TaskHandle`].
//!
//! ```
//! use futures_lite::{StreamExt, future::block_on};
//! use thrasks_loop::LoopPool;
//! use thrasks_pool::TaskPool;
//!
//! let pool = TaskPool::new(LoopPool::builder().threads(2).build()?);
//! let lines = "first\nsecond\nthird".lines();
//! // In order, and never more than 100 at a time, however many lines there are.
//! let lengths: Vec<usize> = block_on(pool.map(lines, 100, async |s| s.len()).try_collect())?;
//! assert_eq!(lengths, [5, 6, 5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | you want | use |
//! | --- | --- |
//! | a job done, when there is room for it | [`TaskPool::submit`] |
//! | to be told that there is no room | [`TaskPool::try_submit`] and [`PoolBuilder::capacity`] |
//! | a parallel map that keeps the order | [`TaskPool::map`], [`map_stream`](TaskPool::map_stream) |
//! | one that does not | [`TaskPool::map_unordered`], [`map_stream_unordered`](TaskPool::map_stream_unordered) |
//! | an executor of your own under it | [`Spawn`], [`Local`], [`Sendable`] |
//! | an orderly end | [`TaskPool::shutdown`] |
//! | a pool for another kind of job | [`Roster`] and [`Window`] |
#![forbid(unsafe_code)]

mod builder;
mod cell;
mod channel;
mod error;
mod handle;
mod job;
mod kind;
mod map;
mod pool;
mod quiet;
mod roster;
mod shared;
mod shutdown;
mod spawn;
mod sync;
mod window;
mod worker;

pub use builder::PoolBuilder;
pub use error::TrySubmitError;
pub use handle::TaskHandle;
pub use kind::{Job, Kind, Local, Sendable};
pub use map::{Iterated, Mapped};
pub use pool::TaskPool;
pub use roster::{
    Act, Closing, Next, Refusal, Refused, Roster, Stats, Stranded, Submitted, Ticket, WorkerId,
};
pub use shutdown::Shutdown;
pub use spawn::{NotSpawned, Spawn};
pub use thrasks_loop::JoinError;
pub use window::{Place, Take, Window};
pub use worker::{Worker, Working};

/// Runs the README's code as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
