//! Ordered results of many tasks on many event loops.
#![forbid(unsafe_code)]

mod slots;
mod sync;

pub use slots::Slots;
