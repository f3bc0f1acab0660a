use std::fmt;

use slab::Slab;

use crate::sync::{Mutex, lock};

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
/// One lock guards {entered, exiting, aborting, members}. So a member is either refused, or among
/// those that `abort` names, or admitted after nothing will be aborted any more: never lost between.
/// Nothing of `M` or `E` is dropped, and no foreign code runs, with the lock held (cloning an `M`
/// excepted).
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
pub struct GroupState<M, E> {
    inner: Mutex<Inner<M, E>>,
}

struct Inner<M, E> {
    entered: bool,
    exiting: bool,
    aborting: bool,
    members: Slab<Member<M>>,
    /// How many members there have been.
    admitted: u64,
    errors: Vec<(u64, E)>,
}

struct Member<M> {
    order: u64,
    member: M,
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
pub struct Ticket(usize);

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
            inner: Mutex::new(Inner {
                entered: false,
                exiting: false,
                aborting: false,
                members: Slab::new(),
                admitted: 0,
                errors: Vec::new(),
            }),
        }
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
        let mut inner = lock(&self.inner);
        if inner.entered {
            return Err(AlreadyEntered);
        }
        inner.entered = true;
        Ok(())
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
        let mut inner = lock(&self.inner);
        if let Some(refusal) = inner.refusal() {
            return Err(Refused { member, refusal });
        }
        let order = inner.admitted;
        inner.admitted += 1;
        Ok(Ticket(inner.members.insert(Member { order, member })))
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
        lock(&self.inner).refusal()
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
        let mut inner = lock(&self.inner);
        let Member { order, member } = inner.members.remove(ticket.0);
        if let Some(error) = error {
            inner.errors.push((order, error));
        }
        Left { member, drained: inner.members.is_empty() }
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
        let mut inner = lock(&self.inner);
        if std::mem::replace(&mut inner.aborting, true) {
            return None;
        }
        Some(inner.in_order(clone))
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
        lock(&self.inner).in_order(read)
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
        let mut inner = lock(&self.inner);
        inner.exiting = true;
        inner.members.is_empty()
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
        lock(&self.inner).refusal() == Some(Refusal::Finished)
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
        lock(&self.inner).entered
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
        lock(&self.inner).aborting
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
        lock(&self.inner).members.len()
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
        lock(&self.inner).errors.len()
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
        let mut errors = std::mem::take(&mut lock(&self.inner).errors);
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
        let errors = std::mem::take(&mut lock(&self.inner).errors);
        errors.into_iter().map(|(_, error)| error).collect()
    }
}

impl<M, E> Inner<M, E> {
    fn in_order<R>(&self, read: impl Fn(&M) -> R) -> Vec<R> {
        let mut members: Vec<_> = self.members.iter().map(|(_, member)| member).collect();
        members.sort_unstable_by_key(|member| member.order);
        members.into_iter().map(|member| read(&member.member)).collect()
    }

    fn refusal(&self) -> Option<Refusal> {
        if !self.entered {
            Some(Refusal::NotEntered)
        } else if self.exiting && self.members.is_empty() {
            Some(Refusal::Finished)
        } else if self.aborting {
            Some(Refusal::ShuttingDown)
        } else {
            None
        }
    }
}

impl<M, E> Default for GroupState<M, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M, E> fmt::Debug for GroupState<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = lock(&self.inner);
        f.debug_struct("GroupState")
            .field("members", &inner.members.len())
            .field("errors", &inner.errors.len())
            .field("entered", &inner.entered)
            .field("exiting", &inner.exiting)
            .field("aborting", &inner.aborting)
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
