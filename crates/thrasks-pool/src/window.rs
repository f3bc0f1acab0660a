use std::{collections::VecDeque, fmt};

use slab::Slab;

use crate::sync::{Mutex, lock};

/// The places of a map: a hard bound on what is under way plus what waits to be taken.
///
/// It waits for nothing and wakes nobody. For each input a place is [reserved](Self::reserve), which
/// is [filled](Self::fill) with its result, from any thread, and [taken](Self::take) in the order of
/// the inputs, or, of an unordered one, in the order in which they were filled. An ordered one is the
/// sliding window of network protocols.
///
/// One lock guards it all. No value is dropped, and no foreign code runs, with the lock held.
///
/// # Examples
///
/// ```
/// use thrasks_pool::{Take, Window};
///
/// let window = Window::ordered(2);
/// let (a, b) = (window.reserve().unwrap(), window.reserve().unwrap());
/// assert!(window.reserve().is_none());
///
/// // The taker waits for the first: nothing to tell it yet.
/// assert_eq!(window.fill(b, "b"), Ok(false));
/// assert_eq!(window.take(), Take::Pending);
/// assert_eq!(window.fill(a, "a"), Ok(true));
/// assert_eq!(window.take(), Take::Value { index: 0, value: "a" });
/// assert_eq!(window.take(), Take::Value { index: 1, value: "b" });
/// assert_eq!(window.take(), Take::Empty);
/// ```
pub struct Window<T> {
    bound: usize,
    ordered: bool,
    state: Mutex<State<T>>,
}

struct State<T> {
    closed: bool,
    slots: Slab<Slot<T>>,
    /// The slots, in the order in which they are taken: all of an ordered window, the filled ones of
    /// another.
    line: VecDeque<usize>,
    filled: usize,
}

enum Slot<T> {
    Reserved,
    Filled(T),
    /// Skipped when its turn comes. Never the first in line.
    Vacant,
}

/// A place in a [`Window`], to be given back, once, with a value or without.
///
/// # Examples
///
/// ```
/// use thrasks_pool::Window;
///
/// let window = Window::<&str>::ordered(8);
/// let place = window.reserve().unwrap();
/// assert_eq!(place.index(), 0);
/// assert_eq!(window.fill(place, "value"), Ok(true));
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "whoever takes from the window waits for the place to be filled or vacated"]
pub struct Place(usize);

impl Place {
    /// A small number that no other place has at the same time, less than the window's bound. When
    /// the place has been taken, a later one may get it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::Window;
    ///
    /// let window = Window::<u8>::ordered(2);
    /// let (a, b) = (window.reserve().unwrap(), window.reserve().unwrap());
    /// assert_eq!((a.index(), b.index()), (0, 1));
    /// ```
    pub fn index(&self) -> usize {
        self.0
    }
}

/// What [`Window::take`] found.
///
/// # Examples
///
/// ```
/// use thrasks_pool::{Take, Window};
///
/// let window = Window::ordered(1);
/// assert_eq!(window.take(), Take::Empty);
/// let place = window.reserve().unwrap();
/// assert_eq!(window.take(), Take::Pending);
/// assert_eq!(window.fill(place, "a"), Ok(true));
/// assert_eq!(window.take(), Take::Value { index: 0, value: "a" });
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "it may be a value"]
pub enum Take<T> {
    /// The next value.
    Value {
        /// The [index](Place::index) of its place.
        index: usize,
        /// What the place was filled with.
        value: T,
    },
    /// The next one is under way.
    Pending,
    /// No place is reserved.
    Empty,
}

impl<T> Window<T> {
    /// A window whose values are taken in the order in which their places were reserved.
    ///
    /// # Panics
    ///
    /// When `bound` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Take, Window};
    ///
    /// let window = Window::ordered(2);
    /// let (a, b) = (window.reserve().unwrap(), window.reserve().unwrap());
    /// assert_eq!(window.fill(b, "b"), Ok(false));
    /// assert_eq!(window.take(), Take::Pending);
    /// assert_eq!(window.fill(a, "a"), Ok(true));
    /// assert_eq!(window.take(), Take::Value { index: 0, value: "a" });
    /// ```
    #[track_caller]
    pub fn ordered(bound: usize) -> Self {
        Self::new(bound, true)
    }

