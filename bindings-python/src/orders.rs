//! What a worker's loop is fed with.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::{
    gather::{Gather, Item},
    job::{Job, Sent},
    share::Share,
    team::CleanOrder,
};

/// Something that a worker's loop is to do.
pub(crate) enum Order {
    /// Start a job.
    Start(Sent),
    /// Start a job of a gather.
    Item(Item),
    /// Start the jobs of a gather that are this worker's to take.
    Share(Share),
    /// Pass a cancellation on to all jobs of a gather that have suspended here.
    CancelAll(Arc<Gather>, Option<Py<PyAny>>),
    /// Pass a cancellation, with its message, on to a job's task.
    Cancel(Arc<Job>, Option<Py<PyAny>>),
    /// Put the loop back into the state in which it was made, and say so.
    Clean(CleanOrder),
}
