//! The unsafe half of carriers: coroutines changed in a task, and lent to workers.
//!
//! # A task's coroutine
//!
//! A `_asyncio.Task` holds a strong reference to its coroutine, in a field of its own, and reads it
//! from there at each step, in `get_coro()`, for its repr, its stack and call graphs. [`Seat`] puts
//! another coroutine there. Why that is sound:
//!
//! - *It is that field.* CPython tells nobody where it lies, so it is looked for: the task was made
//!   with a driver that nothing else refers to, so there is one word in it that is the driver's
//!   address, and one that is not is no field. Where there is not exactly one, or where
//!   `get_coro()` does not return what was put there, there are no seats in this process. All that
//!   is read is within the object: as long as its type says, for the exact type `_asyncio.Task`.
//! - *References are counted.* What is put there becomes the task's; what was there becomes the
//!   caller's. Nothing is borrowed.
//! - *Nobody reads it meanwhile.* Other threads read it with the task's lock held, as a critical
//!   section; so does this.
//! - *Who runs it keeps it alive.* asyncio borrows the driver from the field while it runs the step
//!   in which the field changes: `carrier` holds the driver until that step has returned. The
//!   coroutine that is put there is run by `carrier`, which holds it too while it runs.
//!
//! # What a job may have seen
//!
//! A carrier goes on with another job only if the last one can have kept nothing of the task or of
//! the context. [`Image`] is every word of the two objects, their reference counts, locks and lists
//! of weak references among them; only the coroutine is left out. Whoever holds the task, refers to
//! it weakly, has cancelled it, named it, or given it a callback, has changed one of these words; so
//! has whoever set a context variable. A word that changes for no such reason costs a task. The
//! words are read one at a time, as atomics, since other threads may write some of them.
//!
//! Another thread that looks for tasks (`asyncio.all_tasks(loop)`) just between two jobs may get hold
//! of the task as the one has returned, and see it become the other's. From then on it stays what it
//! is: who holds it has changed its reference count.
//!
//! # Coroutines that are lent
//!
//! A [`Stock`] owns the coroutines of a gather, each on a shelf that is an atomic pointer. Who finds
//! one there and exchanges the pointer for null has its reference, and nobody else does; it comes back
//! marked, so that nobody takes it again, and [`Stock::clear`] takes all that is there, marked or not,
//! with a swap. So each reference is owned by one shelf or by one taker at any time.

use std::{
    ffi::c_ulong,
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicPtr, AtomicUsize, Ordering},
    },
};

use pyo3::{
    ffi,
    prelude::*,
    sync::critical_section::with_critical_section,
    types::{PyList, PyType},
};

use crate::imports;

const WORD: usize = size_of::<usize>();

/// How many words of an object are looked at, at most: one that is larger has no image.
const MOST: usize = 32;

/// How many words lie before an object whose dictionary and weak references Python itself looks
/// after: a free-threaded build has nothing else there.
const BEFORE: usize = 2;

/// How many words are looked at behind one that has room for attributes there: the first tells how
/// many it has.
const AFTER: usize = 1;

/// Where the coroutine lies in a task, in words; `None` where there are no seats.
static FIELD: OnceLock<Option<usize>> = OnceLock::new();

/// Whether there may be carriers, as far as is known.
pub(crate) fn may_be(py: Python<'_>) -> bool {
    if let Some(found) = FIELD.get() {
        return found.is_some();
    }
    // The one version whose tasks have been looked at: in others a job might be able to learn
    // something about its task without leaving a trace.
    let known = cfg!(Py_GIL_DISABLED) && imports::version(py) == (3, 14);
    let wanted = std::env::var_os("THRASKS_CARRIERS").is_none_or(|value| value != "0");
    let native = || {
        imports::task(py)
            .and_then(|class| class.getattr("__module__"))
            .is_ok_and(|module| module.eq("_asyncio").unwrap_or(false))
    };
    if known && wanted && native() {
        return true;
    }
    FIELD.get_or_init(|| None).is_some()
}

