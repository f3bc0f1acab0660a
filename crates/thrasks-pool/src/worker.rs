use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crate::{Kind, WorkerId, quiet::quietly, shared::Shared};

/// How many jobs a worker ends with before it lets others have its thread.
const SLICE: usize = 32;

/// How long a worker that is to be spawned anew for each job goes on where it is all the same: many
/// short jobs then share the cost of it.
const STAY: Duration = Duration::from_micros(50);

/// A worker of a [`TaskPool`](crate::TaskPool), to be run by an executor: see
/// [`Spawn`](crate::Spawn). It runs one job after another, and ends when no job waits.
///
/// Dropped without being run, it is refused.
///
/// # Examples
///
/// ```
/// use thrasks_pool::{Local, TaskPool, Worker};
///
/// let pool = TaskPool::builder().name("render").build(|worker: Worker<Local>| {
///     std::thread::Builder::new()
///         .name(worker.name())
///         .spawn(|| futures_lite::future::block_on(worker.run()))
///         .expect("there is room for a thread");
/// });
/// let name = pool.submit(|| async { std::thread::current().name().map(str::to_owned) });
/// assert_eq!(futures_lite::future::block_on(name)?.as_deref(), Some("render-0"));
/// # Ok::<(), thrasks_pool::JoinError>(())
/// ```
#[must_use = "a worker that is not run is refused"]
pub struct Worker<K: Kind> {
    post: Post<K>,
}

/// The duty to tell of a worker's end.
struct Post<K: Kind> {
    /// `None` when it has left.
    shared: Option<Arc<Shared<K>>>,
    id: WorkerId,
    begun: bool,
}

impl<K: Kind> Worker<K> {
    pub(crate) fn new(shared: Arc<Shared<K>>, id: WorkerId) -> Self {
        Self { post: Post { shared: Some(shared), id, begun: false } }
    }

    /// Which worker of the pool it is: a number less than its `max_workers`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Local, TaskPool, Worker};
    ///
    /// let pool = TaskPool::new(|worker: Worker<Local>| {
    ///     assert_eq!(worker.index(), 0);
    ///     futures_lite::future::block_on(worker.run());
    /// });
    /// assert!(pool.submit(|| async {}).is_finished());
    /// ```
    pub fn index(&self) -> usize {
        self.post.id.index()
    }

    /// The pool's name and the worker's number: `tasks-0`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Local, TaskPool, Worker};
    ///
    /// let pool = TaskPool::new(|worker: Worker<Local>| {
    ///     assert_eq!(worker.name(), "tasks-0");
    ///     futures_lite::future::block_on(worker.run());
    /// });
    /// assert!(pool.submit(|| async {}).is_finished());
    /// ```
    pub fn name(&self) -> String {
        let name = self.post.shared.as_ref().map_or("", |shared| shared.name());
        format!("{name}-{}", self.index())
    }

    /// The future that runs the jobs. It is `Send` if the kind is [`Sendable`](crate::Sendable).
    ///
    /// # Cancel safety
    ///
    /// That of [`Working`].
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Local, TaskPool, Worker};
    ///
    /// let (send, workers) = std::sync::mpsc::channel();
    /// let pool = TaskPool::new(move |worker: Worker<Local>| send.send(worker).unwrap());
    /// let (a, b) = (pool.submit(|| async { "a" }), pool.submit(|| async { "b" }));
    /// // One worker would do for both.
    /// workers.try_iter().for_each(|worker| futures_lite::future::block_on(worker.run()));
    /// assert!(a.is_finished() && b.is_finished());
    /// ```
    pub fn run(self) -> Working<K> {
        Working { job: None, post: self.post }
    }

    /// It could not be run. Takes it from its post.
    pub(crate) fn give_up(mut self) {
        self.post.shared = None;
    }

    pub(crate) fn id(&self) -> WorkerId {
        self.post.id
    }
}

impl<K: Kind> fmt::Debug for Worker<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// A worker that runs: see [`Worker::run`].
///
/// Dropped, it ends its job, which is cancelled, and another worker takes its place.
///
/// # Cancel safety
///
/// A drop loses the job that it was at, and no other. Awaited by reference, it can be awaited again.
///
/// # Examples
///
/// ```
/// use std::future::pending;
/// use futures_lite::future::{block_on, poll_once};
/// use thrasks_pool::{Local, TaskPool, Worker, Working};
///
/// let (send, workers) = std::sync::mpsc::channel();
/// let pool = TaskPool::new(move |worker: Worker<Local>| send.send(worker).unwrap());
/// let job = pool.submit(pending::<()>);
/// let working: Working<Local> = workers.recv()?.run();
/// assert!(block_on(poll_once(working)).is_none(), "the job waits for ever");
/// // The worker is dropped now.
/// assert!(block_on(job).unwrap_err().is_cancelled());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "futures do nothing unless they are polled"]
pub struct Working<K: Kind> {
    /// Dropped before the post is left.
    job: Option<K::Future>,
    post: Post<K>,
}

impl<K: Kind> Future for Working<K> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.post.begun = true;
        let Some(shared) = &this.post.shared else { return Poll::Ready(()) };
        let since = shared.respawns.then(Instant::now);
        // While its job was suspended, others may have come to this thread.
        let mut alone = this.job.is_none();
        for _ in 0..SLICE {
            let Some(shared) = &this.post.shared else { return Poll::Ready(()) };
            if this.job.is_none() {
                let Some(job) = shared.roster.next_or_retire(this.post.id) else {
                    this.post.left();
                    return Poll::Ready(());
                };
                let ended = Ended { shared: shared.clone(), worker: this.post.id };
                this.job = Some(job.start(ended));
            }
            let Some(job) = &mut this.job else { unreachable!("taken just above") };
            if Pin::new(job).poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.job = None;
            if since.is_some_and(|since| !alone || since.elapsed() > STAY) && this.post.respawn() {
                return Poll::Ready(());
            }
            alone = true;
        }
        if since.is_some() && this.post.respawn() {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<K: Kind> Post<K> {
    /// Spawns the worker anew, if jobs wait. Returns whether it was.
    fn respawn(&mut self) -> bool {
        let Some(shared) = self.shared.take_if(|shared| shared.roster.queued() > 0) else {
            return false;
        };
        let worker = Worker::new(shared.clone(), self.id);
        match shared.spawn(worker) {
            Ok(()) => true,
            Err(refused) => {
                // It goes on where it is.
                let (worker, _reason) = refused.into_parts();
                worker.give_up();
                self.shared = Some(shared);
                false
            }
        }
    }

    /// It is no longer on the roster.
    fn left(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.worker_left();
        }
    }
}

impl<K: Kind> Drop for Post<K> {
    fn drop(&mut self) {
        let Some(shared) = mem::take(&mut self.shared) else { return };
        if self.begun {
            shared.lost(self.id);
        } else {
            shared.not_started(self.id, "the executor dropped the worker");
        }
    }
}

impl<K: Kind> Drop for Working<K> {
    fn drop(&mut self) {
        let job = self.job.take();
        // What the user's code panics with in there is the job's outcome.
        quietly(|| drop(job));
    }
}

impl<K: Kind> fmt::Debug for Working<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Working")
            .field("worker", &self.post.id.index())
            .field("has_job", &self.job.is_some())
            .finish()
    }
}

/// Tells the roster that a worker's job has ended.
pub(crate) struct Ended<K: Kind> {
    shared: Arc<Shared<K>>,
    worker: WorkerId,
}

impl<K: Kind> Ended<K> {
    pub(crate) fn tell(self) {
        self.shared.roster.finish(self.worker);
    }
}
