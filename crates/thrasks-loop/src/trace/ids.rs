use super::{
    lane::{self, Kind},
    names::Name,
    recording::is_on,
};

/// A task in a trace, or none: what a driver of one's own tells the recorder of.
///
/// A task is *accepted* on the thread that submits it, *begins*, and is *suspended* and *resumed* on
/// the thread of its loop, and *ends*. Where no trace was being recorded when it was accepted, all the
/// other calls do nothing, at the cost of a look at this number. The same holds for what a task does
/// after its trace has ended.
///
/// # Examples
///
/// ```standalone_crate
/// use thrasks_loop::trace::{End, Name, TaskId, Trace};
///
/// let mut file = Vec::new();
/// let trace = Trace::builder().start_into(Box::new(std::io::sink()))?;
/// let task = TaskId::accept();
/// assert!(task.is_traced());
/// task.begin(Name::new("fetch"));
/// task.suspend();
/// task.resume();
/// task.end(End::Returned);
/// assert_eq!(trace.finish()?.tasks, 1);
///
/// assert!(!TaskId::accept().is_traced());
/// # file.push(0u8);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TaskId(u64);

/// How a task has ended.
///
/// # Examples
///
/// ```standalone_crate
/// use thrasks_loop::trace::End;
///
/// assert_ne!(End::Returned, End::Cancelled);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// With a result.
    Returned,
    /// With an error, an exception or a panic.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl TaskId {
    /// No task: what is told of it is not recorded.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// assert!(!thrasks_loop::trace::TaskId::NONE.is_traced());
    /// ```
    pub const NONE: Self = Self(0);

    /// A task that the calling thread submits now; [`NONE`](Self::NONE) where no trace is being
    /// recorded, or it has no room.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::trace::TaskId;
    ///
    /// // No trace is being recorded.
    /// assert_eq!(TaskId::accept(), TaskId::NONE);
    /// ```
    #[inline]
    #[must_use]
    pub fn accept() -> Self {
        if is_on() { Self(lane::accept(1).map_or(0, |(first, _)| first)) } else { Self::NONE }
    }

    /// Whether it is a task in a trace.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::trace::{Name, TaskId};
    ///
    /// let task = TaskId::accept();
    /// if task.is_traced() {
    ///     // Only now is it worth the while to make up a name.
    ///     task.rename(Name::new(&format!("fetch {}", 3)));
    /// }
    /// ```
    #[inline]
    pub fn is_traced(self) -> bool {
        self.0 != 0
    }

    /// Its first step begins on the calling thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::trace::{End, Name, TaskId};
    ///
    /// let task = TaskId::accept();
    /// task.begin(Name::new("fetch"));
    /// // Its first and only step.
    /// task.end(End::Returned);
    /// ```
    #[inline]
    pub fn begin(self, name: Name) {
        self.record(Kind::Begun, name.0);
    }

    /// Another step begins on the calling thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{future::Future, pin::{Pin, pin}, task::{Context, Poll, Waker}};
    /// use thrasks_loop::trace::TaskId;
    ///
    /// /// Any step but the first.
    /// fn step<F: Future>(task: TaskId, future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
    ///     task.resume();
    ///     let poll = future.poll(cx);
    ///     if poll.is_pending() {
    ///         task.suspend();
    ///     }
    ///     poll
    /// }
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert!(step(TaskId::accept(), pin!(async { 1 }), &mut cx).is_ready());
    /// ```
    #[inline]
    pub fn resume(self) {
        self.record(Kind::Resumed, 0);
    }

    /// A step is over, and it waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::trace::{Name, TaskId};
    ///
    /// let task = TaskId::accept();
    /// task.begin(Name::new("fetch"));
    /// // It waits for an answer from here on.
    /// task.suspend();
    /// task.resume();
    /// ```
    #[inline]
    pub fn suspend(self) {
        self.record(Kind::Suspended, 0);
    }

    /// Its last step is over, and it has nothing to wait for; how it has ended is told later, by
    /// [`end`](Self::end): for loops on which whoever made a task learns of its end in another turn.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::trace::{End, TaskId};
    ///
    /// fn last_step(task: TaskId, step: impl FnOnce()) {
    ///     task.resume();
    ///     step();
    ///     task.stop();
    /// }
    ///
    /// fn told_later(task: TaskId) {
    ///     task.end(End::Returned);
    /// }
    /// # last_step(TaskId::NONE, || ());
    /// # told_later(TaskId::NONE);
    /// ```
    #[inline]
    pub fn stop(self) {
        self.record(Kind::Stopped, 0);
    }

    /// It was asked to end, by the calling thread.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use thrasks_loop::trace::{End, Name, TaskId};
    ///
    /// fn cancel(task: TaskId) {
    ///     task.request_cancel();
    ///     // It has not begun, and never will.
    ///     task.rename(Name::new("fetch"));
    ///     task.end(End::Cancelled);
    /// }
    /// # cancel(TaskId::NONE);
    /// ```
    #[inline]
    pub fn request_cancel(self) {
        self.record(Kind::CancelRequested, 0);
    }

    /// This is its name.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::trace::{Name, TaskId};
    ///
    /// let task = TaskId::accept();
    /// task.begin(Name::new("fetch"));
    /// task.rename(Name::new("fetch the index"));
    /// ```
    #[inline]
    pub fn rename(self, name: Name) {
        self.record(Kind::Named, name.0);
    }

    /// It has ended, on whatever thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::trace::{End, TaskId};
    ///
    /// fn told<T, E>(task: TaskId, outcome: &Result<T, E>) {
    ///     task.end(if outcome.is_ok() { End::Returned } else { End::Failed });
    /// }
    /// # told(TaskId::accept(), &"3".parse::<u8>());
    /// ```
    #[inline]
    pub fn end(self, how: End) {
        self.record(Kind::Ended(how), 0);
    }

    #[inline]
    fn record(self, kind: Kind, data: u32) {
        if self.is_traced() {
            self.record_now(kind, data);
        }
    }

    #[cold]
    #[inline(never)]
    fn record_now(self, kind: Kind, data: u32) {
        if is_on() {
            lane::record(self.0, kind, data);
        }
    }

    /// The task that is in a step on the calling thread.
    pub(super) fn running_here() -> Self {
        if is_on() { Self(lane::running_here().unwrap_or_default()) } else { Self::NONE }
    }
}

