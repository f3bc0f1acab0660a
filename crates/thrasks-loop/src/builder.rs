use std::{
    any::Any,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use thrasks_sched::{Queue, Scheduler};

use crate::{
    Driver, Join, LocalDriver, LoopPool, LoopThread, Task, ThreadSpec,
    permits::Permits,
    quiet::{discard, quietly},
    spawn_std_thread,
};

type Spawn = dyn Fn(ThreadSpec) -> io::Result<Join> + Send + Sync;
type IndexHook = dyn Fn(usize) + Send + Sync;
type PanicHook = dyn Fn(usize, &(dyn Any + Send)) + Send + Sync;
type MakeScheduler<J> = dyn FnOnce(usize) -> Arc<dyn Scheduler<J>>;

/// How the loops of a [`LoopPool`] or a [`LoopThread`] are made.
///
/// # Examples
///
/// ```
/// use thrasks_loop::LoopPool;
/// use thrasks_sched::RoundRobin;
///
/// let pool = LoopPool::builder()
///     .threads(2)
///     .name("render")
///     .stack_size(4 << 20)
///     .capacity(1_000)
///     .scheduler(RoundRobin::new)
///     .on_start(|index| println!("loop {index} is up"))
///     .build()?;
/// assert_eq!(pool.stats().loops[1].name, "render-1");
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct Builder<J: Send + 'static = Task> {
    threads: Option<usize>,
    name: String,
    capacity: Option<usize>,
    scheduler: Option<Box<MakeScheduler<J>>>,
    hooks: Hooks,
}

/// What is called at the turns of a thread's life.
#[derive(Clone)]
pub(crate) struct Hooks {
    spawn: Arc<Spawn>,
    stack_size: Option<usize>,
    pub(crate) observers: Observers,
}

#[derive(Clone, Default)]
pub(crate) struct Observers {
    start: Option<Arc<IndexHook>>,
    exit: Option<Arc<IndexHook>>,
    panic: Option<Arc<PanicHook>>,
}

impl Hooks {
    pub(crate) fn spawn(&self, name: String, main: Box<dyn FnOnce() + Send>) -> io::Result<Join> {
        (self.spawn)(ThreadSpec { name, stack_size: self.stack_size, main })
    }
}

impl Observers {
    pub(crate) fn start(&self, index: usize) {
        if let Some(hook) = &self.start {
            hook(index);
        }
    }

    pub(crate) fn exit(&self, index: usize) {
        if let Some(hook) = &self.exit {
            // The thread is over: a panic here has nobody left to tell but the panic hook.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(index))) {
                self.panic(index, &*payload);
                discard(payload);
            }
        }
    }

    pub(crate) fn panic(&self, index: usize, payload: &(dyn Any + Send)) {
        if let Some(hook) = &self.panic {
            quietly(|| hook(index, payload));
        }
    }
}