    /// A window whose values are taken in the order in which they come.
    ///
    /// # Panics
    ///
    /// When `bound` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Take, Window};
    ///
    /// let window = Window::unordered(2);
    /// let (a, b) = (window.reserve().unwrap(), window.reserve().unwrap());
    /// assert_eq!(window.fill(b, "b"), Ok(true));
    /// assert_eq!(window.take(), Take::Value { index: 1, value: "b" });
    /// assert_eq!(window.take(), Take::Pending);
    /// assert_eq!(window.fill(a, "a"), Ok(true));
    /// assert_eq!(window.take(), Take::Value { index: 0, value: "a" });
    /// ```
    #[track_caller]
    pub fn unordered(bound: usize) -> Self {
        Self::new(bound, false)
    }

    #[track_caller]
    fn new(bound: usize, ordered: bool) -> Self {
        assert!(bound > 0, "a window needs room for at least one value, got 0");
        let state = State { closed: false, slots: Slab::new(), line: VecDeque::new(), filled: 0 };
        Self { bound, ordered, state: Mutex::new(state) }
    }

    /// Reserves the next place, unless as many are reserved or filled as the bound allows, or the
    /// window is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Take, Window};
    ///
    /// let window = Window::ordered(1);
    /// let place = window.reserve().unwrap();
    /// assert!(window.reserve().is_none());
    /// assert_eq!(window.fill(place, "a"), Ok(true));
    /// assert!(window.reserve().is_none(), "what is filled has its place until it is taken");
    /// assert!(matches!(window.take(), Take::Value { .. }));
    /// assert!(window.reserve().is_some());
    /// ```
    pub fn reserve(&self) -> Option<Place> {
        let mut state = lock(&self.state);
        if state.closed || state.slots.len() >= self.bound {
            return None;
        }
        let index = state.slots.insert(Slot::Reserved);
        if self.ordered {
            state.line.push_back(index);
        }
        Some(Place(index))
    }

