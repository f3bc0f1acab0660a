//! What tells that an object has been freed, and not merely that nobody refers to it any more.

use pyo3::prelude::*;

use crate::sync::in_drop;

/// Something for one object to hold, which calls `gone` when that lets go of it.
///
/// Weak references to an object are cleared, and their callbacks called, before its finalizer is
/// called; those to all that the collector has found in one go, before any finalizer is. This goes
/// after that: it is let go of as the object is freed.
///
/// The collector does not see what it refers to. Nothing of that may refer to the object.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Life")]
pub(crate) struct Life {
    gone: Py<PyAny>,
}

#[pymethods]
impl Life {
    #[new]
    fn new(gone: Py<PyAny>) -> Self {
        Self { gone }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        in_drop(|py| {
            if let Err(error) = self.gone.call0(py) {
                error.write_unraisable(py, Some(self.gone.bind(py)));
            }
        });
    }
}
