use std::{
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_lite::Stream;
use thrasks_loop::JoinError;

use crate::{
    Execute, Feed, Receiver, SendError,
    channel::channel,
    ending::Ending,
    quiet::{quietly, wake},
    unstarted::Unstarted,
    waiting::note_panic,
};

/// Drains an iterator on a thread, into a stream.
///
/// `make` is called on the thread, so the iterator need not be `Send`. It is asked for an item only
/// when there is room for it: of the items that it made, at most `capacity` are not given out yet;
/// with `None` any number. It starts now, polled or not.
///
/// A panic of `make` or of the iterator is the stream's last item, after those before it. An
/// iterator that has ended is dropped before the stream ends.
///
/// # Panics
///
/// When `capacity` is 0.
///
/// # Examples
///
/// ```
/// use futures_lite::{StreamExt, future::block_on};
/// use thrasks_bridge::{BlockingPool, stream};
///
/// let pool = BlockingPool::builder().build()?;
/// let mut entries = stream(&pool, 64, || std::fs::read_dir("src").into_iter().flatten());
/// let mut names = Vec::new();
/// block_on(async {
///     while let Some(entry) = entries.next().await {
///         names.push(entry??.file_name());
///     }
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// assert!(names.contains(&"lib.rs".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn stream<I, F>(
    on: &(impl Execute + ?Sized),
    capacity: impl Into<Option<usize>>,
    make: F,
) -> ThreadStream<I::Item>
where
    F: FnOnce() -> I + Send + 'static,
    I: IntoIterator,
    I::Item: Send + 'static,
{
    feed(on, capacity, |feed| run(make, feed))
}

/// Runs code on a thread that feeds a stream: what [`stream`] does with an iterator, for what is no
/// iterator, or has something to do between its items.
///
/// It starts now, polled or not. A panic of `run` is the stream's last item, after those before it.
/// The stream ends when `run` has returned.
///
/// # Panics
///
/// When `capacity` is 0.
///
/// # Examples
///
/// ```
/// use futures_lite::{StreamExt, future::block_on};
/// use thrasks_bridge::{OwnThread, stream_with};
///
/// let lines = stream_with(&OwnThread::new(), 16, |feed| {
///     let mut lines = std::io::BufRead::lines(&b"a\nb"[..]);
///     // Nothing is read before there is room for it.
///     while feed.wait_ready() {
///         let Some(line) = lines.next() else { return };
///         if feed.push(line).is_err() {
///             return;
///         }
///     }
/// });
/// let lines: Vec<_> = block_on(lines.try_collect())?;
/// assert_eq!(lines.into_iter().collect::<Result<Vec<_>, _>>()?, ["a", "b"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn stream_with<T, F>(
    on: &(impl Execute + ?Sized),
    capacity: impl Into<Option<usize>>,
    run: F,
) -> ThreadStream<T>
where
    F: FnOnce(&mut Feed<T>) + Send + 'static,
    T: Send + 'static,
{
    feed(on, capacity, |feed| (quick(|| run(feed)).err(), None))
}

#[track_caller]
fn feed<T: Send + 'static>(
    on: &(impl Execute + ?Sized),
    capacity: impl Into<Option<usize>>,
    run: impl FnOnce(&mut Feed<T>) -> Errors + Send + 'static,
) -> ThreadStream<T> {
    let (sender, receiver) = channel(capacity);
    let ending = Arc::new(Ending::default());
    let duty = Duty { ending: ending.clone(), source: Some(Feed::new(sender)) };
    ThreadStream::submit(on, receiver, ending, move || duty.fulfil(run))
}

/// The error for the stream's last item, and the one of what was dropped at the very end.
pub(crate) type Errors = (Option<JoinError>, Option<JoinError>);

fn run<I: IntoIterator>(make: impl FnOnce() -> I, feed: &mut Feed<I::Item>) -> Errors {
    if !feed.wait_ready() {
        // Nobody wants its items: it need not be made.
        return (None, quick(|| drop(make)).err());
    }
    let mut iterator = match quick(|| make().into_iter()) {
        Ok(iterator) => iterator,
        Err(error) => return (Some(error), None),
    };
    let result = quick(|| {
        while feed.wait_ready() {
            let Some(item) = iterator.next() else { return };
            if let Err(SendError(item)) = feed.push(item) {
                quietly(|| drop(item));
                return;
            }
        }
    });
    (result.err(), quick(|| drop(iterator)).err())
}