/// An object and its words, from the first that belongs to it.
pub(crate) struct Looked<'py> {
    object: Bound<'py, PyAny>,
    first: *const AtomicUsize,
    count: usize,
    /// How many of them lie behind it.
    after: usize,
}

impl<'py> Looked<'py> {
    pub(crate) fn at(object: &Bound<'py, PyAny>) -> Option<Self> {
        let (size, item, flags) = layout(&object.get_type())?;
        let size = usize::try_from(size).ok()?;
        let before = if flags & MANAGED == 0 { 0 } else { BEFORE };
        let after = if flags & INLINE_VALUES == 0 { 0 } else { AFTER };
        let count = before + size / WORD + after;
        if item != 0 || size % WORD != 0 || count > MOST {
            return None;
        }
        // SAFETY: what is of a type with either flag is preceded by two pointers.
        let first = unsafe { object.as_ptr().cast::<AtomicUsize>().sub(before) };
        Some(Self { object: object.clone(), first, count, after })
    }

    /// Its words but for those behind it: there Python keeps how much room it gave the object for
    /// attributes, which changes from one to the next.
    pub(crate) fn fields(&self) -> &[AtomicUsize] {
        &self.words()[..self.count - self.after]
    }

    fn words(&self) -> &[AtomicUsize] {
        // SAFETY: an object without items is as large as its type says, with the words before and
        // behind it that its flags say, and lives as long as this does. All of it was written, or
        // set to zero, when it was made (of the word behind it perhaps only the half that is used),
        // and is aligned to words; an `AtomicUsize` is as a word, and has no invalid value.
        unsafe { std::slice::from_raw_parts(self.first, self.count) }
    }
}

/// How large the objects of a class are, an item of theirs, and the flags of the class.
#[cfg(not(Py_LIMITED_API))]
fn layout(class: &Bound<'_, PyType>) -> Option<(ffi::Py_ssize_t, ffi::Py_ssize_t, c_ulong)> {
    let class = class.as_type_ptr();
    // SAFETY: it is a living type object, and its head is never written once it is made.
    unsafe { Some(((*class).tp_basicsize, (*class).tp_itemsize, ffi::PyType_GetFlags(class))) }
}

/// The limited API shows no objects from within: where it is used, there are no carriers.
#[cfg(Py_LIMITED_API)]
fn layout(_: &Bound<'_, PyType>) -> Option<(ffi::Py_ssize_t, ffi::Py_ssize_t, c_ulong)> {
    None
}

/// `Py_TPFLAGS_MANAGED_WEAKREF | Py_TPFLAGS_MANAGED_DICT`: `Py_TPFLAGS_PREHEADER`.
const MANAGED: c_ulong = (1 << 3) | (1 << 4);

/// `Py_TPFLAGS_INLINE_VALUES`.
const INLINE_VALUES: c_ulong = 1 << 2;

/// What a task and a context look like at one time, but for the task's coroutine.
pub(crate) struct Image([usize; 2 * MOST]);

/// A task in its first step, on this thread, whose coroutine can be changed.
pub(crate) struct Seat<'py> {
    task: Looked<'py>,
    context: Looked<'py>,
    /// The coroutine's place among the words of the task.
    field: usize,
}

impl<'py> Seat<'py> {
    /// The seat of a task that was made with this driver, and whose first step this is. `None` where
    /// tasks are not as they are known to be.
    pub(crate) fn find(
        task: &Bound<'py, PyAny>,
        context: &Bound<'py, PyAny>,
        driver: &Bound<'py, PyAny>,
    ) -> Option<Self> {
        let seat = Self::look(task, context, driver);
        if seat.is_none() {
            // Nor will there be others.
            let _ = FIELD.set(None);
        }
        seat
    }