    /// Fills a place. Returns whether there is something to take now, which there was not before:
    /// the taker, if it waits, is to be woken.
    ///
    /// # Panics
    ///
    /// When the place is of another window.
    ///
    /// # Errors
    ///
    /// Gives the value back when the window is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::Window;
    ///
    /// let window = Window::ordered(3);
    /// let [a, b, c] = std::array::from_fn(|_| window.reserve().unwrap());
    /// assert_eq!(window.fill(b, "b"), Ok(false), "the taker waits for a");
    /// assert_eq!(window.fill(a, "a"), Ok(true));
    /// window.close();
    /// assert_eq!(window.fill(c, "c"), Err("c"));
    /// ```
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a place is given back once")]
    pub fn fill(&self, place: Place, value: T) -> Result<bool, T> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(value);
        }
        // What is overwritten holds no value.
        state.slots[place.0] = Slot::Filled(value);
        state.filled += 1;
        if self.ordered {
            return Ok(state.line.front() == Some(&place.0));
        }
        state.line.push_back(place.0);
        Ok(state.line.len() == 1)
    }

    /// Gives a place back without a value: the taker skips it. Returns whether the taker, if it
    /// waits, is to be woken: there is something to take now, or nothing to wait for.
    ///
    /// # Panics
    ///
    /// When the place is of another window.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Take, Window};
    ///
    /// let window = Window::ordered(2);
    /// let (a, b) = (window.reserve().unwrap(), window.reserve().unwrap());
    /// assert_eq!(window.fill(b, "b"), Ok(false));
    /// assert!(window.vacate(a));
    /// assert_eq!(window.take(), Take::Value { index: 1, value: "b" });
    /// ```
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a place is given back once")]
    pub fn vacate(&self, place: Place) -> bool {
        let mut state = lock(&self.state);
        if state.closed {
            return false;
        }
        if !self.ordered {
            state.slots.remove(place.0);
            return state.slots.is_empty();
        }
        state.slots[place.0] = Slot::Vacant;
        if state.line.front() != Some(&place.0) {
            return false;
        }
        state.skip();
        state.line.front().is_none_or(|first| matches!(state.slots[*first], Slot::Filled(_)))
    }

    /// Takes the next value, if it is there.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Take, Window};
    ///
    /// let window = Window::unordered(2);
    /// let (slow, fast) = (window.reserve().unwrap(), window.reserve().unwrap());
    /// window.fill(fast, "fast").unwrap();
    /// assert_eq!(window.take(), Take::Value { index: 1, value: "fast" });
    /// assert_eq!(window.take(), Take::Pending);
    /// window.vacate(slow);
    /// assert_eq!(window.take(), Take::Empty);
    /// ```
    pub fn take(&self) -> Take<T> {
        let mut state = lock(&self.state);
        let Some(&index) = state.line.front() else {
            return if state.slots.is_empty() { Take::Empty } else { Take::Pending };
        };
        if !matches!(state.slots[index], Slot::Filled(_)) {
            return Take::Pending;
        }
        state.line.pop_front();
        let Slot::Filled(value) = state.slots.remove(index) else {
            unreachable!("looked at just above")
        };
        state.filled -= 1;
        state.skip();
        Take::Value { index, value }
    }

    /// Takes no more values, and gives back those that were not taken, in their order. The places
    /// under way are void.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::{Take, Window};
    ///
    /// let window = Window::ordered(2);
    /// let (a, b) = (window.reserve().unwrap(), window.reserve().unwrap());
    /// assert_eq!(window.fill(b, "b"), Ok(false));
    /// assert_eq!(window.close(), ["b"]);
    /// assert_eq!(window.fill(a, "a"), Err("a"));
    /// assert!(window.reserve().is_none());
    /// assert_eq!(window.take(), Take::Empty);
    /// ```
    pub fn close(&self) -> Vec<T> {
        let (line, mut slots) = {
            let mut state = lock(&self.state);
            state.closed = true;
            state.filled = 0;
            (std::mem::take(&mut state.line), std::mem::take(&mut state.slots))
        };
        line.into_iter()
            .filter_map(|index| match slots.try_remove(index) {
                Some(Slot::Filled(value)) => Some(value),
                _ => None,
            })
            .collect()
    }

    /// Whether it was closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::Window;
    ///
    /// let window = Window::<u8>::ordered(1);
    /// assert!(!window.is_closed());
    /// window.close();
    /// assert!(window.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// How many places are reserved, or filled and not taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::Window;
    ///
    /// let window = Window::<u8>::ordered(2);
    /// let _place = window.reserve();
    /// assert_eq!(window.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        lock(&self.state).slots.len()
    }

    /// Whether no place is reserved and no value waits to be taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::Window;
    ///
    /// assert!(Window::<u8>::ordered(2).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values wait to be taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::Window;
    ///
    /// let window = Window::ordered(2);
    /// let place = window.reserve().unwrap();
    /// assert_eq!(window.filled(), 0);
    /// assert_eq!(window.fill(place, 7), Ok(true));
    /// assert_eq!(window.filled(), 1);
    /// ```
    pub fn filled(&self) -> usize {
        lock(&self.state).filled
    }

    /// How many places there may be.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_pool::Window;
    ///
    /// assert_eq!(Window::<u8>::unordered(3).bound(), 3);
    /// ```
    pub fn bound(&self) -> usize {
        self.bound
    }
}

impl<T> State<T> {
    /// Frees the vacant places whose turn has come.
    fn skip(&mut self) {
        while let Some(&first) = self.line.front() {
            if !matches!(self.slots[first], Slot::Vacant) {
                return;
            }
            self.slots.remove(first);
            self.line.pop_front();
        }
    }
}

impl<T> fmt::Debug for Window<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.state);
        f.debug_struct("Window")
            .field("bound", &self.bound)
            .field("ordered", &self.ordered)
            .field("reserved", &(state.slots.len() - state.filled))
            .field("filled", &state.filled)
            .field("closed", &state.closed)
            .finish()
    }
}
