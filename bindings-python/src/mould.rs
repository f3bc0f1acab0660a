//! Futures of a class of ours, made from a mould.
//!
//! Each task of a group has a future, and to initialise one is most of what it costs to make it: its
//! class looks its argument up by name and asks the loop, in Python, whether it is in debug mode.
//! What comes of it is a reference, or two, in an object that is otherwise as it was allocated. A mould
//! writes them there. Why that is sound:
//!
//! - *They are those fields.* CPython tells nobody where they lie, so it is looked for, once: one
//!   future is made as its class does it, another is only allocated, and their words are compared,
//!   but for what Python keeps behind an object. There is a mould only if they differ in as many
//!   words as there are references, and each is the address of one of them in the first future and
//!   null in the other.
//! - *References are counted.* What is put there becomes the object's, which lets go of it as it is
//!   freed.
//! - *Nobody reads it meanwhile.* The object was allocated a moment ago, on this thread. The
//!   collector knows of it from then on, but works only while all threads wait; a null is no
//!   reference to it.
//! - *It is what the class does.* Only for the Python whose futures have been looked at, and not in
//!   debug mode, in which they note where they were made.

use std::sync::{OnceLock, atomic::Ordering};

use pyo3::{ffi, intern, prelude::*, types::PyType};

use crate::carrier::{Looked, may_be};

/// What is known of the futures of one class: where the reference to the loop lies among the words of
/// one, and those to `N` objects more.
pub(crate) struct Mould<const N: usize>(OnceLock<Option<(usize, [usize; N])>>);

impl<const N: usize> Mould<N> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Makes a future of this class, the one that this is the mould of, for this loop, with these
    /// objects in the fields that the class has for them: where it can, and otherwise as `make` does.
    pub(crate) fn cast<'py>(
        &self,
        class: &Bound<'py, PyType>,
        event_loop: &Bound<'py, PyAny>,
        own: [&Bound<'py, PyAny>; N],
        make: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let known = self.0.get();
        if matches!(known, Some(None)) || is_in_debug_mode(event_loop)? {
            return make();
        }
        let Some(&(of_loop, of_own)) = known.and_then(Option::as_ref) else {
            let made = make()?;
            self.0.get_or_init(|| look(&made, event_loop, own));
            return Ok(made);
        };
        let future = allocate(class)?;
        let Some(looked) = Looked::at(&future) else { return make() };
        let fields = looked.fields();
        for (field, object) in of_own.into_iter().zip(own).chain([(of_loop, event_loop)]) {
            fields[field].store(object.clone().into_ptr() as usize, Ordering::Release);
        }
        Ok(future)
    }
}

/// Finds out where the fields are in a future that was made, just now, as its class does it.
fn look<const N: usize>(
    made: &Bound<'_, PyAny>,
    event_loop: &Bound<'_, PyAny>,
    own: [&Bound<'_, PyAny>; N],
) -> Option<(usize, [usize; N])> {
    if !may_be(made.py()) {
        return None;
    }
    let blank = allocate(&made.get_type()).ok()?;
    let (made, blank) = (Looked::at(made)?, Looked::at(&blank)?);
    let differing: Vec<_> = made
        .fields()
        .iter()
        .zip(blank.fields())
        .map(|(made, blank)| (made.load(Ordering::Relaxed), blank.load(Ordering::Relaxed)))
        .enumerate()
        .filter(|(_, (made, blank))| made != blank)
        .collect();
    if differing.len() != N + 1 {
        return None;
    }
    let place = |object: &Bound<'_, PyAny>| {
        let filled = (object.as_ptr() as usize, 0);
        differing.iter().find(|(_, words)| *words == filled).map(|(at, _)| *at)
    };
    let mut fields = [0; N];
    for (field, object) in fields.iter_mut().zip(own) {
        *field = place(object)?;
    }
    Some((place(event_loop)?, fields))
}

/// Whether a loop is in debug mode.
fn is_in_debug_mode(event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = event_loop.py();
    // What asyncio's own method returns, in a tenth of the time.
    match event_loop.getattr_opt(intern!(py, "_debug"))? {
        Some(debug) => debug.is_truthy(),
        None => event_loop.call_method0(intern!(py, "get_debug"))?.is_truthy(),
    }
}

/// Allocates an object, as `object.__new__` would: without initialising it.
fn allocate<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: `class` is a living type, and this its own way to allocate, which asks for no items.
    // What it returns is an owned reference, or null with an exception set.
    unsafe {
        let class_ptr = class.as_type_ptr();
        let object = match own_alloc(class_ptr) {
            Some(alloc) => alloc(class_ptr, 0),
            None => ffi::PyType_GenericAlloc(class_ptr, 0),
        };
        Bound::from_owned_ptr_or_err(class.py(), object)
    }
}

/// # Safety
///
/// `class` is a living type.
#[cfg(not(Py_LIMITED_API))]
unsafe fn own_alloc(class: *mut ffi::PyTypeObject) -> Option<ffi::allocfunc> {
    // SAFETY: as the caller says. It is never written once the type is made.
    unsafe { (*class).tp_alloc }
}

/// The limited API does not show it: where it is used, there are no moulds.
///
/// # Safety
///
/// There is nothing to see to.
#[cfg(Py_LIMITED_API)]
unsafe fn own_alloc(_: *mut ffi::PyTypeObject) -> Option<ffi::allocfunc> {
    None
}
