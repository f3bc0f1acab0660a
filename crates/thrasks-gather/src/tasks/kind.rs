use std::convert::Infallible;

use thrasks_group::Failure;

/// What a gather makes of the outcomes of its tasks, whose futures yield `O`. There are three:
/// [`All`], [`Try`] and [`Settled`].
///
/// # Examples
///
/// A function that takes every gather of numbers:
///
/// ```
/// use thrasks_gather::{GatherFuture, Kind, gather};
/// use thrasks_loop::LoopPool;
///
/// async fn finish<I, F, Fut, K>(gather: GatherFuture<I, K, u32>) -> K::Output
/// where
///     I: Iterator<Item = F>,
///     F: FnOnce() -> Fut + Send + 'static,
///     Fut: Future<Output = u32> + 'static,
///     K: Kind<u32>,
/// {
///     gather.await
/// }
///
/// let pool = LoopPool::builder().threads(1).build()?;
/// let gather = gather(&pool, (0..3).map(|i| move || async move { i }));
/// assert_eq!(futures_lite::future::block_on(finish(gather.into_future())).unwrap(), [0, 1, 2]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Kind<O>: private::Rules<O> {
    /// What the gather gives.
    type Output;

    #[doc(hidden)]
    fn collect<I>(outcomes: I, first_failure: Option<usize>) -> Self::Output
    where
        I: Iterator<Item = Result<Self::Value, Failure<Self::Error>>>;
}

pub(crate) mod private {
    use thrasks_group::Failure;

    /// The part of [`Kind`](super::Kind) that the tasks see. Here, so that nobody makes another.
    pub trait Rules<O>: 'static {
        type Value: Send + 'static;
        type Error: Send + 'static;
        /// Whether a failure cancels the rest.
        const FAIL_FAST: bool;
        fn split(output: O) -> Result<Self::Value, Failure<Self::Error>>;
    }
}

/// [`gather`](crate::gather): every value, or the first failure.
///
/// # Examples
///
/// ```
/// use thrasks_gather::{Failure, Gather, All, gather};
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(1).build()?;
/// let gather: Gather<_, All> = gather(&pool, [|| async { 7 }]);
/// let output: Result<Vec<u8>, Failure> = futures_lite::future::block_on(gather.into_future());
/// assert_eq!(output.unwrap(), [7]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct All(Infallible);

/// [`try_gather`](crate::try_gather): every value, or the first failure, errors included.
///
/// # Examples
///
/// ```
/// use thrasks_gather::{Failure, Gather, Try, try_gather};
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(1).build()?;
/// let gather: Gather<_, Try> = try_gather(&pool, [|| async { Ok(7) }]);
/// let output: Result<Vec<u8>, Failure<String>> = futures_lite::future::block_on(gather.into_future());
/// assert_eq!(output.unwrap(), [7]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Try(Infallible);

/// [`gather_settled`](crate::gather_settled): every outcome.
///
/// # Examples
///
/// ```
/// use thrasks_gather::{Failure, Gather, Settled, gather_settled};
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(1).build()?;
/// let gather: Gather<_, Settled> = gather_settled(&pool, [|| async { 7 }]);
/// let output: Vec<Result<u8, Failure>> = futures_lite::future::block_on(gather.into_future());
/// assert_eq!(output.len(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Settled(Infallible);

impl<O: Send + 'static> private::Rules<O> for All {
    type Value = O;
    type Error = Infallible;
    const FAIL_FAST: bool = true;

    fn split(output: O) -> Result<O, Failure> {
        Ok(output)
    }
}

impl<O: Send + 'static> Kind<O> for All {
    type Output = Result<Vec<O>, Failure>;

    fn collect<I>(outcomes: I, first_failure: Option<usize>) -> Self::Output
    where
        I: Iterator<Item = Result<O, Failure>>,
    {
        all_or_first(outcomes, first_failure)
    }
}

impl<T, E> private::Rules<Result<T, E>> for Try
where
    T: Send + 'static,
    E: Send + 'static,
{
    type Value = T;
    type Error = E;
    const FAIL_FAST: bool = true;

    fn split(output: Result<T, E>) -> Result<T, Failure<E>> {
        output.map_err(Failure::Error)
    }
}

impl<T, E> Kind<Result<T, E>> for Try
where
    T: Send + 'static,
    E: Send + 'static,
{
    type Output = Result<Vec<T>, Failure<E>>;

    fn collect<I>(outcomes: I, first_failure: Option<usize>) -> Self::Output
    where
        I: Iterator<Item = Result<T, Failure<E>>>,
    {
        all_or_first(outcomes, first_failure)
    }
}

impl<O: Send + 'static> private::Rules<O> for Settled {
    type Value = O;
    type Error = Infallible;
    const FAIL_FAST: bool = false;

    fn split(output: O) -> Result<O, Failure> {
        Ok(output)
    }
}

impl<O: Send + 'static> Kind<O> for Settled {
    type Output = Vec<Result<O, Failure>>;

    fn collect<I>(outcomes: I, _first_failure: Option<usize>) -> Self::Output
    where
        I: Iterator<Item = Result<O, Failure>>,
    {
        outcomes.collect()
    }
}

/// The failure that came first in time, where there is one: those it cancelled have failed, too.
fn all_or_first<T, E, I>(mut outcomes: I, first: Option<usize>) -> Result<Vec<T>, Failure<E>>
where
    I: Iterator<Item = Result<T, Failure<E>>>,
{
    match first.and_then(|first| outcomes.nth(first)) {
        Some(Err(failure)) => Err(failure),
        _ => outcomes.collect(),
    }
}
