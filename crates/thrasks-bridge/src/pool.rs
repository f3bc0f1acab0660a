//! Threads for blocking code.

mod builder;
mod crew;
mod handle;
mod stats;
mod thread;

pub use builder::BlockingPoolBuilder;
pub(crate) use crew::Inner;
pub use handle::BlockingPool;
pub use stats::BlockingStats;
