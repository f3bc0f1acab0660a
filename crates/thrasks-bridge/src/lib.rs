//! Blocking code beside async code, over threads of any kind, for any runtime.
//!
//! A job is blocking code that runs on a thread of a [`BlockingPool`], on one of its own
//! ([`OwnThread`]), or wherever an [`Execute`] of yours puts it. What comes of it is awaited: the
//! futures and streams here work with any executor.
//!
//! ```
//! use futures_lite::future::block_on;
//! use thrasks_bridge::BlockingPool;
//!
//! let pool = BlockingPool::builder().max_threads(4).build()?;
//! let size = pool.call(|| std::fs::metadata("Cargo.toml").map(|file| file.len()));
//! assert!(block_on(size)?? > 0);
//!
//! let mut entries = pool.stream(64, || std::fs::read_dir("src").into_iter().flatten());
//! let first = block_on(entries.next()).expect("there are some")??;
//! assert!(first.path().starts_with("src"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | you have | and want | use |
//! | --- | --- | --- |
//! | a closure that blocks | its result | [`call()`] |
//! | an iterator that blocks | its items | [`stream()`], or [`stream_with`] for a loop of your own |
//! | threads | to send to async code | [`channel()`] |
//! | code that yields and is answered | a step at a time | [`generator()`] |
//! | something that calls back | what it is called with | [`stream_from_callback`], [`once_from_callback`] |
//! | a thread, and a loop of `thrasks-loop` | the result of a future there | [`block_on_loop`] |
//! | a job that blocks in a way of its own | its place in the pool for others | [`while_waiting`] |
#![forbid(unsafe_code)]

mod block_on;
mod call;
mod callback;
mod channel;
mod ending;
mod execute;
mod generator;
mod listen;
mod own_thread;
mod pool;
mod quiet;
mod starter;
mod stream;
mod sync;
mod unstarted;
mod waiting;
mod waits;

pub use block_on::{BlockOnError, block_on_loop};
pub use call::{Call, call};
pub use callback::{Once, Resolver, once_from_callback, stream_from_callback};
pub use channel::{Empty, Feed, Readiness, Receiver, SendError, Sender, TrySendError, channel};
pub use execute::{Execute, Job, Refused};
pub use generator::{Generator, Interrupt, StartError, Step, StepError, Yielder, generator};
pub use own_thread::OwnThread;
pub use pool::{BlockingPool, BlockingPoolBuilder, BlockingStats};
pub use stream::{ThreadStream, stream, stream_with};
pub use thrasks_loop::{Join, JoinError, ThreadSpec};
pub use waiting::while_waiting;
pub use waits::{WaitGuard, Waits, WouldDeadlock};

/// Runs the README's code as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