impl<J: Send + 'static> Builder<J> {
    /// A builder with the defaults: as many threads as the machine runs in parallel, a [`Queue`],
    /// no bound on what is queued, ordinary threads named `thrasks-0`, `thrasks-1` and so on.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::Builder;
    ///
    /// let pool = Builder::new().threads(2).build()?;
    /// assert_eq!(pool.loops()[0].name(), "thrasks-0");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new() -> Self {
        Self {
            threads: None,
            name: "thrasks".into(),
            capacity: None,
            scheduler: None,
            hooks: Hooks {
                spawn: Arc::new(spawn_std_thread),
                stack_size: None,
                observers: Observers::default(),
            },
        }
    }

    /// How many threads, each with its own loop. Without it: as many as the machine runs at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::Builder;
    ///
    /// assert_eq!(Builder::new().threads(3).build()?.workers(), 3);
    /// assert!(Builder::new().threads(0).build().is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// The name of the threads: of a single thread as it is, of a pool's with `-0`, `-1` ... behind.
    /// Without it: `thrasks`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::Builder;
    ///
    /// assert_eq!(Builder::new().name("solo").start()?.name(), "solo");
    /// assert_eq!(Builder::new().name("p").threads(1).build()?.loops()[0].name(), "p-0");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The stack size of each thread, in bytes. Without it: the platform's default.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::Builder;
    ///
    /// fn deep(frames: u32) -> u32 {
    ///     let frame = std::hint::black_box([1u8; 1024]);
    ///     if frames == 0 { 0 } else { u32::from(frame[0]) + deep(frames - 1) }
    /// }
    ///
    /// // Ten megabytes at the least, where a thread has two unless it is told.
    /// let thread = Builder::new().stack_size(64 << 20).start()?;
    /// let depth = thread.spawn(|| async { deep(10_000) })?;
    /// assert_eq!(futures_lite::future::block_on(depth)?, 10_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.hooks.stack_size = Some(bytes);
        self
    }

    /// At most this many tasks wait to be started; then `try_spawn` says that it is full, and
    /// `spawn` waits. (With 0, nothing can be spawned. What is submitted or posted as a job is not
    /// counted.) Without it: any number.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::Builder;
    ///
    /// let pool = Builder::new().threads(1).capacity(0).build()?;
    /// assert!(pool.try_spawn(|| async {}).unwrap_err().is_full());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn capacity(mut self, tasks: usize) -> Self {
        self.capacity = Some(tasks);
        self
    }

    /// What decides which loop runs which job: a function of the number of threads, such as
    /// [`RoundRobin::new`](thrasks_sched::RoundRobin::new).
    ///
    /// A single thread has no scheduler: [`start`](Builder::start) passes it by.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::Builder;
    /// use thrasks_sched::RoundRobin;
    ///
    /// let pool = Builder::new().threads(2).name("p").scheduler(RoundRobin::new).build()?;
    /// let name = || async { std::thread::current().name().map(str::to_owned) };
    /// for expected in ["p-0", "p-1", "p-0"] {
    ///     let handle = pool.try_spawn(name)?;
    ///     assert_eq!(futures_lite::future::block_on(handle)?.as_deref(), Some(expected));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scheduler<S>(mut self, make: impl FnOnce(usize) -> S + 'static) -> Self
    where
        S: Scheduler<J> + 'static,
    {
        self.scheduler = Some(Box::new(move |threads| Arc::new(make(threads))));
        self
    }

    /// Called on each thread before its loop runs, with the loop's number.
    ///
    /// A panic in it goes to [`on_panic`](Self::on_panic) and ends the loop before it began.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use thrasks_loop::Builder;
    ///
    /// let (send, receive) = mpsc::channel();
    /// let pool = Builder::new().threads(1).on_start(move |index| send.send(index).unwrap()).build()?;
    /// assert_eq!(receive.recv(), Ok(0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_start(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.observers.start = Some(Arc::new(hook));
        self
    }

    /// Called on each thread after its loop has ended, with the loop's number; also when the loop
    /// ended by a panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use thrasks_loop::Builder;
    ///
    /// let (send, receive) = mpsc::channel();
    /// let pool = Builder::new().threads(1).on_exit(move |index| send.send(index).unwrap()).build()?;
    /// drop(pool);
    /// assert_eq!(receive.recv(), Ok(0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_exit(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.observers.exit = Some(Arc::new(hook));
        self
    }

    /// Called when a hook or a driver panics, with the loop's number and the panic's payload.
    /// A task's panic does not come here: it is that task's outcome.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use thrasks_loop::Builder;
    ///
    /// let (send, receive) = mpsc::channel();
    /// let pool = Builder::new()
    ///     .threads(1)
    ///     .on_start(|_| panic!("no GPU"))
    ///     .on_panic(move |index, payload| {
    ///         send.send((index, payload.downcast_ref::<&str>().copied())).unwrap();
    ///     })
    ///     .build()?;
    /// assert_eq!(receive.recv(), Ok((0, Some("no GPU"))));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_panic(
        mut self,
        hook: impl Fn(usize, &(dyn Any + Send)) + Send + Sync + 'static,
    ) -> Self {
        self.hooks.observers.panic = Some(Arc::new(hook));
        self
    }

    /// Makes the threads, in place of [`spawn_std_thread`].
    ///
    /// # Examples
    ///
    /// A hook that refuses:
    ///
    /// ```
    /// use std::io;
    /// use thrasks_loop::Builder;
    ///
    /// let refuse = |spec: thrasks_loop::ThreadSpec| {
    ///     Err(io::Error::other(format!("no thread for {}", spec.name)))
    /// };
    /// let error = Builder::new().threads(2).spawn_hook(refuse).build().unwrap_err();
    /// assert_eq!(error.to_string(), "no thread for thrasks-0");
    /// ```
    ///
    /// See [`spawn_std_thread`] and [`ThreadSpec`] for hooks that make threads.
    pub fn spawn_hook(
        mut self,
        hook: impl Fn(ThreadSpec) -> io::Result<Join> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.spawn = Arc::new(hook);
        self
    }

    /// Makes one thread that runs a driver.
    ///
    /// # Errors
    ///
    /// What the spawn hook says when it cannot make the thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{Builder, LocalDriver};
    ///
    /// // What `start` does.
    /// let thread = Builder::new().start_with(LocalDriver::new())?;
    /// assert_eq!(futures_lite::future::block_on(thread.spawn(|| async { 7 })?)?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_with<D>(self, driver: D) -> io::Result<LoopThread<J>>
    where
        D: Driver<Job = J>,
    {
        LoopThread::launch(driver, self.name, 0, &self.hooks, self.capacity.map(Permits::new))
    }

    /// Makes a pool of threads that run the drivers that `make` gives for 0, 1, 2 and so on.
    ///
    /// # Panics
    ///
    /// When `make`, the scheduler's function or the spawn hook does.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for zero threads and for a scheduler for another number of them; what the spawn
    /// hook says when it cannot make a thread: those made before are then stopped.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{Builder, LocalDriver};
    ///
    /// // What `build` does.
    /// let pool = Builder::new().threads(2).build_with(|_index| LocalDriver::new())?;
    /// assert_eq!(pool.workers(), 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn build_with<D>(self, mut make: impl FnMut(usize) -> D) -> io::Result<LoopPool<J>>
    where
        D: Driver<Job = J>,
    {
        let threads = match self.threads {
            Some(0) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "a pool needs at least one thread, got threads(0)",
                ));
            }
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let scheduler =
            self.scheduler.map_or_else(|| Arc::new(Queue::new(threads)) as _, |make| make(threads));
        if scheduler.workers() != threads {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "the scheduler is for {} workers, the pool has {threads}",
                    scheduler.workers()
                ),
            ));
        }
        let loops = (0..threads)
            .map(|i| {
                LoopThread::launch(make(i), format!("{}-{i}", self.name), i, &self.hooks, None)
            })
            .collect::<io::Result<Vec<_>>>()?;
        Ok(LoopPool::new(scheduler, loops, self.capacity.map(Permits::new)))
    }
}

impl Builder {
    /// Makes one thread that runs futures.
    ///
    /// # Errors
    ///
    /// What the spawn hook says when it cannot make the thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::Builder;
    ///
    /// let thread = Builder::new().name("solo").start()?;
    /// assert_eq!(thread.name(), "solo");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start(self) -> io::Result<LoopThread> {
        self.start_with(LocalDriver::new())
    }

    /// Makes a pool of threads that run futures.
    ///
    /// # Errors
    ///
    /// As [`build_with`](Self::build_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::Builder;
    ///
    /// let pool = Builder::new().threads(2).build()?;
    /// assert_eq!(pool.workers(), 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn build(self) -> io::Result<LoopPool> {
        self.build_with(|_| LocalDriver::new())
    }
}

impl<J: Send + 'static> Default for Builder<J> {
    fn default() -> Self {
        Self::new()
    }
}

impl<J: Send + 'static> fmt::Debug for Builder<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("threads", &self.threads)
            .field("name", &self.name)
            .field("stack_size", &self.hooks.stack_size)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