/// Runs what is the user's. A panic of it is an error.
pub(crate) fn quick<R>(f: impl FnOnce() -> R) -> Result<R, JoinError> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        note_panic();
        JoinError::panicked(payload)
    })
}

/// The duty to tell a stream of its end: dropped before, it tells that it was cancelled.
pub(crate) struct Duty<S> {
    pub(crate) ending: Arc<Ending>,
    /// A sender, of whatever kind, that keeps the stream from its end.
    pub(crate) source: Option<S>,
}

impl<S> Duty<S> {
    /// Runs what there is to run, and tells the errors that it returns.
    pub(crate) fn fulfil(mut self, run: impl FnOnce(&mut S) -> Errors) {
        let (error, late_error) = self.source.as_mut().map_or((None, None), run);
        self.end(error, late_error);
    }

    /// First how it ended, then that it did: who sees the end finds how. Whoever waits for the
    /// stream's items hears of it by the drop of its source, and has no other waker left here.
    fn end(&mut self, error: Option<JoinError>, late_error: Option<JoinError>) {
        let waiter = self.ending.end(error, late_error);
        self.source = None;
        wake(waiter);
    }
}

impl<S> Drop for Duty<S> {
    fn drop(&mut self) {
        self.end(Some(JoinError::cancelled()), None);
    }
}

/// The items of an iterator that runs on a thread, or of a callback: see [`stream`], [`stream_with`]
/// and [`stream_from_callback`](crate::stream_from_callback).
///
/// An error is its last item: a panic; a cancellation, by the pool of threads, which dropped the
/// job; or why no thread took it.
///
/// Dropping it closes it, as [`close`](Self::close) does, and does not wait.
///
/// # Examples
///
/// ```
/// use futures_lite::{StreamExt, future::block_on};
/// use thrasks_bridge::{OwnThread, ThreadStream};
///
/// let numbers: ThreadStream<u32> = OwnThread::new().stream(8, || {
///     (0..).map(|i| if i < 2 { i } else { panic!("{i} is too much") })
/// });
/// let items: Vec<_> = block_on(numbers.collect());
/// assert_eq!(items.len(), 3);
/// assert_eq!(*items[1].as_ref().unwrap(), 1);
/// let error = items[2].as_ref().unwrap_err();
/// assert_eq!(error.panic_message().as_deref(), Some("2 is too much"));
/// ```
#[must_use = "dropping the stream stops what it drains"]
pub struct ThreadStream<T> {
    receiver: Receiver<T>,
    ending: Arc<Ending>,
    unstarted: Unstarted,
    /// No item comes any more.
    ended: bool,
}

impl<T: Send + 'static> ThreadStream<T> {
    /// Submits `run`, which holds the duty to tell the ending.
    pub(crate) fn submit(
        on: &(impl Execute + ?Sized),
        receiver: Receiver<T>,
        ending: Arc<Ending>,
        run: impl FnOnce() + Send + 'static,
    ) -> Self {
        let unstarted = Unstarted::submit(on, run, |reason| {
            ending.end(Some(JoinError::refused(reason)), None);
        });
        Self { receiver, ending, unstarted, ended: false }
    }
}

