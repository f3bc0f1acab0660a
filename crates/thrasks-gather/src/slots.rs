use std::fmt;

use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

/// The outcomes of many jobs, each in its place, and the countdown to the last.
///
/// It runs nothing and wakes nobody, so a gather over any kind of task can be built on it: the Python
/// package's is. (The functions of this crate keep their tasks in such places, too.) Each slot has a lock of its own that only the job which
/// fills it and the one who collects ever take, so that jobs never wait for each other.
///
/// # Why the last one sees everything
///
/// A slot is written before the countdown is lowered, with `AcqRel`. The countdown's decrements
/// form one release sequence: whoever lowers it to zero has synchronised with every one before, and
/// sees every slot.
///
/// # Examples
///
/// ```
/// use thrasks_gather::Slots;
///
/// let slots = Slots::new(2);
/// assert!(!slots.fill(1, "b"));
/// assert!(slots.fill(0, "a"));
/// assert_eq!(slots.take_all(), [Some("a"), Some("b")]);
/// ```
pub struct Slots<T> {
    slots: Box<[Mutex<Option<T>>]>,
    left: AtomicUsize,
}

impl<T> Slots<T> {
    /// As many empty slots.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_gather::Slots;
    ///
    /// assert_eq!(Slots::<u8>::new(3).left(), 3);
    /// ```
    #[must_use = "slots are there to be filled"]
    pub fn new(count: usize) -> Self {
        Self {
            slots: (0..count).map(|_| Mutex::new(None)).collect(),
            left: AtomicUsize::new(count),
        }
    }

    /// Leaves an outcome in its place. Returns whether it was the last one to come.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, or was filled before.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_gather::Slots;
    ///
    /// let slots = Slots::new(2);
    /// assert!(!slots.fill(1, "b"));
    /// assert!(slots.fill(0, "a"));
    /// ```
    #[track_caller]
    pub fn fill(&self, index: usize, outcome: T) -> bool {
        self.place(index, outcome);
        self.settle(1)
    }

    /// Leaves an outcome in its place, and does not count it yet: see [`settle`](Self::settle).
    ///
    /// # Panics
    ///
    /// When `index` is out of range, or was filled before.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_gather::Slots;
    ///
    /// let slots = Slots::new(2);
    /// slots.place(0, "a");
    /// assert_eq!(slots.left(), 2);
    /// ```
    #[track_caller]
    pub fn place(&self, index: usize, outcome: T) {
        let old = lock(&self.slots[index]).replace(outcome);
        assert!(old.is_none(), "slot {index} was filled twice");
    }

    /// Counts so many outcomes that this thread has [placed](Self::place). Returns whether the last
    /// one is among them.
    ///
    /// Each outcome is counted once. The countdown is what threads that fill slots at the same time
    /// share: one that fills many in a row counts them together.
    ///
    /// # Panics
    ///
    /// When more are counted than there are slots.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_gather::Slots;
    ///
    /// let slots = Slots::new(3);
    /// assert!(!slots.fill(2, "c"));
    /// slots.place(0, "a");
    /// slots.place(1, "b");
    /// assert!(slots.settle(2));
    /// // Nothing was placed, and nothing is the last.
    /// assert!(!slots.settle(0));
    /// ```
    #[track_caller]
    pub fn settle(&self, count: usize) -> bool {
        if count == 0 {
            return false;
        }
        let left = self.left.fetch_sub(count, Ordering::AcqRel);
        assert!(count <= left, "{count} outcomes were counted where {left} were left");
        left == count
    }

    /// How many slots there are.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_gather::Slots;
    ///
    /// assert_eq!(Slots::<u8>::new(3).len(), 3);
    /// ```
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no slot at all.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_gather::Slots;
    ///
    /// assert!(Slots::<u8>::new(0).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many slots are still to be filled.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_gather::Slots;
    ///
    /// let slots = Slots::new(2);
    /// slots.fill(1, "b");
    /// assert_eq!(slots.left(), 1);
    /// ```
    pub fn left(&self) -> usize {
        self.left.load(Ordering::Acquire)
    }

    /// Takes what is in one slot now: `None` if it is empty, or there is no such slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_gather::Slots;
    ///
    /// let slots = Slots::new(2);
    /// slots.fill(1, "b");
    /// assert_eq!(slots.take(1), Some("b"));
    /// assert_eq!(slots.take(1), None);
    /// ```
    pub fn take(&self, index: usize) -> Option<T> {
        lock(self.slots.get(index)?).take()
    }

    /// Takes what is in the slots now, in order: `None` for one that is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_gather::Slots;
    ///
    /// let slots = Slots::new(2);
    /// slots.fill(1, "b");
    /// assert_eq!(slots.take_all(), [None, Some("b")]);
    /// ```
    pub fn take_all(&self) -> Vec<Option<T>> {
        self.slots.iter().map(|slot| lock(slot).take()).collect()
    }
}

impl<T> fmt::Debug for Slots<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").field("len", &self.len()).field("left", &self.left()).finish()
    }
}
