//! Models of what cannot be got at from outside, for `tests/loom.rs` to run.

mod bell;
mod cell;
mod crew;
mod permits;
mod relay;

pub use self::{bell::Bell, cell::*, crew::*, permits::*, relay::*};
