use std::{
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_lite::Stream;
use thrasks_loop::JoinError;

use crate::{Job, Kind, Place, TaskHandle, TaskPool, Window, channel::Channel, quiet::quietly};

impl<K: Kind> TaskPool<K> {
    /// Runs a job for each item of an iterator, and gives the results as a stream, in the order of
    /// the items.
    ///
    /// The iterator is asked for an item when the stream is polled and there is room: never are more
    /// than `buffer` items under way, queued, running or with a result that was not taken. So it may
    /// be endless. To keep all workers busy, `buffer` should be larger than their number: while the
    /// first job lasts, what was done after it fills the buffer.
    ///
    /// A panic of a job is that job's item. A panic of the iterator is the last item, as is that the
    /// pool [refused](JoinError::is_refused) a job, because it is closed.
    ///
    /// Dropping the stream cancels the jobs that are under way, and asks for no more items.
    ///
    /// `f` is called by the worker. An `async` closure will do if it captures nothing; one that does
    /// is written `move |item| async move { .. }`.
    ///
    /// # Panics
    ///
    /// When `buffer` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(2).build()?);
    /// // An endless iterator, of which no more is taken than is needed.
    /// let mut squares = pool.map(0u64.., 16, async |i| i * i);
    /// for i in 0..100 {
    ///     assert_eq!(block_on(squares.next()).unwrap()?, i * i);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn map<I, F, Fut>(
        &self,
        items: I,
        buffer: usize,
        f: F,
    ) -> Mapped<Iterated<I::IntoIter>, F, Fut, K>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> Fut + Send + Sync + 'static,
        Fut: Job<K>,
        Fut::Output: Send + 'static,
    {
        Mapped::new(self, Iterated(items.into_iter()), Window::ordered(buffer), f)
    }

    /// As [`map`](Self::map), with the results in the order in which they come.
    ///
    /// # Panics
    ///
    /// When `buffer` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::{StreamExt, future::block_on};
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(2).build()?);
    /// let squares = pool.map_unordered(1..=4, 2, async |i| i * i);
    /// let mut squares: Vec<u32> = block_on(squares.try_collect())?;
    /// squares.sort();
    /// assert_eq!(squares, [1, 4, 9, 16]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn map_unordered<I, F, Fut>(
        &self,
        items: I,
        buffer: usize,
        f: F,
    ) -> Mapped<Iterated<I::IntoIter>, F, Fut, K>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> Fut + Send + Sync + 'static,
        Fut: Job<K>,
        Fut::Output: Send + 'static,
    {
        Mapped::new(self, Iterated(items.into_iter()), Window::unordered(buffer), f)
    }

    /// As [`map`](Self::map), over a stream.
    ///
    /// # Panics
    ///
    /// When `buffer` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::{StreamExt, future::block_on, stream};
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(2).build()?);
    /// let words = stream::iter(["b", "a"]);
    /// let upper = pool.map_stream(words, 8, async |word| word.to_uppercase());
    /// assert_eq!(block_on(upper.try_collect::<_, _, Vec<_>>())?, ["B", "A"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn map_stream<S, F, Fut>(&self, items: S, buffer: usize, f: F) -> Mapped<S, F, Fut, K>
    where
        S: Stream,
        S::Item: Send + 'static,
        F: Fn(S::Item) -> Fut + Send + Sync + 'static,
        Fut: Job<K>,
        Fut::Output: Send + 'static,
    {
        Mapped::new(self, items, Window::ordered(buffer), f)
    }

    /// As [`map_stream`](Self::map_stream), with the results in the order in which they come.
    ///
    /// # Panics
    ///
    /// When `buffer` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::{StreamExt, future::block_on, stream};
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(2).build()?);
    /// let mut lengths = pool.map_stream_unordered(stream::iter(["b", "aa"]), 8, async |s| s.len());
    /// assert_eq!(block_on(lengths.try_fold(0, |sum, len| Ok(sum + len)))?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn map_stream_unordered<S, F, Fut>(
        &self,
        items: S,
        buffer: usize,
        f: F,
    ) -> Mapped<S, F, Fut, K>
    where
        S: Stream,
        S::Item: Send + 'static,
        F: Fn(S::Item) -> Fut + Send + Sync + 'static,
        Fut: Job<K>,
        Fut::Output: Send + 'static,
    {
        Mapped::new(self, items, Window::unordered(buffer), f)
    }
}