    fn look(
        task: &Bound<'py, PyAny>,
        context: &Bound<'py, PyAny>,
        driver: &Bound<'py, PyAny>,
    ) -> Option<Self> {
        let py = task.py();
        if !task.get_type().is(imports::task(py).ok()?) {
            return None;
        }
        let address = driver.as_ptr() as usize;
        let looked = Looked::at(task)?;
        let mut same = looked
            .words()
            .iter()
            .enumerate()
            .filter(|(_, word)| word.load(Ordering::Relaxed) == address);
        let (field, _) = same.next().filter(|_| same.next().is_none())?;
        let seat = Self { task: looked, context: Looked::at(context)?, field };
        let known = FIELD.get_or_init(|| {
            let another = PyList::empty(py).into_any();
            let old = seat.put(another.clone().unbind());
            let seen = task.call_method0("get_coro");
            let own = seat.put(old);
            (own.is(&another) && seen.is_ok_and(|seen| seen.is(&another))).then_some(field)
        });
        (*known == Some(field)).then_some(seat)
    }

    fn place(&self) -> &AtomicPtr<ffi::PyObject> {
        let word: *const AtomicUsize = &raw const self.task.words()[self.field];
        // SAFETY: it points to a word that lives as long as the task. The two atomics are of the
        // same size and alignment, and any address is a valid value of either.
        unsafe { &*word.cast::<AtomicPtr<ffi::PyObject>>() }
    }

    /// Puts a coroutine there, and returns what was there.
    pub(crate) fn put(&self, coroutine: Py<PyAny>) -> Py<PyAny> {
        let new = coroutine.into_ptr();
        let old =
            with_critical_section(&self.task.object, || self.place().swap(new, Ordering::AcqRel));
        // SAFETY: the reference that the task held, which is nobody's now. It is not null: in its
        // first step a task has a coroutine.
        unsafe { Bound::from_owned_ptr(self.task.object.py(), old).unbind() }
    }

    /// Whether this is there. It may be nowhere else: a job can initialise its own task anew.
    pub(crate) fn has(&self, coroutine: &Bound<'_, PyAny>) -> bool {
        self.place().load(Ordering::Acquire) == coroutine.as_ptr()
    }

    /// What the two objects look like now.
    pub(crate) fn image(&self) -> Image {
        let mut image = [0; 2 * MOST];
        for (to, from) in image.iter_mut().zip(self.words()) {
            *to = from;
        }
        Image(image)
    }

    /// Whether they look the same as then.
    pub(crate) fn is_like(&self, image: &Image) -> bool {
        self.words().zip(&image.0).all(|(now, then)| now == *then)
    }

    fn words(&self) -> impl Iterator<Item = usize> {
        let load = |word: &AtomicUsize| word.load(Ordering::Relaxed);
        let task = self.task.words();
        let (before, after) = (&task[..self.field], &task[self.field + 1..]);
        before.iter().chain(after).chain(self.context.words()).map(load)
    }
}

/// Where the variables lie in a context, in words; `None` where that is not known.
static VARIABLES: OnceLock<Option<usize>> = OnceLock::new();

/// Whether two contexts have the same variables with the same values, which neither has changed since
/// one was a copy of the other. False where that cannot be told.
///
/// A context refers to a map of its variables, which is never written: who sets one has the context
/// refer to another map. Which word that is shows in a copy in which one is set.
pub(crate) fn are_alike(one: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> bool {
    let py = one.py();
    let find = || {
        let set = |context: &Bound<'_, PyAny>| {
            let variable = imports::context_var(py)?.call1(("thrasks",))?;
            context.call_method1("run", (variable.getattr("set")?, 0)).map(drop)
        };
        let (original, copy) = (one.call_method0("copy").ok()?, one.call_method0("copy").ok()?);
        let (original, copy) = (Looked::at(&original)?, Looked::at(&copy)?);
        let differing = || {
            let pairs = original.words().iter().zip(copy.words());
            pairs
                .map(|(a, b)| a.load(Ordering::Relaxed) != b.load(Ordering::Relaxed))
                .enumerate()
                .filter_map(|(word, differs)| differs.then_some(word))
                .collect::<Vec<_>>()
        };
        let before = differing();
        set(&copy.object).ok()?;
        let after = differing();
        (before.is_empty() && after.len() == 1).then(|| after[0])
    };
    if !may_be(py) {
        return false;
    }
    let Some(word) = *VARIABLES.get_or_init(find) else { return false };
    let map = |context| Some(Looked::at(context)?.words().get(word)?.load(Ordering::Acquire));
    map(one).is_some_and(|here| map(other) == Some(here))
}

