//! Who is in a group, for as long as any of it is under way.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use pyo3::{
    intern,
    prelude::*,
    types::{PyWeakref, PyWeakrefMethods, PyWeakrefReference},
};
use thrasks_group::{GroupState, Ticket};

use crate::{
    home::{Delivery, Home},
    imports,
    submission::Submission,
    sync::lock,
    team::Waiter,
};

/// The tasks of a group, and what it needs while it is open.
///
/// The jobs of its tasks share this, not the group: that belongs to its `async with`, and one that
/// nobody holds any more is abandoned, though its tasks run.
#[derive(Default)]
pub(crate) struct Members {
    /// A member is the handle of a task.
    pub(crate) state: GroupState<Py<PyAny>, ()>,
    /// From entering to giving the workers back. What an ended group still held would be a cycle
    /// that no collector sees: its loop and its scheduler may refer to it.
    open: Mutex<Option<Arc<Open>>>,
    /// Set when it is entered, and weak.
    group: OnceLock<Py<PyWeakref>>,
    /// The group is gone without its `async with` having ended.
    ///
    /// Set before the state is told that the group is exiting, and read after the state has said
    /// that its last member left: so that whoever comes second gives the workers back.
    abandoned: AtomicBool,
}

/// What a group needs while it is open.
pub(crate) struct Open {
    pub(crate) home: Arc<Home>,
    pub(crate) submission: Submission,
    /// The workers are the group's own.
    pub(crate) private: bool,
    /// A weak reference to the task that entered the group.
    pub(crate) parent: Py<PyWeakrefReference>,
}

impl Members {
    /// The group is entered. Returns whether it was not before.
    pub(crate) fn enter(&self, group: &Bound<'_, PyAny>, open: Open) -> PyResult<bool> {
        let group = PyWeakrefReference::new(group)?;
        if self.state.enter().is_err() {
            return Ok(false);
        }
        let _ = self.group.set(group.into_any().cast_into::<PyWeakref>()?.unbind());
        *lock(&self.open) = Some(Arc::new(open));
        Ok(true)
    }

    pub(crate) fn open(&self) -> Option<Arc<Open>> {
        lock(&self.open).clone()
    }

    /// The task that entered the group, while the group is there.
    pub(crate) fn parent<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let open = self.open().filter(|_| !self.abandoned.load(Ordering::Acquire))?;
        open.parent.bind(py).upgrade()
    }

    /// Whether there is a group that hears of what becomes of its tasks.
    pub(crate) fn is_there(&self, py: Python<'_>) -> bool {
        self.group(py).is_some()
    }

    /// The group, while it is there.
    fn group<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        if self.abandoned.load(Ordering::Acquire) {
            return None;
        }
        self.group.get()?.bind(py).upgrade()
    }

    /// Gives the workers back, if they are the group's own. Tells the waiter when those that worked
    /// are clean; returns whether that is so already.
    pub(crate) fn release(&self, waiter: Option<Waiter>) -> bool {
        let open = lock(&self.open).take();
        open.filter(|open| open.private).is_none_or(|open| open.submission.team().release(waiter))
    }

    /// Refuses new tasks and cancels those there are, once.
    pub(crate) fn abort(&self, py: Python<'_>) -> PyResult<()> {
        let handles = self.state.abort_with(|handle| handle.clone_ref(py)).unwrap_or_default();
        // The newest first: those that have not started are not to start in the place of one that
        // has ended.
        for handle in handles.into_iter().rev() {
            handle.call_method0(py, intern!(py, "cancel"))?;
        }
        Ok(())
    }

    /// The group is gone: its tasks are to end, and the last of them gives the workers back.
    /// Returns whether it was open.
    pub(crate) fn abandon(&self, py: Python<'_>) -> PyResult<bool> {
        if self.open().is_none() || self.abandoned.swap(true, Ordering::SeqCst) {
            return Ok(false);
        }
        let aborted = self.abort(py);
        if self.state.begin_exit() {
            self.release(None);
        }
        aborted.map(|()| true)
    }

    /// Takes note that the group has refused a task because it is shutting down.
    ///
    /// A task of the group may meet with that before its own cancellation has reached its worker. On
    /// one loop it could not: there all tasks are cancelled before any runs on. The refusal is then
    /// no error of the task, but how it hears of the end.
    pub(crate) fn mark_refusal(&self, py: Python<'_>, error: &PyErr) {
        let met_first = (|| {
            if imports::get_running_loop(py)?.is_none() {
                return Ok(false);
            }
            let task = imports::current_task(py)?.call0()?;
            let cancelling = intern!(py, "cancelling");
            Ok::<_, PyErr>(!task.is_none() && !task.call_method0(cancelling)?.is_truthy()?)
        })();
        if met_first.unwrap_or(false) {
            let _ = error.value(py).setattr(intern!(py, "_refused_by"), self.address());
        }
    }

    fn is_own_refusal(&self, py: Python<'_>, error: &Py<PyAny>) -> bool {
        self.state.is_aborting()
            && error
                .getattr(py, intern!(py, "_refused_by"))
                .is_ok_and(|by| by.extract::<usize>(py).is_ok_and(|by| by == self.address()))
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// A member has ended. On the parent's loop.
    pub(crate) fn child_ended(
        &self,
        py: Python<'_>,
        ticket: Ticket,
        handle: Py<PyAny>,
        error: Option<Py<PyAny>>,
    ) {
        let left = self.state.leave(ticket, None);
        let Some(group) = self.group(py) else {
            drop(handle);
            return self.after_leaving(left.drained);
        };
        let told = (|| {
            if left.drained {
                group.call_method0(intern!(py, "_on_drained"))?;
            }
            if let Some(error) = error.filter(|error| !self.is_own_refusal(py, error)) {
                group.call_method1(intern!(py, "_on_child_failed"), (handle, error))?;
            }
            Ok::<(), PyErr>(())
        })();
        if let Err(error) = told {
            error.write_unraisable(py, Some(&group));
        }
    }

    /// A member is not to be: it could not be submitted, or the group's loop is closed. On any
    /// thread.
    pub(crate) fn leave(self: &Arc<Self>, py: Python<'_>, ticket: Ticket) {
        let left = self.state.leave(ticket, None);
        if left.drained && !self.abandoned.load(Ordering::SeqCst) {
            if let Some(open) = self.open() {
                open.home.send(py, self.clone());
            }
        } else {
            self.after_leaving(left.drained);
        }
    }

    fn after_leaving(&self, drained: bool) {
        if drained && self.abandoned.load(Ordering::SeqCst) {
            self.release(None);
        }
    }
}

/// On its way to the parent's loop: the last member has left.
impl Delivery for Members {
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        if let Some(group) = self.group(py)
            && let Err(error) = group.call_method0(intern!(py, "_on_drained"))
        {
            error.write_unraisable(py, Some(&group));
        }
    }

    fn discard(self: Arc<Self>, _py: Python<'_>) {}
}