/// The results of a job for each item: a stream. See [`TaskPool::map`].
///
/// Dropping it cancels the jobs that are under way. It keeps the pool open.
///
/// # Examples
///
/// ```
/// use futures_lite::{StreamExt, future::block_on};
/// use thrasks_loop::LoopPool;
/// use thrasks_pool::TaskPool;
///
/// let pool = TaskPool::new(LoopPool::builder().threads(2).build()?);
/// let halves = pool.map([8u32, 7], 4, async |i| if i % 2 == 0 { i / 2 } else { panic!("{i} is odd") });
/// let halves: Vec<_> = block_on(halves.collect());
/// assert_eq!(*halves[0].as_ref().unwrap(), 4);
/// assert_eq!(halves[1].as_ref().unwrap_err().to_string(), "the task panicked: 7 is odd");
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a stream does nothing unless it is polled"]
pub struct Mapped<S, F, Fut: Future, K: Kind> {
    /// `None` when it has ended.
    items: Option<Pin<Box<S>>>,
    f: Arc<F>,
    channel: Arc<Channel<Fut::Output>>,
    /// A place that was reserved for the next item, which is not there yet.
    place: Option<Place>,
    /// The jobs that are under way, by the index of their place.
    handles: Vec<Option<TaskHandle<Fut::Output>>>,
    pool: TaskPool<K>,
    makes: PhantomData<fn() -> Fut>,
}

// Nothing in it is pinned.
impl<S, F, Fut: Future, K: Kind> Unpin for Mapped<S, F, Fut, K> {}

impl<S, F, Fut: Future, K: Kind> Mapped<S, F, Fut, K> {
    fn new(pool: &TaskPool<K>, items: S, window: Window<Outcome<Fut>>, f: F) -> Self {
        Self {
            items: Some(Box::pin(items)),
            f: Arc::new(f),
            channel: Arc::new(Channel::new(window)),
            place: None,
            handles: Vec::new(),
            pool: pool.clone(),
            makes: PhantomData,
        }
    }

    /// How many items are under way: queued, running, or with a result that was not taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(2).build()?);
    /// let mut squares = pool.map(0u64.., 16, async |i| i * i);
    /// assert_eq!(squares.in_flight(), 0);
    /// block_on(squares.next()).unwrap()?;
    /// assert_eq!(squares.in_flight(), 15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_flight(&self) -> usize {
        self.channel.window.len() - usize::from(self.place.is_some())
    }

    /// Asks for no more items: those that are under way are the last ones.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(2).build()?);
    /// let mut numbers = pool.map(0u64.., 3, async |i| i);
    /// assert_eq!(block_on(numbers.next()).unwrap()?, 0);
    /// numbers.stop();
    /// assert_eq!(block_on(numbers.next()).unwrap()?, 1);
    /// assert_eq!(block_on(numbers.next()).unwrap()?, 2);
    /// assert!(block_on(numbers.next()).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop(&mut self) {
        let items = self.items.take();
        if let Some(place) = self.place.take() {
            self.channel.window.vacate(place);
        }
        drop(items);
    }
}

