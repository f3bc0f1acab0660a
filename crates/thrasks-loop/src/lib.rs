//! One thread, one event loop: loop threads and pools of them, with pluggable schedulers and
//! drivers.
#![forbid(unsafe_code)]

mod builder;
mod cache;
mod counters;
mod driver;
mod inbox;
mod local;
mod permits;
mod pool;
mod report;
mod shared;
mod signal;
mod spawn;
mod spawner;
mod sync;
mod task;
mod thread;
mod work;

pub use builder::Builder;
pub use cache::LoopCache;
pub use counters::LoopStats;
pub use driver::Driver;
pub use inbox::Inbox;
pub use local::LocalDriver;
pub use pool::LoopPool;
pub use report::{PoolStats, Report};
pub use signal::Signal;
pub use spawn::SpawnError;
pub use spawner::{Join, ThreadSpec, spawn_std_thread};
pub use task::{JoinError, JoinHandle, Task};
pub use thread::{LoopHandle, LoopThread};
pub use work::{Next, Work};
