//! Async work in parallel over several event loops, with structured concurrency.
//!
//! A [`LoopPool`] is some threads with an event loop each. Work is sent to it as *factories*: the
//! future is made on a loop, need not be `Send`, and stays. Nothing is left running that should not.
//!
//! ```
//! # #[cfg(all(feature = "group", feature = "gather"))] {
//! use futures_lite::future::block_on;
//! use thrasks::{LoopPool, TaskGroup, gather};
//!
//! let pool = LoopPool::builder().threads(2).build().unwrap();
//! let squares = gather(&pool, (0..4u32).map(|i| move || async move { i * i }));
//! assert_eq!(block_on(squares.into_future()).unwrap(), [0, 1, 4, 9]);
//! let answer = TaskGroup::<std::io::Error>::scope(&pool, async |group| {
//!     Ok(group.spawn(|| async { Ok(42) }).unwrap().await.unwrap())
//! });
//! assert_eq!(block_on(answer).unwrap(), 42);
//! # }
//! ```
//!
//! | you want | use | crate and feature |
//! | --- | --- | --- |
//! | the results of many, in order | [`gather()`], [`try_gather`], [`gather_settled`] | [`mod@gather`] |
//! | tasks that end before you go on | [`TaskGroup`] | [`group`] |
//! | blocking code on threads, awaited or streamed | [`BlockingPool`], [`bridge::call`], [`bridge::stream`] | [`bridge`] |
//! | at most n jobs at a time, a parallel map that keeps the order | [`TaskPool`] | [`mod@pool`] |
//! | one task, on any loop or a certain one | [`LoopPool`], [`LoopThread`] | [`loops`], `loop` |
//! | to choose who runs what | [`RoundRobin`], [`LeastLoaded`], [`Placement`] | [`sched`] |
//! | timers and I/O of async-io in the loops | nothing more | `io` |
//! | a timeline of what ran where, for Perfetto | `trace::Trace` | `trace` |
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The table names every part. Without some of them, it is not what anybody reads.
#![cfg_attr(
    not(all(feature = "group", feature = "gather", feature = "bridge", feature = "pool")),
    allow(rustdoc::broken_intra_doc_links)
)]

#[cfg(feature = "bridge")]
pub use thrasks_bridge::{
    self as bridge, BlockingPool, OwnThread, ThreadStream, block_on_loop, while_waiting,
};
#[cfg(feature = "gather")]
pub use thrasks_gather::{self as gather, Failure, Panic, gather, gather_settled, try_gather};
#[cfg(feature = "group")]
pub use thrasks_group::{self as group, ChildError, GroupError, GroupHandle, TaskGroup};
#[cfg(feature = "trace")]
pub use thrasks_loop::trace;
#[cfg(feature = "loop")]
pub use thrasks_loop::{self as loops, JoinError, JoinHandle, LoopPool, LoopThread, Report};
#[cfg(feature = "pool")]
pub use thrasks_pool::{self as pool, TaskHandle, TaskPool};
#[cfg(feature = "sched")]
pub use thrasks_sched::{
    self as sched, LeastLoaded, Limit, Placement, Queue, RoundRobin, Scheduler,
};

/// Runs the README's code as a test.
#[cfg(all(doctest, feature = "group", feature = "gather"))]
#[doc = include_str!("../README.md")]
struct Readme;
