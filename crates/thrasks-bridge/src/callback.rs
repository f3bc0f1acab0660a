//! From callbacks to streams and futures.

mod once;

use std::sync::Arc;

pub use once::{Once, Resolver, once_from_callback};

use crate::{
    Execute, Sender, ThreadStream,
    channel::channel,
    ending::Ending,
    stream::{Duty, quick},
};

/// Runs code on a thread that calls back, and streams what it is called back with.
///
/// `run` is given the sender to send from its callbacks, as often and from as many threads as they
/// like; each blocks while the stream is full. The stream ends when `run` has returned and all
/// senders are gone, or one of them has [closed](Sender::close) it. A panic of `run` is its last
/// item. When the stream is closed or dropped, the senders get their items back:
/// [`Sender::wait_closed`] is how a `run` that only registers a callback waits for that.
///
/// # Panics
///
/// When `capacity` is 0.
///
/// # Examples
///
/// ```
/// use futures_lite::{StreamExt, future::block_on};
/// use thrasks_bridge::{OwnThread, stream_from_callback};
///
/// fn watch(mut seen: impl FnMut(u32)) {
///     (0..3).for_each(|i| seen(i));
/// }
///
/// let stream = stream_from_callback(&OwnThread::new(), 8, |sender| {
///     // A send that fails says that nobody listens any more.
///     watch(|item| drop(sender.send(item)));
/// });
/// let items: Vec<_> = block_on(stream.try_collect())?;
/// assert_eq!(items, [0, 1, 2]);
/// # Ok::<(), thrasks_bridge::JoinError>(())
/// ```
#[track_caller]
pub fn stream_from_callback<T, F>(
    on: &(impl Execute + ?Sized),
    capacity: impl Into<Option<usize>>,
    run: F,
) -> ThreadStream<T>
where
    F: FnOnce(Sender<T>) + Send + 'static,
    T: Send + 'static,
{
    let (sender, receiver) = channel(capacity);
    let ending = Arc::new(Ending::default());
    let duty = Duty { ending: ending.clone(), source: Some(sender) };
    ThreadStream::submit(on, receiver, ending, move || {
        duty.fulfil(|sender| {
            // The duty keeps one: the stream does not end before the error is there.
            let sender = sender.clone();
            (quick(|| run(sender)).err(), None)
        });
    })
}
