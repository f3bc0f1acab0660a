//! What each command does, in order.

pub(crate) mod bench;
mod copy;
pub(crate) mod crates;
pub(crate) mod demo;
pub(crate) mod dist;
pub(crate) mod docs;
mod first_programs;
mod flavours;
pub(crate) mod lint;
mod outside;
mod prepare;
mod pytest;
pub(crate) mod python;
pub(crate) mod soak;
pub(crate) mod test;

/// Which halves of the project a run is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) rust: bool,
    pub(crate) python: bool,
}
