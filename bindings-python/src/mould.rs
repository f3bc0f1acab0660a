//! Futures of a class of ours, made from a mould.
//!
//! Each task of a group has a future, and to initialise one is most of what it costs to make it: its
//! class looks its argument up by name and asks the loop, in Python, whether it is in debug mode.
//! What comes of it are two references in an object that is otherwise as it was allocated. A mould
//! writes them there. Why that is sound:
//!
//! - *They are those fields.* CPython tells nobody where they lie, so it is looked for, once: one
//!   future is made as its class does it, another is only allocated, and their words are compared,
//!   but for what Python keeps behind an object. There is a mould only if they differ in two words, which in the one are null
//!   and in the other the addresses of the loop and of what our class adds to it.
//! - *References are counted.* What is put there becomes the object's, which lets go of it as it is
//!   freed.
//! - *Nobody reads it meanwhile.* The object was allocated a moment ago, on this thread. The
//!   collector knows of it from then on, but works only while all threads wait; a null is no
//!   reference to it.
//! - *It is what the class does.* Only for the Python whose futures have been looked at, and not in
//!   debug mode, in which they note where they were made.

use std::sync::{OnceLock, atomic::Ordering};

use pyo3::{ffi, prelude::*, types::PyType};

use crate::carrier::{Looked, may_be};

/// What is known of the futures of one class.
pub(crate) struct Mould(OnceLock<Option<Fields>>);

/// Where the two references lie, among the words of an object.
#[derive(Clone, Copy)]
struct Fields {
    event_loop: usize,
    own: usize,
}

impl Mould {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Makes a future of this loop, of the class that this is the mould of, with `own` in the field
    /// that the class has for it. `None` where it is to be made as its class does it.
    pub(crate) fn cast<'py>(
        &self,
        class: &Bound<'py, PyType>,
        event_loop: &Bound<'py, PyAny>,
        own: &Bound<'py, PyAny>,
    ) -> Option<Bound<'py, PyAny>> {
        let Fields { event_loop: first, own: second } = (*self.0.get()?)?;
        let future = allocate(class).ok()?;
        let looked = Looked::at(&future)?;
        let fields = looked.fields();
        for (field, object) in [(first, event_loop), (second, own)] {
            fields[field].store(object.clone().into_ptr() as usize, Ordering::Release);
        }
        Some(future)
    }

    /// Learns where the fields are from a future that was made, just now, as its class does it.
    pub(crate) fn learn(
        &self,
        made: &Bound<'_, PyAny>,
        event_loop: &Bound<'_, PyAny>,
        own: &Bound<'_, PyAny>,
    ) {
        self.0.get_or_init(|| {
            if !may_be(made.py()) {
                return None;
            }
            let blank = allocate(&made.get_type()).ok()?;
            let (made, blank) = (Looked::at(made)?, Looked::at(&blank)?);
            let mut differing = made
                .fields()
                .iter()
                .zip(blank.fields())
                .map(|(made, blank)| (made.load(Ordering::Relaxed), blank.load(Ordering::Relaxed)))
                .enumerate()
                .filter(|(_, (made, blank))| made != blank);
            let (first, second) = (differing.next()?, differing.next()?);
            if differing.next().is_some() {
                return None;
            }
            let place = |object: &Bound<'_, PyAny>| {
                let filled = (object.as_ptr() as usize, 0);
                [first, second].into_iter().find(|(_, words)| *words == filled).map(|(at, _)| at)
            };
            Some(Fields { event_loop: place(event_loop)?, own: place(own)? })
        });
    }
}

/// Allocates an object, as `object.__new__` would: without initialising it.
fn allocate<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: `class` is a living type, and this its own way to allocate, which asks for no items.
    // What it returns is an owned reference, or null with an exception set.
    unsafe {
        let class_ptr = class.as_type_ptr();
        let object = match (*class_ptr).tp_alloc {
            Some(alloc) => alloc(class_ptr, 0),
            None => ffi::PyType_GenericAlloc(class_ptr, 0),
        };
        Bound::from_owned_ptr_or_err(class.py(), object)
    }
}
