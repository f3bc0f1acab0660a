use std::{
    collections::VecDeque,
    mem,
    task::{Context, Waker},
    time::Instant,
};

use super::{Empty, TrySendError};
use crate::{
    quiet::wake,
    sync::{AtomicBool, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, lock, wait},
    waiting::while_waiting,
};

/// Somebody is blocked, or was a moment ago.
const BLOCKED: usize = 1;
/// One item, in the counts.
const ONE: usize = 2;

/// What the two ends of a channel share.
///
/// Items go through a queue under a lock. A sender takes the lock for each item; the receiver only
/// when it has nothing more of its own: it swaps the whole queue with its own empty one. What it
/// gives out of its own it counts in `gate`, an atomic, and the bound counts with that.
///
/// # Why the receiver misses no item
///
/// It leaves its waker with the queue found empty under the lock; a sender takes the waker out
/// under the lock that it adds the item with. So one of the two finds what the other left.
///
/// # Why a blocked sender misses no room
///
/// `gate` is how many items were given out, in steps of [`ONE`], and the flag [`BLOCKED`]. All who
/// change it do so by read-modify-writes, which are totally ordered. With the lock held, a sender
/// that found no room first writes to `wake_at` at which count it is to be woken, then raises the
/// flag, and looks again at the count which that gives it: if there is still no room it sleeps,
/// letting go of the lock only as it does.
///
/// - What the receiver gave out before the flag was raised the sender has seen.
/// - What it gives out after, it gives out with the flag found raised, and, acquiring what the
///   sender released with the flag, `wake_at` found as the sender left it, or a later one. The
///   receiver wakes everybody when the count has reached it, and takes the lock to lower the flag,
///   so nobody is between its look and its sleep then.
///   (An earlier mark than the sender's own would only wake it too soon.)
/// - A later `wake_at` is another sender's, which blocked after. It is at most the count of all
///   items that were sent by then, so the receiver reaches it. If the count had reached it when the
///   receiver read it, everybody is woken, as said. If not, the receiver has more to give out, with
///   the flag still raised.
///
/// Counts wrap around: they are compared by their differences, which the bound keeps small.
pub(super) struct Shared<T> {
    state: Mutex<State<T>>,
    /// Told when a sender may find room, and when the channel is closed.
    room: Condvar,
    capacity: Option<usize>,
    /// The count at which the receiver is to wake the senders.
    wake_at: AtomicUsize,
    /// A copy of the state's, to look at without the lock.
    closed: AtomicBool,
    gate: Padded,
}

/// On a cache line of its own: the receiver writes it for each item.
#[repr(align(128))]
struct Padded(AtomicUsize);

struct State<T> {
    items: VecDeque<T>,
    /// How many items were sent, in steps of [`ONE`].
    sent: usize,
    /// The same, for show.
    total: u64,
    senders: usize,
    closed: bool,
    /// Only there while the receiver waits.
    receiver: Option<Waker>,
}

/// How long a sender waits for room.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    None,
    Until(Instant),
    Endless,
}

/// Why a sender did not get room.
pub(super) enum NoRoom {
    Late,
    Closed,
}

impl<T> Shared<T> {
    pub(super) const ONE: usize = ONE;

