use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use thrasks_sched::Reason;

use crate::{
    quiet::quietly,
    sync::{Mutex, lock},
};

/// The bound on what may wait to be started, fair: a permit that comes back goes to whoever has
/// waited longest, and to nobody else.
pub(crate) struct Permits {
    line: Mutex<Line>,
}

/// While anybody waits, no permit is left: one that comes back is handed over.
struct Line {
    left: usize,
    /// In the order of their numbers.
    waiting: VecDeque<Waiter>,
    next: u64,
    closed: bool,
}

struct Waiter {
    number: u64,
    waker: Waker,
}

/// The right of one task to wait; given back when the task starts or is dropped.
pub(crate) struct Permit {
    permits: Arc<Permits>,
}

impl Permits {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        let line = Line { left: capacity, waiting: VecDeque::new(), next: 0, closed: false };
        Arc::new(Self { line: Mutex::new(line) })
    }

    pub(crate) fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        let mut line = lock(&self.line);
        line.left = line.left.checked_sub(1)?;
        Some(Permit { permits: self.clone() })
    }

    /// A permit of a bound, or none where there is no bound.
    pub(crate) fn try_acquire_of(permits: Option<&Arc<Self>>) -> Result<Option<Permit>, Reason> {
        match permits {
            None => Ok(None),
            Some(permits) => permits.try_acquire().map(Some).ok_or(Reason::Full),
        }
    }

    /// Waits for a permit. Gives none once the bound is closed.
    pub(crate) fn acquire(self: &Arc<Self>) -> Acquire {
        Acquire { permits: self.clone(), place: Place::Outside }
    }

    /// Nobody is to wait any more.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut line = lock(&self.line);
            line.closed = true;
            mem::take(&mut line.waiting)
        };
        for waiter in waiting {
            quietly(|| waiter.waker.wake());
        }
    }

    fn give_back(&self) {
        let mut line = lock(&self.line);
        match line.waiting.pop_front() {
            // The permit is this one's now: its number is no longer in line.
            Some(waiter) => {
                drop(line);
                quietly(|| waiter.waker.wake());
            }
            None => line.left += 1,
        }
    }
}

/// Waits for a permit.
///
/// Cancel safe: dropped in line it leaves the line, dropped with a permit that it was handed and
/// has not seen it gives that back, to the next in line.
#[derive(Debug)]
pub(crate) struct Acquire {
    permits: Arc<Permits>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Outside,
    /// In line, or handed a permit when the number is not in line any more.
    Number(u64),
    Done,
}

impl Future for Acquire {
    type Output = Option<Permit>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // Cloned outside the lock, as is dropped whatever waker there was before.
        let waker = cx.waker().clone();
        let mut line = lock(&this.permits.line);
        let had_number = matches!(this.place, Place::Number(_));
        if line.closed {
            this.place = Place::Done;
            return Poll::Ready(None);
        }
        match this.place {
            Place::Number(number) => {
                if let Ok(at) = line.find(number) {
                    let old = mem::replace(&mut line.waiting[at].waker, waker);
                    drop(line);
                    drop(old);
                    return Poll::Pending;
                }
            }
            _ => match line.left.checked_sub(1) {
                Some(left) => line.left = left,
                None => {
                    let number = line.next;
                    line.next += 1;
                    line.waiting.push_back(Waiter { number, waker });
                    this.place = Place::Number(number);
                    return Poll::Pending;
                }
            },
        }
        debug_assert!(had_number || line.waiting.is_empty(), "nobody waits while permits are left");
        drop(line);
        this.place = Place::Done;
        Poll::Ready(Some(Permit { permits: this.permits.clone() }))
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let Place::Number(number) = self.place else { return };
        let mut line = lock(&self.permits.line);
        match line.find(number) {
            Ok(at) => {
                let waiter = line.waiting.remove(at);
                drop(line);
                drop(waiter);
            }
            Err(_) => {
                drop(line);
                self.permits.give_back();
            }
        }
    }
}

impl Line {
    fn find(&self, number: u64) -> Result<usize, usize> {
        self.waiting.binary_search_by_key(&number, |waiter| waiter.number)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.give_back();
    }
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = lock(&self.line);
        f.debug_struct("Permits")
            .field("left", &line.left)
            .field("waiting", &line.waiting.len())
            .finish()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

#[cfg(all(test, not(thrasks_loom)))]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll(acquire: &mut Acquire, waker: &Waker) -> Poll<Option<Permit>> {
        Pin::new(acquire).poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn a_permit_goes_to_the_one_who_waited_longest_and_to_nobody_else() {
        let permits = Permits::new(1);
        let held = permits.try_acquire().unwrap();
        let (mut first, mut second) = (permits.acquire(), permits.acquire());
        let woken = Arc::new(Count::default());
        let waker = woken.clone().into();
        assert!(poll(&mut first, &waker).is_pending());
        assert!(poll(&mut second, Waker::noop()).is_pending());

        drop(held);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        // It has been handed over, though `first` has not looked yet.
        assert!(permits.try_acquire().is_none());
        assert!(poll(&mut permits.acquire(), Waker::noop()).is_pending());
        assert!(poll(&mut second, Waker::noop()).is_pending());
        let Poll::Ready(Some(held)) = poll(&mut first, &waker) else { panic!("it is first's") };
        drop(held);
        assert!(matches!(poll(&mut second, Waker::noop()), Poll::Ready(Some(_))));
    }

    #[test]
    fn one_who_leaves_the_line_takes_nothing_along() {
        let permits = Permits::new(1);
        let held = permits.try_acquire().unwrap();
        let (mut first, mut second) = (permits.acquire(), permits.acquire());
        assert!(poll(&mut first, Waker::noop()).is_pending());
        assert!(poll(&mut second, Waker::noop()).is_pending());
        let mut third = permits.acquire();
        assert!(poll(&mut third, Waker::noop()).is_pending());

        // Out of line, without a permit.
        drop(second);
        drop(held);
        // With one that it has not seen: it goes on to the next.
        drop(first);
        let Poll::Ready(Some(held)) = poll(&mut third, Waker::noop()) else { panic!("third's") };
        drop((held, third));
        assert!(permits.try_acquire().is_some());
    }

    #[test]
    fn closing_ends_the_waiting() {
        let permits = Permits::new(0);
        let mut acquire = permits.acquire();
        let woken = Arc::new(Count::default());
        assert!(poll(&mut acquire, &woken.clone().into()).is_pending());
        permits.close();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(matches!(poll(&mut acquire, Waker::noop()), Poll::Ready(None)));
        assert!(matches!(poll(&mut permits.acquire(), Waker::noop()), Poll::Ready(None)));
    }
}
