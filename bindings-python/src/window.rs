//! The bound and the order of a map: a `thrasks_pool::Window` for Python.

use std::sync::Mutex;

use pyo3::{exceptions::PyValueError, prelude::*};
use thrasks_pool::{Place, Take};

use crate::sync::lock;

/// The places of a map: what is under way and what waits to be taken, in one bound.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Window")]
pub(crate) struct Window {
    window: thrasks_pool::Window<Py<PyAny>>,
    /// The places that are reserved, by their numbers.
    reserved: Mutex<Vec<Option<Place>>>,
}

impl Window {
    fn place(&self, index: usize) -> PyResult<Place> {
        let place = lock(&self.reserved).get_mut(index).and_then(Option::take);
        place.ok_or_else(|| PyValueError::new_err(format!("place {index} is not reserved")))
    }
}

#[pymethods]
impl Window {
    /// A window with at most so many places, `None` being any number, of which the values are taken
    /// in the order in which the places were reserved, or in which they were filled.
    #[new]
    fn new(bound: Option<usize>, ordered: bool) -> PyResult<Self> {
        let bound = bound.unwrap_or(usize::MAX);
        if bound == 0 {
            return Err(PyValueError::new_err("a window needs room for at least one value"));
        }
        let window = if ordered {
            thrasks_pool::Window::ordered(bound)
        } else {
            thrasks_pool::Window::unordered(bound)
        };
        Ok(Self { window, reserved: Mutex::default() })
    }

    /// Reserves the next place, and returns its number; `None` if there is no room.
    fn reserve(&self) -> Option<usize> {
        let place = self.window.reserve()?;
        let index = place.index();
        let mut reserved = lock(&self.reserved);
        if reserved.len() <= index {
            reserved.resize_with(index + 1, || None);
        }
        reserved[index] = Some(place);
        Some(index)
    }

    /// Fills a place. Returns whether there is something to take now, which there was not before.
    fn fill(&self, place: usize, value: Py<PyAny>) -> PyResult<bool> {
        let place = self.place(place)?;
        // What comes after the end is of no use to anybody, and is dropped here.
        Ok(self.window.fill(place, value).unwrap_or(false))
    }

    /// Gives a place back without a value.
    fn vacate(&self, place: usize) -> PyResult<bool> {
        let place = self.place(place)?;
        Ok(self.window.vacate(place))
    }

    /// Takes the next value, as a tuple of it, if it is there.
    fn take(&self) -> Option<(Py<PyAny>,)> {
        match self.window.take() {
            Take::Value { value, .. } => Some((value,)),
            Take::Pending | Take::Empty => None,
        }
    }

    /// Has no room from now on. Returns what was not taken.
    fn close(&self) -> Vec<Py<PyAny>> {
        self.window.close()
    }

    /// How many places are reserved, or filled and not taken.
    fn __len__(&self) -> usize {
        self.window.len()
    }
}
