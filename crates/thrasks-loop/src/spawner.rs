use std::{fmt, io, thread};

/// A thread to be made for a loop: what a [spawn hook](crate::Builder::spawn_hook) is given.
///
/// Dropped without running `main`, the loop is over before it began.
///
/// # Examples
///
/// A hook that makes the threads itself:
///
/// ```
/// use thrasks_loop::{Join, LoopThread, ThreadSpec};
///
/// let thread = LoopThread::builder()
///     .spawn_hook(|ThreadSpec { name, main, .. }| {
///         let thread = std::thread::Builder::new().name(format!("my-{name}")).spawn(main)?;
///         Ok(Box::new(move || thread.join().unwrap()) as Join)
///     })
///     .start()?;
/// let name = thread.spawn(|| async { std::thread::current().name().map(str::to_owned) })?;
/// assert_eq!(futures_lite::future::block_on(name)?.as_deref(), Some("my-thrasks"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ThreadSpec {
    /// Its name.
    pub name: String,
    /// Its stack size in bytes, or the platform's default.
    pub stack_size: Option<usize>,
    /// What it runs. It does not panic, and it must run on a thread of its own.
    pub main: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for ThreadSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadSpec")
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}

/// Joins a thread whose `main` has returned. Dropped without being called, it leaves the thread to
/// itself, and does not block.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
/// use thrasks_loop::Join;
///
/// let ended = Arc::new(AtomicBool::new(false));
/// let thread = std::thread::spawn({
///     let ended = ended.clone();
///     move || ended.store(true, Ordering::Relaxed)
/// });
/// let join: Join = Box::new(move || thread.join().unwrap());
/// join();
/// assert!(ended.load(Ordering::Relaxed));
/// ```
pub type Join = Box<dyn FnOnce() + Send>;

/// The spawn hook that a builder uses unless it is given another: [`std::thread::Builder`].
///
/// # Errors
///
/// `InvalidInput` for a name with a NUL byte, or what the operating system says when it cannot make
/// a thread.
///
/// # Examples
///
/// A hook that counts the threads, then makes them the ordinary way:
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
/// use thrasks_loop::{LoopPool, spawn_std_thread};
///
/// let count = Arc::new(AtomicUsize::new(0));
/// let counted = count.clone();
/// let pool = LoopPool::builder()
///     .threads(3)
///     .spawn_hook(move |spec| {
///         counted.fetch_add(1, Ordering::Relaxed);
///         spawn_std_thread(spec)
///     })
///     .build()?;
/// assert_eq!(count.load(Ordering::Relaxed), 3);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn spawn_std_thread(spec: ThreadSpec) -> io::Result<Join> {
    if spec.name.contains('\0') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a thread's name must not contain a NUL byte, got {:?}", spec.name),
        ));
    }
    let mut builder = thread::Builder::new().name(spec.name);
    if let Some(size) = spec.stack_size {
        builder = builder.stack_size(size);
    }
    let handle = builder.spawn(spec.main)?;
    Ok(Box::new(move || {
        // `main` does not panic: there is nothing to report.
        let _ = handle.join();
    }))
}
