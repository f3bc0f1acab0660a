//! Groups of tasks on the loops of thrasks-loop, and the parts that they are made of.

mod builder;
pub(crate) mod child;
pub(crate) mod core;
mod enclosed;
mod error;
mod failure;
mod group;
mod handle;
mod hold;
mod launch;
mod panic;
pub(crate) mod scope;
mod spawn_error;
mod stage;
mod supervised;
mod unstarted;

pub use builder::Builder;
pub use enclosed::Enclosed;
pub use error::GroupError;
pub use failure::Failure;
pub use group::TaskGroup;
pub use handle::{ChildError, GroupHandle};
pub use hold::{Enclosure, Hold, within};
pub use panic::Panic;
pub use spawn_error::SpawnError;
pub use supervised::{Outcome, Supervised, Supervisor};
pub use unstarted::Unstarted;
