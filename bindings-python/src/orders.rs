//! What a worker's loop is fed with.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::{
    job::{Job, Sent},
    team::CleanOrder,
};

/// Something that a worker's loop is to do.
pub(crate) enum Order {
    /// Start a job.
    Start(Sent),
    /// Pass a cancellation, with its message, on to a job's task.
    Cancel(Arc<Job>, Option<Py<PyAny>>),
    /// Put the loop back into the state in which it was made, and say so.
    Clean(CleanOrder),
}
