use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use thrasks_loop::{Join, ThreadSpec, spawn_std_thread};

use crate::quiet::discard;

/// How threads are made.
#[derive(Clone)]
pub(crate) struct Starter {
    pub(crate) name: String,
    pub(crate) stack_size: Option<usize>,
    pub(crate) hook: Arc<dyn Fn(ThreadSpec) -> io::Result<Join> + Send + Sync>,
}

impl Starter {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), stack_size: None, hook: Arc::new(spawn_std_thread) }
    }

    /// Makes a thread. A hook that panics has failed to: who pushes a job, or waits in one, is not
    /// to pay for it.
    pub(crate) fn start(&self, name: String, main: Box<dyn FnOnce() + Send>) -> io::Result<Join> {
        let spec = ThreadSpec { name, stack_size: self.stack_size, main };
        catch_unwind(AssertUnwindSafe(|| (self.hook)(spec))).unwrap_or_else(|payload| {
            discard(payload);
            Err(io::Error::other("the spawn hook panicked"))
        })
    }
}

impl fmt::Debug for Starter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Starter")
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}
