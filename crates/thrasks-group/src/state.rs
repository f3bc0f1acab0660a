use std::fmt;

use slab::Slab;

use crate::sync::{AtomicU64, AtomicUsize, Mutex, Ordering, lock};

/// The state machine of a task group: who is in it, whether it takes more, what went wrong.
///
/// It runs nothing and wakes nobody, so any group can be built on it: [`TaskGroup`](crate::TaskGroup)
/// is one, the Python package's another. The states, and what is refused in which, are those of
/// asyncio's `TaskGroup`.
///
/// `M` is what the group keeps of a member while that runs (what it needs to cancel it); `E` is a
/// failure.
///
/// # The life of a group
///
/// *new* → [`enter`](Self::enter) → *open* → [`begin_exit`](Self::begin_exit) → *exiting* → the last
/// member has left → *finished*. At any time [`abort`](Self::abort) makes it refuse new members and
/// names those to cancel, once. While it is exiting, the members that still run may bring in more.
///
/// # Invariant
///
/// A member is either refused, or among those that `abort` names, or admitted after nothing will be
/// aborted any more: never lost between. Nothing of `M` or `E` is dropped, and no foreign code runs,
/// with a lock held (cloning an `M` excepted).
///
/// # Examples
///
/// ```
/// use thrasks_group::{GroupState, Refusal};
///
/// let group = GroupState::<&str, String>::new();
/// assert_eq!(group.admit("early").unwrap_err().refusal, Refusal::NotEntered);
/// group.enter().unwrap();
///
/// let a = group.admit("a").unwrap();
/// let b = group.admit("b").unwrap();
/// group.begin_exit();
///
/// let left = group.leave(a, Some("broke".to_owned()));
/// assert!(!left.drained);
/// assert_eq!(group.abort(), Some(vec!["b"]));
/// assert_eq!(group.abort(), None);
/// assert_eq!(group.admit("late").unwrap_err().refusal, Refusal::ShuttingDown);
///
/// assert!(group.leave(b, None).drained);
/// assert_eq!(group.take_errors(), ["broke"]);
/// ```
//
// # Why none is lost
//
// What a group is, and how many members it has, are one number, `now`: each change of it is a
// read-modify-write, so they are totally ordered, and whoever makes one knows all before it. A
// member is counted only by an exchange of a value that said that the group takes it; and the one
// departure, or exit, that leaves no member and an exit behind is the last, for nothing is counted
// after it.
//
// The list has a lock of its own. Who is admitted is counted and listed with the lock held; `abort`
// raises its flag, and then takes the lock to read the list.
//
// - If the lock is the abort's first, the flag was raised before the other one takes it: that one's
//   exchange fails, and it is refused.
// - If it is the other one's first, it is in the list that the abort reads.
//
// A member that is listed later than it is counted (`list`) looks at the flag with the lock held: so
// it is told, or it is listed and named, in the same way.
//
// A departure releases what its member did, errors among it, and each read-modify-write of `now`
// continues that release: who finds the group finished acquires all of it.
pub struct GroupState<M, E> {
    /// How many members there are, in units of `ONE`, and the flags.
    now: AtomicUsize,
    /// How many members there have been: the order in which they came.
    admitted: AtomicU64,
    listed: Mutex<Slab<Listed<M>>>,
    errors: Mutex<Vec<(u64, E)>>,
}

struct Listed<M> {
    order: u64,
    member: M,
}

const ENTERED: usize = 1;
const EXITING: usize = 2;
const ABORTING: usize = 4;
/// One member.
const ONE: usize = 8;

/// What `now` says.
#[derive(Clone, Copy)]
struct Now(usize);

impl Now {
    fn is(self, flag: usize) -> bool {
        self.0 & flag != 0
    }

    fn members(self) -> usize {
        self.0 / ONE
    }

    fn refusal(self) -> Option<Refusal> {
        if !self.is(ENTERED) {
            Some(Refusal::NotEntered)
        } else if self.is(EXITING) && self.members() == 0 {
            Some(Refusal::Finished)
        } else if self.is(ABORTING) {
            Some(Refusal::ShuttingDown)
        } else {
            None
        }
    }
}

/// What is known after a member has gone, listed or not.
pub(crate) struct Gone {
    pub(crate) drained: bool,
    /// It was the last one of all: true of one member of a group at most.
    pub(crate) finished: bool,
}

