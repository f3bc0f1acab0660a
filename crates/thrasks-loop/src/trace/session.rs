use std::{
    fmt,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use super::{
    file::{self, Header},
    lives::Book,
    recording::{self, Recording, lock},
};

/// A trace that is being recorded, until it is [finished](Self::finish). Dropped, it writes its file,
/// too, and says nothing of what goes wrong with that.
///
/// There is one in a process at a time, and it records all loops: whichever thread starts it.
///
/// # Examples
///
/// ```standalone_crate
/// use thrasks_loop::{LoopPool, trace::Trace};
///
/// let trace = Trace::builder().start_into(Box::new(std::io::sink()))?;
/// let pool = LoopPool::builder().threads(2).build()?;
/// assert_eq!(futures_lite::future::block_on(pool.try_spawn(|| async { 42 })?)?, 42);
/// assert_eq!(trace.finish()?.tasks, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a Trace ends it"]
pub struct Trace {
    recording: Arc<Recording>,
    process: Option<String>,
    sink: Option<Box<dyn Write + Send>>,
}

/// How a trace is to be recorded.
///
/// # Examples
///
/// ```standalone_crate
/// use thrasks_loop::trace::Trace;
///
/// let trace = Trace::builder().max_events(1000).start_into(Box::new(std::io::sink()))?;
/// assert_eq!(trace.finish()?.tasks, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TraceBuilder {
    max_events: usize,
    process: Option<String>,
}

/// What is in a trace.
///
/// # Examples
///
/// ```standalone_crate
/// use thrasks_loop::trace::{TaskIds, Trace};
///
/// let trace = Trace::builder().max_events(20).start_into(Box::new(std::io::sink()))?;
/// let tasks = TaskIds::accept(100);
/// let summary = trace.finish()?;
/// assert_eq!((summary.tasks, summary.left_out), (10, 90));
/// # let _ = tasks;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The tasks in it.
    pub tasks: usize,
    /// Those that were submitted when it had no more room.
    pub left_out: usize,
    /// Whether it had no room for some later steps of tasks that are in it.
    pub is_cut: bool,
}

impl Trace {
    /// How many events a trace has room for unless it is said: 12 MB of memory.
    pub const MAX_EVENTS: usize = 500_000;

    /// Begins to record a trace, for this file, which is made or emptied now.
    ///
    /// # Errors
    ///
    /// The file cannot be made; or a trace is being recorded ([`io::ErrorKind::ResourceBusy`]), of which
    /// there is one at a time.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use thrasks_loop::trace::Trace;
    ///
    /// assert!(Trace::start("/nowhere/run.json").is_err());
    /// ```
    pub fn start(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::builder().start(path)
    }

    /// To record one in another way than [`start`](Self::start) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::trace::Trace;
    ///
    /// let builder = Trace::builder().max_events(1000).process_name("crawler");
    /// # let _ = builder;
    /// ```
    #[must_use]
    pub fn builder() -> TraceBuilder {
        TraceBuilder { max_events: Self::MAX_EVENTS, process: None }
    }

    /// Ends the trace and writes its file, which takes some seconds for a million events.
    ///
    /// Tasks that have not ended are in it as far as they have come.
    ///
    /// # Errors
    ///
    /// The file could not be written.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use thrasks_loop::trace::{TaskId, Trace};
    ///
    /// let trace = Trace::builder().start_into(Box::new(std::io::sink()))?;
    /// let task = TaskId::accept();
    /// // It has not ended, and is in it.
    /// assert_eq!(trace.finish()?.tasks, 1);
    /// # let _ = task;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn finish(mut self) -> io::Result<Summary> {
        self.end()
    }

    fn end(&mut self) -> io::Result<Summary> {
        let Some(sink) = self.sink.take() else { return Ok(Summary::default()) };
        if !self.recording.end() {
            // The parent writes it.
            return Ok(Summary::default());
        }
        let lanes = self.recording.take_lanes();
        let names = std::mem::take(&mut *lock(&self.recording.names)).into_list();
        let book = Book::new(&lanes, || self.recording.now());
        let left_out = self.recording.left_out.load(Ordering::Relaxed);
        let is_cut = self.recording.is_cut.load(Ordering::Relaxed);
        let header = Header {
            process: self.process.take(),
            started: self.recording.wall,
            end: book.end,
            left_out,
            is_cut,
        };
        let mut sink = BufWriter::with_capacity(1 << 16, sink);
        file::write(&mut sink, &header, &book, &names)?;
        sink.flush()?;
        Ok(Summary { tasks: book.tasks(), left_out, is_cut })
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("is_on", &self.recording.is_current()).finish_non_exhaustive()
    }
}

impl TraceBuilder {
    /// How many events it has room for, two of which are the beginning and the end of each task, and
    /// two each of its later steps. Each takes 24 bytes of memory until the end, and some hundred in
    /// the file. [`Trace::MAX_EVENTS`] unless it is said.
    ///
    /// When there is no more room, tasks that are submitted later are left out, and so are further
    /// steps of those that run: these are in it with their ends.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use thrasks_loop::trace::{TaskIds, Trace};
    ///
    /// let trace = Trace::builder().max_events(2_000_000).start_into(Box::new(std::io::sink()))?;
    /// assert!(TaskIds::accept(700_000).nth(699_999).is_traced());
    /// assert_eq!(trace.finish()?.left_out, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn max_events(mut self, max_events: usize) -> Self {
        self.max_events = max_events;
        self
    }

    /// What the process is called in it.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// let builder = thrasks_loop::trace::Trace::builder().process_name("crawler");
    /// # let _ = builder;
    /// ```
    #[must_use]
    pub fn process_name(mut self, name: impl Into<String>) -> Self {
        self.process = Some(name.into());
        self
    }

    /// Begins to record, for this file, which is made or emptied now.
    ///
    /// # Errors
    ///
    /// As [`Trace::start`].
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use thrasks_loop::trace::Trace;
    ///
    /// let error = Trace::builder().start("/nowhere/run.json").unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// ```
    pub fn start(self, path: impl AsRef<Path>) -> io::Result<Trace> {
        self.start_with(|| Ok(Box::new(File::create(path)?)))
    }

    /// Begins to record. The trace is written to `sink` when it is finished.
    ///
    /// # Errors
    ///
    /// A trace is being recorded: [`io::ErrorKind::ResourceBusy`].
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use std::io::{self, ErrorKind};
    /// use thrasks_loop::trace::Trace;
    ///
    /// let trace = Trace::builder().start_into(Box::new(io::sink()))?;
    /// let second = Trace::builder().start_into(Box::new(io::sink()));
    /// assert_eq!(second.unwrap_err().kind(), ErrorKind::ResourceBusy);
    /// # drop(trace);
    /// # Ok::<(), io::Error>(())
    /// ```
    pub fn start_into(self, sink: Box<dyn Write + Send>) -> io::Result<Trace> {
        self.start_with(|| Ok(sink))
    }

    fn start_with(
        self,
        open: impl FnOnce() -> io::Result<Box<dyn Write + Send>>,
    ) -> io::Result<Trace> {
        if !recording::reserve() {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "a trace is being recorded already, and there is one at a time: end that one first",
            ));
        }
        // A file that another trace is for must not be emptied.
        let sink = open().inspect_err(|_| recording::cancel_reservation())?;
        let recording = Recording::begin(self.max_events);
        Ok(Trace { recording, process: self.process, sink: Some(sink) })
    }
}
