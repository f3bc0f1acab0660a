//! Waking a loop of asyncio.

use pyo3::{
    exceptions::{PyKeyboardInterrupt, PyRuntimeError},
    prelude::*,
};

use crate::imports;

/// How often to ring, where signals' handlers raise again and again.
const TRIES: usize = 100;

/// Has a loop call something, by its `call_soon_threadsafe`, from any thread. Returns whether it
/// will: one that is closed will not.
///
/// On the main thread the handler of a signal may raise an exception in the midst of this, and the
/// loop may not have been told then: nobody else would tell it, so it is told again. The exception
/// has no way out of here: a `KeyboardInterrupt` is raised anew, soon, and any other reported.
pub(crate) fn ring(
    py: Python<'_>,
    call_soon_threadsafe: &Bound<'_, PyAny>,
    callback: &Bound<'_, PyAny>,
) -> bool {
    let mut interrupted = false;
    let mut rung = false;
    for _ in 0..TRIES {
        let Err(error) = call_soon_threadsafe.call1((callback,)) else {
            rung = true;
            break;
        };
        if error.is_instance_of::<PyKeyboardInterrupt>(py) {
            interrupted = true;
        } else if error.is_instance_of::<PyRuntimeError>(py) {
            // "Event loop is closed".
            break;
        } else {
            error.write_unraisable(py, Some(callback));
        }
    }
    // Not before: it would be raised in the next try.
    if interrupted && let Err(error) = imports::interrupt_main(py).and_then(|it| it.call0()) {
        error.write_unraisable(py, Some(callback));
    }
    rung
}