/// A member's place in its group. Each is to be given back, once, in [`GroupState::leave`].
///
/// # Examples
///
/// ```
/// use thrasks_group::GroupState;
///
/// let group = GroupState::<&str, String>::new();
/// group.enter().unwrap();
/// let ticket = group.admit("a").unwrap();
/// assert_eq!(group.leave(ticket, None).member, "a");
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a group waits until the ticket is given back in leave()"]
pub struct Ticket {
    order: u64,
    place: usize,
}

/// A member that a group did not take.
///
/// # Examples
///
/// ```
/// use thrasks_group::{GroupState, Refusal};
///
/// let group = GroupState::<&str, String>::new();
/// let refused = group.admit("a").unwrap_err();
/// assert_eq!((refused.member, refused.refusal), ("a", Refusal::NotEntered));
/// ```
#[derive(Debug)]
pub struct Refused<M> {
    /// The member, given back.
    pub member: M,
    /// Why it was refused.
    pub refusal: Refusal,
}

/// Why a group does not take a member.
///
/// # Examples
///
/// ```
/// use thrasks_group::{GroupState, Refusal};
///
/// let group = GroupState::<&str, String>::new();
/// group.enter().unwrap();
/// group.abort();
/// assert_eq!(group.refusal(), Some(Refusal::ShuttingDown));
/// group.begin_exit();
/// assert_eq!(group.refusal(), Some(Refusal::Finished));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It has not been entered.
    NotEntered,
    /// It is exiting and its last member has left.
    Finished,
    /// It was aborted.
    ShuttingDown,
}

/// What a group knows after a member has left.
///
/// # Examples
///
/// ```
/// use thrasks_group::GroupState;
///
/// let group = GroupState::<&str, String>::new();
/// group.enter().unwrap();
/// let ticket = group.admit("a").unwrap();
/// let left = group.leave(ticket, None);
/// assert_eq!((left.member, left.drained), ("a", true));
/// ```
#[derive(Debug)]
#[must_use = "somebody may wait for the group to be drained"]
pub struct Left<M> {
    /// What the group kept of it.
    pub member: M,
    /// Whether it was the last one: whoever waits for the group is to be woken.
    pub drained: bool,
}

impl<M, E> GroupState<M, E> {
    /// A new group.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// assert!(!group.is_entered());
    /// ```
    pub fn new() -> Self {
        Self {
            now: AtomicUsize::new(0),
            admitted: AtomicU64::new(0),
            listed: Mutex::new(Slab::new()),
            errors: Mutex::new(Vec::new()),
        }
    }

    fn now(&self) -> Now {
        Now(self.now.load(Ordering::Acquire))
    }

    /// Opens the group.
    ///
    /// # Errors
    ///
    /// When it was entered before; it stays as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// assert!(group.enter().is_ok());
    /// assert_eq!(group.enter().unwrap_err().to_string(), "the group has already been entered");
    /// ```
    pub fn enter(&self) -> Result<(), AlreadyEntered> {
        let before = Now(self.now.fetch_or(ENTERED, Ordering::AcqRel));
        if before.is(ENTERED) { Err(AlreadyEntered) } else { Ok(()) }
    }

    /// Takes a member, unless the group is not open.
    ///
    /// # Errors
    ///
    /// Gives the member back, with the reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// assert_eq!(group.admit("a").unwrap_err().member, "a");
    /// group.enter().unwrap();
    /// let ticket = group.admit("a").unwrap();
    /// assert_eq!(group.leave(ticket, None).member, "a");
    /// ```
    pub fn admit(&self, member: M) -> Result<Ticket, Refused<M>> {
        let mut listed = lock(&self.listed);
        match self.count_in() {
            Ok(order) => Ok(Ticket { order, place: listed.insert(Listed { order, member }) }),
            Err(refusal) => Err(Refused { member, refusal }),
        }
    }