    pub(super) fn new(capacity: Option<usize>) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                sent: 0,
                total: 0,
                senders: 0,
                closed: false,
                receiver: None,
            }),
            room: Condvar::new(),
            capacity,
            wake_at: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            gate: Padded(AtomicUsize::new(0)),
        }
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn total(&self) -> u64 {
        lock(&self.state).total
    }

    pub(super) fn queued(&self) -> usize {
        lock(&self.state).items.len()
    }

    /// How many more items there is room for, when so many were sent, by this value of the gate.
    fn room(&self, sent: usize, gate: usize) -> usize {
        let Some(capacity) = self.capacity else { return usize::MAX };
        capacity - sent.wrapping_sub(gate & !BLOCKED) / ONE
    }

    /// How many more items there is room for, for the only sender there is, which has sent so many.
    pub(super) fn room_now(&self, sent: usize) -> usize {
        self.room(sent, self.gate.0.load(Ordering::Acquire))
    }

    pub(super) fn add_sender(&self) {
        lock(&self.state).senders += 1;
    }

    pub(super) fn drop_sender(&self) {
        let mut state = lock(&self.state);
        state.senders -= 1;
        let receiver = if state.senders == 0 { state.receiver.take() } else { None };
        drop(state);
        wake(receiver);
    }

    /// Sends an item that there is room for, unless the channel is closed.
    pub(super) fn push(&self, item: T) -> Result<(), T> {
        let state = lock(&self.state);
        if state.closed {
            drop(state);
            return Err(item);
        }
        self.add(state, item);
        Ok(())
    }

    fn add(&self, mut state: MutexGuard<'_, State<T>>, item: T) {
        state.items.push_back(item);
        state.sent = state.sent.wrapping_add(ONE);
        state.total += 1;
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
    }

    /// Sends an item when there is room.
    pub(super) fn send(&self, item: T, patience: Patience) -> Result<(), TrySendError<T>> {
        loop {
            let state = lock(&self.state);
            if state.closed {
                drop(state);
                return Err(TrySendError::Closed(item));
            }
            if self.room(state.sent, self.gate.0.load(Ordering::Acquire)) > 0 {
                self.add(state, item);
                return Ok(());
            }
            drop(state);
            let deadline = match patience {
                Patience::None => return Err(TrySendError::Full(item)),
                Patience::Until(deadline) => Some(deadline),
                Patience::Endless => None,
            };
            match self.wait_room(deadline) {
                // Or somebody else has it by now.
                Ok(()) => {}
                Err(NoRoom::Late) => return Err(TrySendError::Full(item)),
                Err(NoRoom::Closed) => return Err(TrySendError::Closed(item)),
            }
        }
    }

    /// Blocks while the channel is full.
    pub(super) fn wait_room(&self, deadline: Option<Instant>) -> Result<(), NoRoom> {
        let Some(capacity) = self.capacity else { return Ok(()) };
        while_waiting(|| {
            let mut state = lock(&self.state);
            let mut late = false;
            loop {
                if state.closed {
                    return Err(NoRoom::Closed);
                }
                let wake_at = state.sent.wrapping_sub(capacity / 2 * ONE);
                self.wake_at.store(wake_at, Ordering::Relaxed);
                let gate = self.gate.0.fetch_or(BLOCKED, Ordering::AcqRel);
                if self.room(state.sent, gate) > 0 {
                    return Ok(());
                }
                if late {
                    return Err(NoRoom::Late);
                }
                (state, late) = wait(&self.room, state, deadline);
            }
        })
    }

    /// The receiver gives an item out.
    pub(super) fn give_out(&self) {
        if self.capacity.is_none() {
            return;
        }
        let old = self.gate.0.fetch_add(ONE, Ordering::AcqRel);
        if old & BLOCKED == 0 {
            return;
        }
        let count = (old & !BLOCKED).wrapping_add(ONE);
        let beyond = count.wrapping_sub(self.wake_at.load(Ordering::Relaxed));
        if beyond.cast_signed() >= 0 {
            let state = lock(&self.state);
            self.gate.0.fetch_and(!BLOCKED, Ordering::AcqRel);
            drop(state);
            self.room.notify_all();
        }
    }

    /// Swaps the queue with the receiver's own, which is empty, unless it is empty too. The
    /// receiver is woken when that changes, if it says where.
    pub(super) fn refill(
        &self,
        own: &mut VecDeque<T>,
        cx: Option<&mut Context<'_>>,
    ) -> Result<(), Empty> {
        let mut state = lock(&self.state);
        // Of a poll that was not waited for, or the one to be replaced.
        let old = state.receiver.take();
        let result = if !state.items.is_empty() {
            mem::swap(&mut state.items, own);
            Ok(())
        } else if state.closed || state.senders == 0 {
            Err(Empty::Ended)
        } else {
            state.receiver = cx.map(|cx| match old.as_ref() {
                Some(old) if old.will_wake(cx.waker()) => old.clone(),
                _ => cx.waker().clone(),
            });
            Err(Empty::Pending)
        };
        drop(state);
        drop(old);
        result
    }

    /// No item is sent any more. Those that were are still received, or given back here to be
    /// dropped.
    pub(super) fn close(&self, take: bool) -> VecDeque<T> {
        let mut state = lock(&self.state);
        state.closed = true;
        self.closed.store(true, Ordering::Release);
        let items = if take { mem::take(&mut state.items) } else { VecDeque::new() };
        let receiver = state.receiver.take();
        drop(state);
        self.room.notify_all();
        wake(receiver);
        items
    }

    /// Blocks until the channel is closed, or the deadline has passed. Returns whether it is.
    pub(super) fn wait_closed(&self, deadline: Option<Instant>) -> bool {
        while_waiting(|| {
            let mut state = lock(&self.state);
            let mut late = false;
            while !state.closed && !late {
                (state, late) = wait(&self.room, state, deadline);
            }
            state.closed
        })
    }
}
