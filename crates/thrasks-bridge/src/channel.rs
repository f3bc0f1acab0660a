//! A bounded channel from threads into async code.

mod error;
mod feed;
mod receiver;
mod sender;
mod shared;

use std::sync::Arc;

pub use error::{Empty, SendError, TrySendError};
pub use feed::{Feed, Readiness};
pub use receiver::Receiver;
pub use sender::Sender;
use shared::Shared;

/// A channel from threads, which block while it is full, into async code.
///
/// It holds `capacity` items; with `None` any number. An item counts from when it is sent until the
/// receiver gives it out. Threads that are blocked on a full channel go on when it is half empty,
/// and the receiver is woken only when it waits: a fast sender costs no wake-up per item.
///
/// # Panics
///
/// When `capacity` is 0.
///
/// # Examples
///
/// ```
/// use thrasks_bridge::channel;
///
/// let (sender, mut receiver) = channel(16);
/// let thread = std::thread::spawn(move || (0..100).try_for_each(|i| sender.send(i)));
/// let sum = futures_lite::future::block_on(async {
///     let mut sum = 0;
///     while let Some(item) = receiver.next().await {
///         sum += item;
///     }
///     sum
/// });
/// assert_eq!(sum, 4950);
/// thread.join().unwrap()?;
/// # Ok::<(), thrasks_bridge::SendError<i32>>(())
/// ```
#[track_caller]
pub fn channel<T>(capacity: impl Into<Option<usize>>) -> (Sender<T>, Receiver<T>) {
    let capacity = capacity.into();
    assert!(
        capacity != Some(0),
        "a channel needs a capacity of at least 1, got 0: write None for one without a bound"
    );
    let shared = Arc::new(Shared::new(capacity));
    (Sender::new(shared.clone()), Receiver::new(shared))
}
