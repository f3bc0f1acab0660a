//! The Python objects that the hot paths use, looked up once.

use std::sync::OnceLock;

use pyo3::{intern, prelude::*, sync::PyOnceLock, types::PyString};

macro_rules! imported {
    ($($(#[$doc:meta])* $name:ident: $module:literal, $attribute:literal;)+) => {$(
        $(#[$doc])*
        pub(crate) fn $name(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
            static CELL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            CELL.import(py, $module, $attribute)
        }
    )+};
}

imported! {
    /// `asyncio.Future`.
    future: "asyncio", "Future";
    /// `asyncio.Task`.
    task: "asyncio", "Task";
    /// `asyncio.CancelledError`.
    cancelled_error: "asyncio", "CancelledError";
    /// `asyncio.current_task`.
    current_task: "asyncio", "current_task";
    /// `asyncio.all_tasks`.
    all_tasks: "asyncio", "all_tasks";
    /// `asyncio._get_running_loop`: `None` where no loop runs.
    running_loop: "asyncio", "_get_running_loop";
    /// `asyncio.iscoroutine`.
    iscoroutine: "asyncio", "iscoroutine";
    /// `asyncio.future_add_to_awaited_by`, since 3.14.
    add_to_awaited_by: "asyncio", "future_add_to_awaited_by";
    /// `asyncio.future_discard_from_awaited_by`, since 3.14.
    discard_from_awaited_by: "asyncio", "future_discard_from_awaited_by";
    /// `_thread.interrupt_main`: as if Ctrl-C had been pressed.
    interrupt_main: "_thread", "interrupt_main";
    /// `contextvars.Context`.
    context: "contextvars", "Context";
    /// `contextvars.ContextVar`.
    context_var: "contextvars", "ContextVar";
    /// `contextvars.copy_context`.
    copy_context: "contextvars", "copy_context";
    /// Refuses keywords that a task does not take.
    check_keywords: "thrasks._handles", "check_keywords";
    /// The Python class of the handles.
    handle_type: "thrasks._handles", "ThreadedTask";
    /// The Python half of a loop thread.
    run_worker: "thrasks._workers", "run";
    /// Makes a descriptor for a loop to watch.
    make_bell: "thrasks._workers", "make_bell";
    /// Puts a loop back into the state in which it was made.
    clean_loop: "thrasks._cleaning", "clean";
    /// The type of functions that are written in Python.
    function_type: "types", "FunctionType";
    /// Makes a coroutine of what a function returns.
    make_coroutine: "thrasks._calls", "make_coroutine";
    /// The future of a job on the caller's loop.
    pooled_task: "thrasks._on_loop", "PooledTask";
    /// Makes the task of such a job.
    make_local_task: "thrasks._on_loop", "make_task";
    /// Ends a task that a cancellation does not wake.
    look_for_lost: "thrasks._misuse", "look_for_lost";
    /// Makes a loop behave as the caller's loop does.
    configure_loop: "thrasks._workers", "configure";
    /// Tells a loop's exception handler of a callback that has failed.
    report_callback: "thrasks._turns", "report";
    /// Describes a handle of `call_soon`.
    describe_callback: "thrasks._turns", "describe";
    /// Has asyncio forget a task whose constructor failed.
    disown: "thrasks._misuse", "disown";
    /// The class of what coroutine functions return.
    coroutine_type: "types", "CoroutineType";
    /// The enum of the scheduling modes.
    scheduling_mode: "thrasks._modes", "SchedulingMode";
    /// The Python thread that asks.
    current_thread: "threading", "current_thread";
    /// Starts a Python thread.
    start_thread: "thrasks._workers", "start_thread";
    /// Runs a little Python code.
    breathe: "thrasks._workers", "breathe";
    /// The future of a call on a thread.
    call_type: "thrasks._threaded", "ThreadedCall";
    /// The loop that a thread works for, as a context variable.
    caller_loop: "thrasks._waiting", "caller_loop";
    /// Awaits what a function returns.
    awaited: "thrasks._waiting", "awaited";
    /// What is raised where a channel is closed.
    channel_closed: "thrasks._channels", "ChannelClosed";
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident: $class:ident, $attribute:literal;)+) => {$(
        $(#[$doc])*
        pub(crate) fn $name(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
            static CELL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            let method = CELL.get_or_try_init(py, || {
                Ok::<_, PyErr>($class(py)?.getattr($attribute)?.unbind())
            });
            Ok(method?.bind(py))
        }
    )+};
}

methods! {
    /// Makes a task, yet to be initialised.
    new_task: task, "__new__";
    /// Initialises a task.
    init_task: task, "__init__";
    /// Whether a task is done.
    is_done: task, "done";
    /// Whether it was cancelled.
    is_cancelled: task, "cancelled";
    /// The exception of one that is done.
    exception_of: task, "exception";
    /// The result of one that is done.
    result_of: task, "result";
    /// Makes a handle, yet to be initialised.
    new_handle: handle_type, "__new__";
    /// Initialises a future.
    init_future: future, "__init__";
    /// Makes a future done with a result.
    set_result: future, "set_result";
}

/// The first two numbers of Python's version. To find them out takes a while.
pub(crate) fn version(py: Python<'_>) -> (u8, u8) {
    static VERSION: OnceLock<(u8, u8)> = OnceLock::new();
    *VERSION.get_or_init(|| {
        let info = py.version_info();
        (info.major, info.minor)
    })
}

/// Notes that a future or task of asyncio is awaited by another, or no more: the edges of call
/// graphs. Only for what asyncio knows of: its own classes and their subclasses.
pub(crate) fn set_awaited_by(
    future: &Bound<'_, PyAny>,
    by: &Bound<'_, PyAny>,
    awaited: bool,
) -> PyResult<()> {
    let py = future.py();
    // Before that there are no call graphs.
    if version(py) >= (3, 14) {
        let set = if awaited { add_to_awaited_by(py)? } else { discard_from_awaited_by(py)? };
        set.call1((future, by))?;
    }
    Ok(())
}

/// Whether `asyncio.Task` takes `eager_start`.
pub(crate) fn has_eager_tasks(py: Python<'_>) -> bool {
    version(py) >= (3, 12)
}

/// The running loop of this thread, if there is one.
pub(crate) fn get_running_loop(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    Ok(Some(running_loop(py)?.call0()?).filter(|running| !running.is_none()))
}

/// What `print` would say of an object in an error message; never fails.
pub(crate) fn repr(object: &Bound<'_, PyAny>) -> String {
    object.repr().map_or_else(
        |_| "<an object whose repr fails>".into(),
        |text: Bound<'_, PyString>| text.to_string(),
    )
}

/// Whether asyncio takes this for a coroutine.
pub(crate) fn is_coroutine(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    iscoroutine(object.py())?.call1((object,))?.is_truthy()
}

/// Whether this is the context of the task that is running here.
pub(crate) fn is_own_context(context: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = context.py();
    // Before 3.12 a task does not tell its context.
    if version(py) < (3, 12) || get_running_loop(py)?.is_none() {
        return Ok(false);
    }
    let task = current_task(py)?.call0()?;
    Ok(!task.is_none() && task.call_method0(intern!(py, "get_context"))?.is(context))
}
