use std::fmt;

/// How much each worker has to do: what a [`Placement`](crate::Placement) decides by.
///
/// A worker's load is the number of jobs queued for it plus the number of jobs it has started that
/// have not ended. It is a view: each figure is counted when it is asked for, and may have changed
/// when it is used.
///
/// # Examples
///
/// ```
/// use thrasks_sched::Loads;
///
/// let loads = Loads::from(&[3, 0, 2][..]);
/// assert_eq!(loads.len(), 3);
/// assert_eq!(loads.iter().sum::<usize>(), 5);
/// ```
#[derive(Clone, Copy)]
pub struct Loads<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Counted(&'a dyn Count),
    Given(&'a [usize]),
}

/// Counts the loads of a scheduler's workers; hides the type of its jobs from [`Loads`].
pub(crate) trait Count: Sync {
    fn workers(&self) -> usize;
    fn load(&self, worker: usize) -> Option<usize>;
}

impl<'a> Loads<'a> {
    pub(crate) fn counted(count: &'a dyn Count) -> Self {
        Self(Source::Counted(count))
    }

    /// How many workers there are.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Loads;
    ///
    /// assert_eq!(Loads::from(&[3, 0][..]).len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        match self.0 {
            Source::Counted(count) => count.workers(),
            Source::Given(loads) => loads.len(),
        }
    }

    /// Whether there are no workers, which no scheduler of this crate ever shows to a placement.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Loads;
    ///
    /// assert!(!Loads::from(&[3, 0][..]).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The load of `worker`.
    ///
    /// # Panics
    ///
    /// When `worker` is not below [`len`](Self::len).
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Loads;
    ///
    /// assert_eq!(Loads::from(&[3, 0][..]).get(1), 0);
    /// ```
    #[track_caller]
    pub fn get(&self, worker: usize) -> usize {
        let load = match self.0 {
            Source::Counted(count) => count.load(worker),
            Source::Given(loads) => loads.get(worker).copied(),
        };
        match load {
            Some(load) => load,
            None => panic!("no load of worker {worker}: there are {}, from 0", self.len()),
        }
    }

    /// The loads of all workers, from worker 0 on.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::Loads;
    ///
    /// let loads = Loads::from(&[3, 0, 2][..]);
    /// let idle = loads.iter().position(|load| load == 0);
    /// assert_eq!(idle, Some(1));
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = usize> + use<'a> {
        let loads = *self;
        (0..loads.len()).map(move |worker| loads.get(worker))
    }
}

/// Loads that are given, for instance to test a placement.
///
/// # Examples
///
/// ```
/// use thrasks_sched::{Loads, Placement, place_fn};
///
/// let first = place_fn(|_: &&str, _| Ok(0));
/// assert_eq!(first.place(&"job", &Loads::from(&[3, 0][..])).unwrap(), 0);
/// ```
impl<'a> From<&'a [usize]> for Loads<'a> {
    fn from(loads: &'a [usize]) -> Self {
        Self(Source::Given(loads))
    }
}

impl fmt::Debug for Loads<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
