//! Code on a thread that yields, and is answered.

mod consumer;
mod error;
mod exchange;
mod yielder;

pub use consumer::{Generator, generator};
pub use error::{Interrupt, StartError, Step, StepError};
pub use yielder::Yielder;
