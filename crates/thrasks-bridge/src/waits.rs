use std::{
    error::Error,
    fmt,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

/// Which loop's thread waits for which loop: what keeps two from waiting for each other.
///
/// A loop whose thread blocks until another loop has done something for it does nothing meanwhile.
/// If the other one, or one that that one waits for, waits for the first in its turn, neither ever
/// goes on. Whoever is about to block says so here first, and is told when it must not.
///
/// It is what database systems call a *wait-for graph*, in which a deadlock is a cycle; here none is
/// let in.
///
/// # Examples
///
/// ```
/// use thrasks_bridge::Waits;
///
/// static WAITS: Waits<u32> = Waits::new();
///
/// let waiting = WAITS.begin(Some(1), 2).unwrap();
/// assert!(WAITS.begin(Some(2), 1).is_err(), "1 waits for 2");
/// assert!(WAITS.begin(Some(3), 3).is_err(), "a loop never waits for itself");
/// drop(waiting);
/// assert!(WAITS.begin(Some(2), 1).is_ok());
/// ```
pub struct Waits<K> {
    /// From whom, on whom. They are few: at most one for each loop, as a rule.
    edges: Mutex<Vec<(K, K)>>,
}

impl<K> Waits<K> {
    /// One in which nobody waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::Waits;
    ///
    /// static WAITS: Waits<u32> = Waits::new();
    /// assert!(WAITS.begin(Some(1), 2).is_ok());
    /// ```
    #[must_use = "it is there to be asked"]
    pub const fn new() -> Self {
        Self { edges: Mutex::new(Vec::new()) }
    }
}

impl<K: Eq + Hash + Copy> Waits<K> {
    /// The thread of the loop `from`, or of none, is about to block until the loop `on` has done
    /// something. It does so until the guard is dropped.
    ///
    /// # Errors
    ///
    /// When `on` is `from`, or waits for it, directly or by way of others.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::Waits;
    ///
    /// let waits = Waits::new();
    /// let _from_no_loop = waits.begin(None, 1)?;
    /// let _1_for_2 = waits.begin(Some(1), 2)?;
    /// let _2_for_3 = waits.begin(Some(2), 3)?;
    /// let error = waits.begin(Some(3), 1).unwrap_err();
    /// assert_eq!(error.to_string(), "the loop that is to be waited for waits for this one");
    /// # Ok::<(), thrasks_bridge::WouldDeadlock>(())
    /// ```
    pub fn begin(&self, from: Option<K>, on: K) -> Result<WaitGuard<'_, K>, WouldDeadlock> {
        let Some(from) = from else { return Ok(WaitGuard { waits: self, edge: None }) };
        if from == on {
            return Err(WouldDeadlock { itself: true });
        }
        let mut edges = self.edges.lock().unwrap_or_else(PoisonError::into_inner);
        // Everybody whom `on` waits for. No cycle is ever let in, but two may wait for the same.
        let mut reached = vec![on];
        let mut next = 0;
        while let Some(&at) = reached.get(next) {
            next += 1;
            for &(_, to) in edges.iter().filter(|(waiter, _)| *waiter == at) {
                if to == from {
                    return Err(WouldDeadlock { itself: false });
                }
                if !reached.contains(&to) {
                    reached.push(to);
                }
            }
        }
        edges.push((from, on));
        Ok(WaitGuard { waits: self, edge: Some((from, on)) })
    }
}

impl<K> Default for Waits<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> fmt::Debug for Waits<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edges = self.edges.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("Waits").field("waiting", &edges).finish()
    }
}

/// A thread waits: see [`Waits::begin`].
///
/// # Examples
///
/// ```
/// use thrasks_bridge::{WaitGuard, Waits};
///
/// let waits = Waits::new();
/// let guard: WaitGuard<'_, u32> = waits.begin(Some(1), 2)?;
/// assert!(waits.begin(Some(2), 1).is_err());
/// drop(guard);
/// assert!(waits.begin(Some(2), 1).is_ok());
/// # Ok::<(), thrasks_bridge::WouldDeadlock>(())
/// ```
#[must_use = "the wait is over when it is dropped"]
pub struct WaitGuard<'a, K: Eq> {
    waits: &'a Waits<K>,
    edge: Option<(K, K)>,
}

impl<K: Eq> Drop for WaitGuard<'_, K> {
    fn drop(&mut self) {
        let Some(edge) = self.edge.take() else { return };
        let mut edges = self.waits.edges.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = edges.iter().position(|other| *other == edge) {
            edges.swap_remove(index);
        }
    }
}

impl<K: Eq> fmt::Debug for WaitGuard<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGuard")
            .field("from_a_loop", &self.edge.is_some())
            .finish_non_exhaustive()
    }
}

/// Blocking would never end: see [`Waits::begin`].
///
/// # Examples
///
/// ```
/// use thrasks_bridge::Waits;
///
/// let error = Waits::new().begin(Some(1), 1).unwrap_err();
/// assert!(error.is_itself());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WouldDeadlock {
    itself: bool,
}

impl WouldDeadlock {
    /// Whether the loop was to wait for itself, rather than for one that waits for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_bridge::Waits;
    ///
    /// let waits = Waits::new();
    /// assert!(waits.begin(Some(1), 1).unwrap_err().is_itself());
    /// let _waiting = waits.begin(Some(1), 2)?;
    /// assert!(!waits.begin(Some(2), 1).unwrap_err().is_itself());
    /// # Ok::<(), thrasks_bridge::WouldDeadlock>(())
    /// ```
    pub fn is_itself(&self) -> bool {
        self.itself
    }
}

impl fmt::Display for WouldDeadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.itself {
            "the loop would wait for itself"
        } else {
            "the loop that is to be waited for waits for this one"
        })
    }
}

impl Error for WouldDeadlock {}