/// Tasks that were submitted together.
///
/// # Examples
///
/// ```standalone_crate
/// use thrasks_loop::trace::{End, Name, TaskIds, Trace};
///
/// let trace = Trace::builder().start_into(Box::new(std::io::sink()))?;
/// let tasks = TaskIds::accept(2);
/// for task in [tasks.nth(0), tasks.nth(1)] {
///     task.begin(Name::new("square"));
///     task.end(End::Returned);
/// }
/// assert!(!tasks.nth(2).is_traced());
/// assert_eq!(trace.finish()?.tasks, 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskIds {
    first: u64,
    count: usize,
}

impl TaskIds {
    /// So many tasks that the calling thread submits now: one relaxed load for all of them where no
    /// trace is being recorded. Where one is that has not room for all, the first are in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::trace::TaskIds;
    ///
    /// // No trace is being recorded.
    /// assert!(!TaskIds::accept(1000).nth(0).is_traced());
    /// ```
    #[inline]
    #[must_use]
    pub fn accept(count: usize) -> Self {
        if !is_on() {
            return Self::default();
        }
        let (first, count) = lane::accept(count).unwrap_or_default();
        Self { first, count }
    }

    /// One of them, counted from 0.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use thrasks_loop::trace::{TaskIds, Trace};
    ///
    /// let trace = Trace::builder().start_into(Box::new(std::io::sink()))?;
    /// let tasks = TaskIds::accept(2);
    /// assert_ne!(tasks.nth(0), tasks.nth(1));
    /// assert!(!tasks.nth(2).is_traced());
    /// # drop(trace);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn nth(self, index: usize) -> TaskId {
        if index < self.count { TaskId(self.first + index as u64) } else { TaskId::NONE }
    }
}