/// How far a step of a coroutine came.
pub(crate) enum Step<'py> {
    Returned(Bound<'py, PyAny>),
    Yielded(Bound<'py, PyAny>),
    Raised(PyErr),
}

/// Runs the first step of a coroutine, as a task does.
pub(crate) fn step<'py>(coroutine: &Bound<'py, PyAny>) -> Step<'py> {
    let py = coroutine.py();
    let mut result = ptr::null_mut();
    // SAFETY: both are living objects, and the result is an owned reference unless this fails.
    unsafe {
        match ffi::PyIter_Send(coroutine.as_ptr(), ffi::Py_None(), &raw mut result) {
            ffi::PySendResult::PYGEN_RETURN => Step::Returned(Bound::from_owned_ptr(py, result)),
            ffi::PySendResult::PYGEN_NEXT => Step::Yielded(Bound::from_owned_ptr(py, result)),
            ffi::PySendResult::PYGEN_ERROR => Step::Raised(PyErr::fetch(py)),
        }
    }
}

/// Coroutines that are there to be run, each by whoever takes it first.
///
/// They come back when they have ended, and are let go of together by whoever made them: on a
/// free-threaded build, to free what another thread has made costs more than to run it.
pub(crate) struct Stock {
    /// Each an owned reference; null while it is lent, and with the lowest bit set (objects lie at
    /// even addresses) once it has come back.
    shelves: Box<[AtomicPtr<ffi::PyObject>]>,
}

impl Stock {
    pub(crate) fn new<'py>(coroutines: impl Iterator<Item = Bound<'py, PyAny>>) -> Self {
        Self { shelves: coroutines.map(|one| AtomicPtr::new(one.into_ptr())).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.shelves.len()
    }

    /// Takes a coroutine, unless somebody has.
    pub(crate) fn take<'py>(&self, py: Python<'py>, index: usize) -> Option<Bound<'py, PyAny>> {
        let shelf = &self.shelves[index];
        let there = shelf.load(Ordering::Relaxed);
        if there.is_null() || has_come_back(there) {
            return None;
        }
        let taken =
            shelf.compare_exchange(there, ptr::null_mut(), Ordering::AcqRel, Ordering::Relaxed);
        // SAFETY: the reference that the shelf held. One thread's exchange succeeds, and nobody
        // else takes what is lent.
        taken.ok().map(|coroutine| unsafe { Bound::from_owned_ptr(py, coroutine) })
    }

    /// Gives a coroutine back that was taken and has ended.
    pub(crate) fn give_back(&self, index: usize, coroutine: Py<PyAny>) {
        let ended = coroutine.into_ptr().map_addr(|address| address | 1);
        self.shelves[index].store(ended, Ordering::Release);
    }

    /// Lets go of what is there.
    pub(crate) fn clear(&self, py: Python<'_>) {
        for shelf in &self.shelves {
            let there = shelf.swap(ptr::null_mut(), Ordering::AcqRel);
            if !there.is_null() {
                // SAFETY: the reference that the shelf held, without the mark.
                drop(unsafe { Bound::from_owned_ptr(py, there.map_addr(|address| address & !1)) });
            }
        }
    }
}

fn has_come_back(there: *mut ffi::PyObject) -> bool {
    there.addr() & 1 == 1
}

impl Drop for Stock {
    fn drop(&mut self) {
        if self.shelves.iter_mut().any(|shelf| !shelf.get_mut().is_null()) {
            crate::sync::in_drop(|py| self.clear(py));
        }
    }
}