impl<S, F, Fut, K> Mapped<S, F, Fut, K>
where
    K: Kind,
    S: Stream,
    S::Item: Send + 'static,
    F: Fn(S::Item) -> Fut + Send + Sync + 'static,
    Fut: Job<K>,
    Fut::Output: Send + 'static,
{
    /// The next result, or `None` when there will be none.
    ///
    /// # Errors
    ///
    /// A result is an error when its job has no outcome: it panicked, was cancelled or refused. So is a
    /// panic of the items' iterator or stream, which is the last result.
    ///
    /// # Cancel safety
    ///
    /// No result is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::LoopPool;
    /// use thrasks_pool::TaskPool;
    ///
    /// let pool = TaskPool::new(LoopPool::builder().threads(2).build()?);
    /// let mut doubled = pool.map([1, 2], 8, async |i| i * 2);
    /// futures_lite::future::block_on(async {
    ///     assert_eq!(doubled.next().await.unwrap()?, 2);
    ///     assert_eq!(doubled.next().await.unwrap()?, 4);
    ///     assert!(doubled.next().await.is_none());
    ///     Ok::<(), thrasks_pool::JoinError>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn next(&mut self) -> Option<Result<Fut::Output, JoinError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Submits a job for each item that there is room for.
    fn refill(&mut self, cx: &mut Context<'_>) {
        while let Some(items) = &mut self.items {
            let place = self.place.take().or_else(|| self.channel.window.reserve());
            let Some(place) = place else { return };
            match catch_unwind(AssertUnwindSafe(|| items.as_mut().poll_next(cx))) {
                Ok(Poll::Pending) => {
                    self.place = Some(place);
                    return;
                }
                Ok(Poll::Ready(Some(item))) => self.launch(item, place),
                Ok(Poll::Ready(None)) => {
                    let items = self.items.take();
                    match catch_unwind(AssertUnwindSafe(|| drop(items))) {
                        Ok(()) => _ = self.channel.window.vacate(place),
                        Err(payload) => self.channel.fill(place, Err(JoinError::panicked(payload))),
                    }
                }
                Err(payload) => {
                    let items = self.items.take();
                    quietly(|| drop(items));
                    self.channel.fill(place, Err(JoinError::panicked(payload)));
                }
            }
        }
    }

    fn launch(&mut self, item: S::Item, place: Place) {
        let index = place.index();
        let f = self.f.clone();
        let (handle, taken) =
            self.pool.launch(move || f(item), Some((self.channel.clone(), place)));
        if index >= self.handles.len() {
            self.handles.resize_with(index + 1, || None);
        }
        self.handles[index] = Some(handle);
        if !taken {
            let items = self.items.take();
            quietly(|| drop(items));
        }
    }
}

type Outcome<Fut> = Result<<Fut as Future>::Output, JoinError>;

impl<S, F, Fut, K> Stream for Mapped<S, F, Fut, K>
where
    K: Kind,
    S: Stream,
    S::Item: Send + 'static,
    F: Fn(S::Item) -> Fut + Send + Sync + 'static,
    Fut: Job<K>,
    Fut::Output: Send + 'static,
{
    type Item = Result<Fut::Output, JoinError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.refill(cx);
        match this.channel.poll_take(cx) {
            Poll::Ready(Some((index, outcome))) => {
                if let Some(handle) = this.handles.get_mut(index) {
                    *handle = None;
                }
                Poll::Ready(Some(outcome))
            }
            // Whatever items there are have no place reserved only if the pool was closed.
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S, F, Fut: Future, K: Kind> Drop for Mapped<S, F, Fut, K> {
    fn drop(&mut self) {
        // First the window: the cancelled jobs then have no place for their outcome.
        self.channel.close();
        self.handles.clear();
    }
}

impl<S, F, Fut: Future, K: Kind> fmt::Debug for Mapped<S, F, Fut, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped")
            .field("window", &self.channel.window)
            .field("has_items", &self.items.is_some())
            .finish_non_exhaustive()
    }
}

/// An iterator as a stream: what [`TaskPool::map`] maps.
///
/// # Examples
///
/// ```
/// use thrasks_loop::LoopPool;
/// use thrasks_pool::{Iterated, Local, Mapped, TaskPool};
///
/// type Ready = std::future::Ready<u8>;
/// type Numbers = Mapped<Iterated<std::ops::Range<u8>>, fn(u8) -> Ready, Ready, Local>;
///
/// let pool = TaskPool::new(LoopPool::builder().threads(1).build()?);
/// let mut numbers: Numbers = pool.map(7..9, 1, std::future::ready);
/// assert_eq!(futures_lite::future::block_on(numbers.next()).unwrap()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Iterated<I>(I);

// It is not pinned in here.
impl<I> Unpin for Iterated<I> {}

impl<I: Iterator> Stream for Iterated<I> {
    type Item = I::Item;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.get_mut().0.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
