use std::{error::Error, fmt};

use crate::Failure;

/// What went wrong in a group: every failure, in the order in which the children were spawned, the
/// body's last. None at all if the group was cancelled before its body had ended.
///
/// # Examples
///
/// ```
/// use thrasks_group::{GroupError, TaskGroup};
/// use thrasks_loop::LoopPool;
///
/// let pool = LoopPool::builder().threads(2).build()?;
/// let result: Result<(), GroupError<&str>> = futures_lite::future::block_on(
///     TaskGroup::builder(&pool).collect_errors().scope(async |group| {
///         for name in ["a", "b"] {
///             group.spawn(move || async move { Err::<(), _>(name) }).unwrap();
///         }
///         Err("body")
///     }),
/// );
/// let error = result.unwrap_err();
/// assert_eq!(error.to_string(), "3 failures in a task group: a; b; body");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct GroupError<E> {
    failures: Vec<Failure<E>>,
}

impl<E> GroupError<E> {
    pub(crate) fn new(failures: Vec<Failure<E>>) -> Self {
        Self { failures }
    }

    /// Whether nothing failed: the group was cancelled, so that its body has no value.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_group::{GroupError, TaskGroup};
    /// use thrasks_loop::LoopPool;
    ///
    /// let pool = LoopPool::builder().threads(1).build()?;
    /// let result: Result<(), GroupError<String>> =
    ///     futures_lite::future::block_on(TaskGroup::scope(&pool, async |group| {
    ///         group.cancel();
    ///         std::future::pending().await
    ///     }));
    /// assert!(result.unwrap_err().is_cancelled());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.failures.is_empty()
    }

    /// The failures.
    ///
    /// # Examples
    ///
    /// ```
    /// # use thrasks_group::TaskGroup;
    /// # use thrasks_loop::LoopPool;
    /// # let pool = LoopPool::builder().threads(1).build()?;
    /// # let scope = TaskGroup::scope(&pool, async |_| Err::<(), _>("no such host"));
    /// # let error = futures_lite::future::block_on(scope).unwrap_err();
    /// for failure in error.failures() {
    ///     eprintln!("{failure}");
    /// }
    /// assert_eq!(error.failures().len(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn failures(&self) -> &[Failure<E>] {
        &self.failures
    }

    /// The failures, to keep.
    ///
    /// # Examples
    ///
    /// ```
    /// # use thrasks_group::TaskGroup;
    /// # use thrasks_loop::LoopPool;
    /// # let pool = LoopPool::builder().threads(1).build()?;
    /// # let scope = TaskGroup::scope(&pool, async |_| Err::<(), _>("no such host"));
    /// # let error = futures_lite::future::block_on(scope).unwrap_err();
    /// let first = error.into_failures().remove(0);
    /// assert_eq!(first.into_error().unwrap(), "no such host");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_failures(self) -> Vec<Failure<E>> {
        self.failures
    }

    /// Lets the first panic among the failures go on, here, if there is one; gives the error back
    /// otherwise.
    ///
    /// # Panics
    ///
    /// When a child did, with the same payload.
    ///
    /// # Examples
    ///
    /// ```should_panic
    /// # use thrasks_group::TaskGroup;
    /// # use thrasks_loop::LoopPool;
    /// # let pool = LoopPool::builder().threads(1).build().unwrap();
    /// # let scope = TaskGroup::scope(&pool, async |group| {
    /// #     group.spawn::<_, _, ()>(|| async { panic!("oops") }).unwrap();
    /// #     Ok::<(), String>(())
    /// # });
    /// # let error = futures_lite::future::block_on(scope).unwrap_err();
    /// let _not_a_panic = error.resume_panic();
    /// ```
    #[must_use = "an error without a panic is given back"]
    pub fn resume_panic(mut self) -> Self {
        if let Some(first) = self.failures.iter().position(Failure::is_panic) {
            let _never_back = self.failures.swap_remove(first).resume_panic();
        }
        self
    }
}

impl<E: fmt::Debug> fmt::Debug for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_cancelled() {
            return f.write_str("GroupError::Cancelled");
        }
        f.write_str("GroupError")?;
        f.debug_list().entries(&self.failures).finish()
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failures[..] {
            [] => f.write_str("the task group was cancelled"),
            [failure] => failure.fmt(f),
            [first, rest @ ..] => {
                write!(f, "{} failures in a task group: {first}", self.failures.len())?;
                rest.iter().try_for_each(|failure| write!(f, "; {failure}"))
            }
        }
    }
}

// For every `E` that can be shown, such as a boxed error, which is no `Error` itself. So the sources
// of the errors are reached through `failures`, not through `source`.
impl<E: fmt::Debug + fmt::Display> Error for GroupError<E> {}
