//! What the tasks of this crate tell the recorder of traces, in two bodies: the real one, and one
//! that is nothing, without the feature `trace`.

pub(crate) use imp::{Traced, enter_loop};

#[cfg(feature = "trace")]
mod imp {
    use crate::{
        JoinError,
        trace::{self, End, Name, TaskId},
    };

    /// The calling thread is that of a loop.
    pub(crate) fn enter_loop(name: &str) {
        trace::name_loop_thread(name);
    }

    /// A task, as the recorder knows it.
    #[derive(Clone, Copy)]
    pub(crate) struct Traced {
        task: TaskId,
        /// Its cell tells of its beginning, its end, and of what its handle asks for. Of another
        /// task the loop tells, as its keeper knows nothing of traces.
        has_cell: bool,
    }

    impl Traced {
        /// A task that somebody else keeps.
        pub(crate) fn accept() -> Self {
            Self { task: TaskId::accept(), has_cell: false }
        }

        /// A task in a cell.
        pub(crate) fn accept_cell() -> Self {
            Self { task: TaskId::accept(), has_cell: true }
        }

        /// The task, if it is in a trace and no cell tells of it.
        pub(crate) fn told_by_loop(self) -> Option<Self> {
            (self.task.is_traced() && !self.has_cell).then_some(self)
        }

        /// Its first step begins. It is called after this type.
        pub(crate) fn begin<T>(self) {
            if self.task.is_traced() {
                self.task.begin(Name::of_type::<T>());
            }
        }

        pub(crate) fn resume(self) {
            self.task.resume();
        }

        pub(crate) fn suspend(self) {
            self.task.suspend();
        }

        pub(crate) fn rename<T>(self) {
            if self.task.is_traced() {
                self.task.rename(Name::of_type::<T>());
            }
        }

        pub(crate) fn request_cancel(self) {
            self.task.request_cancel();
        }

        pub(crate) fn end<T>(self, outcome: &Result<T, JoinError>) {
            self.task.end(match outcome {
                Ok(_) => End::Returned,
                Err(error) if error.is_cancelled() => End::Cancelled,
                Err(_) => End::Failed,
            });
        }
    }
}

#[cfg(not(feature = "trace"))]
mod imp {
    use crate::JoinError;

    #[derive(Clone, Copy)]
    pub(crate) struct Traced;

    #[expect(clippy::unused_self, reason = "as the other body has it")]
    impl Traced {
        pub(crate) fn accept() -> Self {
            Self
        }

        pub(crate) fn accept_cell() -> Self {
            Self
        }

        pub(crate) fn told_by_loop(self) -> Option<Self> {
            None
        }

        pub(crate) fn begin<T>(self) {}

        pub(crate) fn resume(self) {}

        pub(crate) fn suspend(self) {}

        pub(crate) fn rename<T>(self) {}

        pub(crate) fn request_cancel(self) {}

        pub(crate) fn end<T>(self, _outcome: &Result<T, JoinError>) {}
    }

    pub(crate) fn enter_loop(_name: &str) {}
}