impl<T> ThreadStream<T> {
    /// The next item, or `None` when there will be none.
    ///
    /// # Errors
    ///
    /// The stream's last item may be one: see [`ThreadStream`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::OwnThread;
    ///
    /// let mut numbers = OwnThread::new().stream(8, || 7..9);
    /// assert_eq!(block_on(poll_fn(|cx| numbers.poll_next(cx))).unwrap()?, 7);
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match self.receiver.poll_next(cx) {
            Poll::Ready(Some(item)) => Poll::Ready(Some(Ok(item))),
            Poll::Ready(None) => {
                self.ended = true;
                Poll::Ready(self.ending.take_error().map(Err))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// The next item, or `None` when there will be none.
    ///
    /// # Errors
    ///
    /// The stream's last item may be one: see [`ThreadStream`].
    ///
    /// # Cancel safety
    ///
    /// No item is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::OwnThread;
    ///
    /// let mut letters = OwnThread::new().stream(8, || ["a", "b"]);
    /// futures_lite::future::block_on(async {
    ///     assert_eq!(letters.next().await.unwrap()?, "a");
    ///     assert_eq!(letters.next().await.unwrap()?, "b");
    ///     assert!(letters.next().await.is_none());
    ///     Ok::<(), thrasks_bridge::JoinError>(())
    /// })?;
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub async fn next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Stops what the stream drains, promptly, also when it is blocked for want of room: the
    /// iterator is not asked for another item, and is dropped on its thread. If no thread has begun
    /// with it, it never will be made. The items that were not given out are dropped.
    ///
    /// It does not wait: [`closed`](Self::closed) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::OwnThread;
    ///
    /// let mut numbers = OwnThread::new().stream(8, || 0..);
    /// assert_eq!(block_on(numbers.next()).unwrap()?, 0);
    /// numbers.close();
    /// assert!(block_on(numbers.next()).is_none());
    /// block_on(numbers.closed())?;
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn close(&mut self) {
        self.ended = true;
        self.receiver.close();
        self.unstarted.cancel();
    }

    /// Whether the iterator has been dropped on its thread, as [`closed`](Self::closed).
    ///
    /// # Errors
    ///
    /// See [`closed`](Self::closed).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::OwnThread;
    ///
    /// let mut numbers = OwnThread::new().stream(8, || 0..);
    /// numbers.close();
    /// block_on(poll_fn(|cx| numbers.poll_closed(cx)))?;
    /// assert!(numbers.is_closed());
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), JoinError>> {
        self.ending.poll(cx, self.ended)
    }

    /// Completes when the iterator has been dropped on its thread, or what was to run there has
    /// returned, panicked or been dropped. It does not close the stream: [`close`](Self::close) does.
    ///
    /// # Errors
    ///
    /// When its drop panicked, or, of a stream that was closed before, anything else of it; told once.
    ///
    /// # Cancel safety
    ///
    /// It only watches.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::OwnThread;
    ///
    /// /// Something that is to be closed on its thread.
    /// struct Connection(std::sync::mpsc::Sender<&'static str>);
    /// impl Drop for Connection {
    ///     fn drop(&mut self) {
    ///         let _ = self.0.send("closed");
    ///     }
    /// }
    ///
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let mut rows = OwnThread::new().stream(8, || {
    ///     let connection = Connection(sender);
    ///     (0..).inspect(move |_| _ = &connection)
    /// });
    /// assert_eq!(block_on(rows.next()).unwrap()?, 0);
    /// rows.close();
    /// block_on(rows.closed())?;
    /// assert_eq!(receiver.try_recv(), Ok("closed"));
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub async fn closed(&mut self) -> Result<(), JoinError> {
        poll_fn(|cx| self.poll_closed(cx)).await
    }

    /// Whether [`closed`](Self::closed) would complete at once. Whoever waits in it goes on waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::OwnThread;
    ///
    /// let mut numbers = OwnThread::new().stream(8, || 0..3);
    /// block_on(numbers.closed())?;
    /// assert!(numbers.is_closed());
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        self.ending.is_over()
    }

    /// How many items were made and not refused by a close so far.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_bridge::OwnThread;
    ///
    /// let mut numbers = OwnThread::new().stream(8, || 0..3);
    /// while let Some(number) = block_on(numbers.next()) {
    ///     number?;
    /// }
    /// assert_eq!(numbers.produced(), 3);
    /// # Ok::<(), thrasks_bridge::JoinError>(())
    /// ```
    pub fn produced(&self) -> u64 {
        self.receiver.sent()
    }

    /// How many items are there to be received.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::OwnThread;
    ///
    /// let mut numbers = OwnThread::new().stream(8, || 0..);
    /// while numbers.buffered() < 8 {
    ///     std::thread::yield_now();
    /// }
    /// numbers.close();
    /// assert_eq!(numbers.buffered(), 0);
    /// ```
    pub fn buffered(&self) -> usize {
        self.receiver.len()
    }
}

impl<T> Stream for ThreadStream<T> {
    type Item = Result<T, JoinError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_next(cx)
    }
}

impl<T> Drop for ThreadStream<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T> fmt::Debug for ThreadStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadStream")
            .field("produced", &self.produced())
            .field("buffered", &self.buffered())
            .field("ended", &self.ended)
            .finish()
    }
}