    /// Takes a member that is not listed: no abort names it. Gives its order.
    pub(crate) fn count_in(&self) -> Result<u64, Refusal> {
        let mut now = self.now();
        loop {
            if let Some(refusal) = now.refusal() {
                return Err(refusal);
            }
            let one_more = now.0 + ONE;
            let order = (Ordering::AcqRel, Ordering::Acquire);
            match self.now.compare_exchange_weak(now.0, one_more, order.0, order.1) {
                // Nothing hangs on this one but the sequence of the numbers.
                Ok(_) => return Ok(self.admitted.fetch_add(1, Ordering::Relaxed)),
                Err(other) => now = Now(other),
            }
        }
    }

    /// Counts something that belongs to a member, which is in, as another one.
    pub(crate) fn hold(&self) {
        self.now.fetch_add(ONE, Ordering::Relaxed);
    }

    /// A member that was counted, or something that was held, has gone.
    pub(crate) fn count_out(&self) -> Gone {
        let now = Now(self.now.fetch_sub(ONE, Ordering::AcqRel) - ONE);
        let drained = now.members() == 0;
        Gone { drained, finished: drained && now.is(EXITING) }
    }

    /// Lists a member that was counted, so that an abort names it. Gives it back if there was one.
    pub(crate) fn list(&self, order: u64, member: M) -> Result<usize, M> {
        let mut listed = lock(&self.listed);
        if self.is_aborting() { Err(member) } else { Ok(listed.insert(Listed { order, member })) }
    }

    /// Takes a member off the list.
    pub(crate) fn unlist(&self, place: usize) -> M {
        lock(&self.listed).remove(place).member
    }

    /// Keeps the failure of the member that came as this one.
    pub(crate) fn note(&self, order: u64, error: E) {
        lock(&self.errors).push((order, error));
    }

    /// Why the group would refuse a member now, if it would.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::{GroupState, Refusal};
    ///
    /// let group = GroupState::<&str, String>::new();
    /// assert_eq!(group.refusal(), Some(Refusal::NotEntered));
    /// group.enter().unwrap();
    /// assert_eq!(group.refusal(), None);
    /// ```
    pub fn refusal(&self) -> Option<Refusal> {
        self.now().refusal()
    }

    /// A member has ended, with a failure or without.
    ///
    /// # Panics
    ///
    /// When the ticket is of another group.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// group.enter().unwrap();
    /// let ticket = group.admit("a").unwrap();
    /// let left = group.leave(ticket, Some("broke".to_owned()));
    /// assert!(left.drained);
    /// assert_eq!(group.error_count(), 1);
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is given back once")]
    pub fn leave(&self, ticket: Ticket, error: Option<E>) -> Left<M> {
        let member = self.unlist(ticket.place);
        if let Some(error) = error {
            self.note(ticket.order, error);
        }
        Left { member, drained: self.count_out().drained }
    }

    /// Makes the group refuse new members, and names those to be cancelled, in the order in which
    /// they came; `None` if it was aborted before. Allowed before [`enter`](Self::enter), too.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// group.enter().unwrap();
    /// let _ticket = group.admit("a").unwrap();
    /// assert_eq!(group.abort(), Some(vec!["a"]));
    /// assert_eq!(group.abort(), None);
    /// ```
    pub fn abort(&self) -> Option<Vec<M>>
    where
        M: Clone,
    {
        self.abort_with(M::clone)
    }

    /// As [`abort`](Self::abort), for members that are cloned in a way of their own.
    ///
    /// `clone` is called with the group locked: it must not call back into the group.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<String, ()>::new();
    /// group.enter().unwrap();
    /// let _ticket = group.admit("a".to_owned()).unwrap();
    /// assert_eq!(group.abort_with(String::len), Some(vec![1]));
    /// assert_eq!(group.abort_with(String::len), None);
    /// ```
    pub fn abort_with<R>(&self, clone: impl Fn(&M) -> R) -> Option<Vec<R>> {
        let before = Now(self.now.fetch_or(ABORTING, Ordering::AcqRel));
        if before.is(ABORTING) { None } else { Some(self.members_with(clone)) }
    }

    /// What `read` says of each member, in the order in which they were admitted. With the lock held,
    /// as [`abort_with`](Self::abort_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// group.enter().unwrap();
    /// let (_a, b) = (group.admit("a").unwrap(), group.admit("bc").unwrap());
    /// assert_eq!(group.members_with(|member| member.len()), [1, 2]);
    /// let _left = group.leave(b, None);
    /// assert_eq!(group.members_with(|member| member.len()), [1]);
    /// ```
    pub fn members_with<R>(&self, read: impl Fn(&M) -> R) -> Vec<R> {
        let listed = lock(&self.listed);
        let mut members: Vec<_> = listed.iter().map(|(_, member)| member).collect();
        members.sort_unstable_by_key(|member| member.order);
        members.into_iter().map(|member| read(&member.member)).collect()
    }

