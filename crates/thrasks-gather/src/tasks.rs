//! Gathers over the loops of thrasks-loop.

pub(crate) mod batch;
pub(crate) mod common;
mod future;
mod gather;
mod kind;

use kind::private::Rules;

pub use future::GatherFuture;
pub use gather::{Gather, gather, gather_settled, try_gather};
pub use kind::{All, Kind, Settled, Try};
