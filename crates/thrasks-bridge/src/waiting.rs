//! What a pool's thread knows of itself.

use std::{cell::RefCell, sync::Arc};

use crate::{pool::Inner, quiet::quietly, sync::per_thread};

struct Here {
    pool: Arc<Inner>,
    /// The job is in `while_waiting` already, or there is none.
    waiting: bool,
    /// The job, one of this crate's, has caught a panic.
    panicked: bool,
}

per_thread!(HERE: RefCell<Option<Here>> = RefCell::new(None));

/// Looks at what this thread is, if it is a pool's and not being torn down.
fn here<R>(look: impl FnOnce(&mut Here) -> R) -> Option<R> {
    HERE.try_with(|here| here.borrow_mut().as_mut().map(look)).ok().flatten()
}

/// This thread is a pool's from now on.
pub(crate) fn enter(pool: Arc<Inner>) {
    HERE.with(|here| *here.borrow_mut() = Some(Here { pool, waiting: false, panicked: false }));
}

/// This thread is no pool's any more.
pub(crate) fn leave() {
    let _ = HERE.with(|here| here.borrow_mut().take());
}

/// Whether this thread is that pool's.
pub(crate) fn is_thread_of(pool: &Arc<Inner>) -> bool {
    here(|here| Arc::ptr_eq(&here.pool, pool)).unwrap_or(false)
}

/// Calls `f` on a thread that has no job: a wait in it is none of a job's.
pub(crate) fn without_job(f: impl FnOnce()) {
    here(|here| here.waiting = true);
    quietly(f);
    here(|here| here.waiting = false);
}

/// Notes a panic that was caught in the job.
pub(crate) fn note_panic() {
    here(|here| here.panicked = true);
}

/// Whether a panic was noted since the last time.
pub(crate) fn take_panic() -> bool {
    here(|here| std::mem::take(&mut here.panicked)).unwrap_or(false)
}

/// Calls `f`, which blocks, and does not hold a place in the pool meanwhile.
///
/// On a thread of a [`BlockingPool`](crate::BlockingPool) another job may run while `f` blocks, on
/// another thread, which is started if need be, even beyond the pool's cap: that bounds the jobs that
/// run, and this one waits. When `f` returns, the job goes on at once; the pool starts no other until
/// no more than its cap are running. On any other thread, and inside another `while_waiting`, it
/// just calls `f`.
///
/// What blocks in this crate does so in a `while_waiting`. The idea is that of the managed blocker of
/// Java's `ForkJoinPool`.
///
/// # Panics
///
/// When `f` does.
///
/// # Examples
///
/// Two jobs that need each other, on a pool for one at a time:
///
/// ```
/// use std::sync::mpsc;
/// use thrasks_bridge::{BlockingPool, while_waiting};
///
/// let pool = BlockingPool::builder().max_threads(1).build()?;
/// let (sender, receiver) = mpsc::channel();
/// let waits = pool.call(move || while_waiting(|| receiver.recv()).unwrap());
/// let sends = pool.call(move || sender.send("from the second job").unwrap());
/// futures_lite::future::block_on(async {
///     assert_eq!(waits.await?, "from the second job");
///     sends.await
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn while_waiting<R>(f: impl FnOnce() -> R) -> R {
    let pool = here(|here| {
        let first = !std::mem::replace(&mut here.waiting, true);
        first.then(|| here.pool.clone())
    });
    let Some(pool) = pool.flatten() else { return f() };
    /// Also when `f` panics.
    struct Back(Arc<Inner>);
    impl Drop for Back {
        fn drop(&mut self) {
            self.0.end_wait();
            here(|here| here.waiting = false);
        }
    }
    pool.begin_wait();
    let _back = Back(pool);
    f()
}
