/// Whom to wake after a push.
///
/// # Examples
///
/// ```
/// use thrasks_sched::{Queue, Scheduler, Wake};
///
/// let scheduler = Queue::new(2);
/// assert_eq!(scheduler.push("a").unwrap(), Wake::Nobody);
/// assert_eq!(scheduler.pop(1), Some("a"));
/// assert_eq!(scheduler.pop(0), None);
/// assert_eq!(scheduler.push("b").unwrap(), Wake::One(0));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a job may lie unseen until the named workers are woken"]
pub enum Wake {
    /// Nobody: a worker that is awake will find the job.
    #[default]
    Nobody,
    /// This worker.
    One(usize),
    /// Each of these workers; no number occurs twice.
    Many(Vec<usize>),
}

impl Wake {
    /// Calls `wake` with the number of each worker to be woken.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Wake;
    ///
    /// let mut woken = Vec::new();
    /// Wake::Many(vec![2, 0]).each(|worker| woken.push(worker));
    /// assert_eq!(woken, [2, 0]);
    /// ```
    pub fn each(&self, mut wake: impl FnMut(usize)) {
        match self {
            Self::Nobody => {}
            Self::One(worker) => wake(*worker),
            Self::Many(workers) => workers.iter().copied().for_each(wake),
        }
    }

    /// Both: everybody whom `self` or `other` names, each once.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Wake;
    ///
    /// assert_eq!(Wake::One(1).and(Wake::Nobody), Wake::One(1));
    /// assert_eq!(Wake::One(1).and(Wake::Many(vec![0, 1])), Wake::Many(vec![1, 0]));
    /// ```
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nobody, wake) | (wake, Self::Nobody) => wake,
            (Self::One(a), Self::One(b)) if a == b => Self::One(a),
            (a, b) => {
                let mut workers = match a {
                    Self::Many(workers) => workers,
                    Self::One(worker) => vec![worker],
                    Self::Nobody => Vec::new(),
                };
                b.each(|worker| {
                    if !workers.contains(&worker) {
                        workers.push(worker);
                    }
                });
                Self::Many(workers)
            }
        }
    }
}