    /// The body has ended: from now on the group is finished whenever it has no member. Returns
    /// whether it is finished now.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// group.enter().unwrap();
    /// let ticket = group.admit("a").unwrap();
    /// assert!(!group.begin_exit());
    /// assert!(group.leave(ticket, None).drained);
    /// ```
    pub fn begin_exit(&self) -> bool {
        Now(self.now.fetch_or(EXITING, Ordering::AcqRel)).members() == 0
    }

    /// Whether the group is finished: it was entered, its body has ended, and it has no member any
    /// more. It stays so.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// group.enter().unwrap();
    /// assert!(!group.is_finished());
    /// group.begin_exit();
    /// assert!(group.is_finished());
    /// ```
    pub fn is_finished(&self) -> bool {
        self.now().refusal() == Some(Refusal::Finished)
    }

    /// Whether the group was entered.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// assert!(!group.is_entered());
    /// group.enter().unwrap();
    /// assert!(group.is_entered());
    /// ```
    pub fn is_entered(&self) -> bool {
        self.now().is(ENTERED)
    }

    /// Whether the group was aborted.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// assert!(!group.is_aborting());
    /// group.abort();
    /// assert!(group.is_aborting());
    /// ```
    pub fn is_aborting(&self) -> bool {
        self.now().is(ABORTING)
    }

    /// How many members run.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// group.enter().unwrap();
    /// let _ticket = group.admit("a").unwrap();
    /// assert_eq!(group.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.now().members()
    }

    /// Whether no member runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// assert!(group.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many failures wait to be taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// assert_eq!(group.error_count(), 0);
    /// ```
    pub fn error_count(&self) -> usize {
        lock(&self.errors).len()
    }

    /// The failures, in the order in which the members that failed had come.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// group.enter().unwrap();
    /// let (a, b) = (group.admit("a").unwrap(), group.admit("b").unwrap());
    /// let _left = group.leave(b, Some("b broke".to_owned()));
    /// let _left = group.leave(a, Some("a broke".to_owned()));
    /// assert_eq!(group.take_errors(), ["a broke", "b broke"]);
    /// ```
    pub fn take_errors(&self) -> Vec<E> {
        let mut errors = std::mem::take(&mut *lock(&self.errors));
        errors.sort_by_key(|(order, _)| *order);
        errors.into_iter().map(|(_, error)| error).collect()
    }

    /// The failures, in the order in which they happened.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::GroupState;
    ///
    /// let group = GroupState::<&str, String>::new();
    /// group.enter().unwrap();
    /// let (a, b) = (group.admit("a").unwrap(), group.admit("b").unwrap());
    /// let _left = group.leave(b, Some("b broke".to_owned()));
    /// let _left = group.leave(a, Some("a broke".to_owned()));
    /// assert_eq!(group.take_errors_as_they_came(), ["b broke", "a broke"]);
    /// ```
    pub fn take_errors_as_they_came(&self) -> Vec<E> {
        let errors = std::mem::take(&mut *lock(&self.errors));
        errors.into_iter().map(|(_, error)| error).collect()
    }
}

impl<M, E> Default for GroupState<M, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M, E> fmt::Debug for GroupState<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.now();
        f.debug_struct("GroupState")
            .field("members", &now.members())
            .field("errors", &self.error_count())
            .field("entered", &now.is(ENTERED))
            .field("exiting", &now.is(EXITING))
            .field("aborting", &now.is(ABORTING))
            .finish()
    }
}

/// A group was entered twice.
///
/// # Examples
///
/// ```
/// use thrasks_group::{AlreadyEntered, GroupState};
///
/// let group = GroupState::<&str, String>::new();
/// group.enter().unwrap();
/// assert_eq!(group.enter(), Err(AlreadyEntered));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyEntered;

impl fmt::Display for AlreadyEntered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the group has already been entered")
    }
}

impl std::error::Error for AlreadyEntered {}
