//! The wheel's part in a trace: what its tasks are called, and when one that was suspended runs again.
//!
//! The recorder is the crates'. A loop does not say when it runs a step of a task; but each step is a
//! callback that the loop was given, which knows its task. A worker's own `call_soon` looks at that
//! ([`Turns`]); other loops are given one that does ([`watch_loop`]), for as long as the trace goes on.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use pyo3::{
    PyTraverseError, PyVisit,
    exceptions::{PyOSError, PyRuntimeError},
    intern,
    prelude::*,
    types::{PyDict, PyTuple},
};
use thrasks_loop::trace::{self, Trace};
pub(crate) use thrasks_loop::trace::{End, Name, TaskId, TaskIds, after_fork, is_on};

use crate::{imports, outcome::Outcome, spec::Source, sync::lock, turns::Turns};

/// Counts the traces there have been: what was kept for another is void.
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// Held while a trace is being started.
static STARTING: Mutex<()> = Mutex::new(());

/// Names by the addresses of their objects, which are kept alive.
type Names = HashMap<usize, (Py<PyAny>, Name)>;

/// The names of tasks that were looked up, with their objects: these stay alive until the trace ends,
/// so that an address is a name.
static NAMES: Mutex<Option<Names>> = Mutex::new(None);

/// How many names are kept so. There are as many as there are coroutine functions, unless somebody
/// makes a new name for each.
const MOST_NAMES: usize = 10_000;

/// The loops that were given another `call_soon`.
static WATCHED: Mutex<Vec<Py<PyAny>>> = Mutex::new(Vec::new());

/// Something by address, as far as it is of this trace.
struct Kept<T> {
    epoch: u64,
    known: Option<HashMap<usize, T>>,
}

impl<T> Kept<T> {
    const EMPTY: Self = Self { epoch: 0, known: None };

    fn now(&mut self) -> &mut HashMap<usize, T> {
        let epoch = EPOCH.load(Ordering::Relaxed);
        if self.epoch != epoch {
            *self = Self { epoch, known: None };
        }
        self.known.get_or_insert_default()
    }
}

thread_local! {
    /// The tasks that have suspended on this thread.
    static SUSPENDED: RefCell<Kept<TaskId>> = const { RefCell::new(Kept::EMPTY) };
    /// The names that this thread has looked up.
    static NAMED: RefCell<Kept<Name>> = const { RefCell::new(Kept::EMPTY) };
}

/// A task that this thread submits, if a trace is being recorded.
#[inline]
pub(crate) fn accept() -> TaskId {
    if is_on() { accept_now(1).nth(0) } else { TaskId::NONE }
}

/// So many at once.
#[inline]
pub(crate) fn accept_many(count: usize) -> TaskIds {
    if is_on() { accept_now(count) } else { TaskIds::default() }
}

#[cold]
fn accept_now(count: usize) -> TaskIds {
    Python::attach(name_thread);
    TaskIds::accept(count)
}

/// The calling thread is called as Python calls it.
fn name_thread(py: Python<'_>) {
    if !trace::is_thread_named()
        && let Some(name) = thread_name(py)
    {
        trace::name_thread(name);
    }
}

fn thread_name(py: Python<'_>) -> Option<String> {
    let thread = imports::current_thread(py).ok()?.call0().ok()?;
    thread.getattr(intern!(py, "name")).ok()?.extract().ok()
}

/// The calling thread runs a loop that is not a worker's.
#[cold]
pub(crate) fn enter_loop(py: Python<'_>) {
    if let Some(name) = thread_name(py) {
        trace::name_loop_thread(name);
    }
}

/// What a task is called that was given a name.
#[cold]
pub(crate) fn given_name(name: &Bound<'_, PyAny>) -> Name {
    name.str().map_or_else(|_| Name::new("task"), |name| Name::new(&name.to_string_lossy()))
}

/// What a task is called after what it is made of.
#[cold]
pub(crate) fn name_of(py: Python<'_>, source: &Source) -> Name {
    match source {
        Source::Coroutine(coroutine) => name_of_object(coroutine.bind(py)),
        Source::Call { function, .. } => name_of_object(function.bind(py)),
    }
}

/// What a task is called after its coroutine, or a call after its function.
#[cold]
pub(crate) fn name_of_object(object: &Bound<'_, PyAny>) -> Name {
    let py = object.py();
    let name = match object.getattr_opt(intern!(py, "__qualname__")) {
        Ok(Some(name)) => name,
        // One of another make, or a callable object.
        _ => match object.get_type().qualname() {
            Ok(name) => name.into_any(),
            Err(_) => return Name::new("task"),
        },
    };
    let key = name.as_ptr() as usize;
    if let Some(known) = NAMED.with_borrow_mut(|named| named.now().get(&key).copied()) {
        return known;
    }
    let found = given_name(&name);
    let kept = {
        let mut names = lock(&NAMES);
        let names = names.get_or_insert_default();
        // Already known, it is kept alive.
        let fits = names.len() < MOST_NAMES || names.contains_key(&key);
        if fits {
            names.entry(key).or_insert_with(|| (name.clone().unbind(), found));
        }
        fits
    };
    // Where no trace is being recorded any more, it is none.
    if kept && found != Name::GIVEN {
        NAMED.with_borrow_mut(|named| named.now().insert(key, found));
    }
    found
}

/// A step of this task is over, and it has suspended on this thread.
#[cold]
pub(crate) fn suspended(id: TaskId, task: &Bound<'_, PyAny>) {
    id.suspend();
    SUSPENDED.with_borrow_mut(|suspended| suspended.now().insert(task.as_ptr() as usize, id));
}

/// It has ended so; on this thread, if it had suspended here.
#[cold]
pub(crate) fn ended(id: TaskId, task: Option<&Py<PyAny>>, outcome: &Outcome) {
    if let Some(task) = task {
        forget(task);
    }
    id.end(match outcome {
        Outcome::Value(_) => End::Returned,
        Outcome::Error(_) => End::Failed,
        Outcome::Cancelled(_) => End::Cancelled,
    });
}

/// A task that had suspended on this thread has ended.
#[cold]
pub(crate) fn forget(task: &Py<PyAny>) {
    SUSPENDED.with_borrow_mut(|suspended| suspended.now().remove(&(task.as_ptr() as usize)));
}

/// It never began, and has ended so. It would have been called like this.
#[cold]
pub(crate) fn ended_unbegun(id: TaskId, name: Name, how: End) {
    id.rename(name);
    id.end(how);
}

/// A step of a task that had suspended, which has begun.
pub(crate) struct Stepping<'py> {
    id: TaskId,
    task: Bound<'py, PyAny>,
}

impl<'py> Stepping<'py> {
    /// Begins it, if this callback, which is about to be called, is one.
    #[cold]
    pub(crate) fn begin(callback: &Bound<'py, PyAny>) -> Option<Self> {
        if SUSPENDED.with_borrow_mut(|suspended| suspended.now().is_empty()) {
            return None;
        }
        let task = callback.getattr_opt(intern!(callback.py(), "__self__")).ok()??;
        let id = of_task(&task);
        id.resume();
        id.is_traced().then_some(Self { id, task })
    }

    /// The callback has returned.
    pub(crate) fn over(self) {
        let py = self.task.py();
        let is_done = || imports::is_done(py)?.call1((&self.task,))?.is_truthy();
        // Whoever waits for it is told in another turn, which may be a while.
        if is_done().unwrap_or(false) { self.id.stop() } else { self.id.suspend() }
    }
}

/// The task of a trace that this is, if it has suspended on this thread.
#[cold]
pub(crate) fn of_task(task: &Bound<'_, PyAny>) -> TaskId {
    SUSPENDED.with_borrow_mut(|suspended| {
        suspended.now().get(&(task.as_ptr() as usize)).copied().unwrap_or_default()
    })
}

/// A call on a thread. Dropped before it has begun, it was cancelled.
pub(crate) struct Call {
    id: TaskId,
    name: Option<Name>,
}

impl Call {
    /// The calling thread has this function called by another one.
    pub(crate) fn of(function: &Bound<'_, PyAny>) -> Self {
        let id = accept();
        Self { id, name: id.is_traced().then(|| name_of_object(function)) }
    }

    /// It begins, on the calling thread.
    pub(crate) fn begin(&self, py: Python<'_>) {
        if let Some(name) = self.name {
            name_thread(py);
            self.id.begin(name);
        }
    }

    /// It has ended.
    pub(crate) fn end(&mut self, outcome: &Outcome) {
        if self.name.take().is_some() {
            ended(self.id, None, outcome);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            ended_unbegun(self.id, name, End::Cancelled);
        }
    }
}

/// What a loop's `call_soon` is replaced by: the steps of tasks are told.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_CallSoon")]
struct CallSoon {
    call_soon: Py<PyAny>,
    /// It was an attribute of the loop's own.
    is_own: bool,
}

#[pymethods]
impl CallSoon {
    #[pyo3(signature = (callback, *args, **keywords))]
    fn __call__<'py>(
        &self,
        callback: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = callback.py();
        let callback = if is_on() { wrap(callback)? } else { callback.clone() };
        let all = std::iter::once(callback).chain(args.iter());
        self.call_soon.bind(py).call(PyTuple::new(py, all.collect::<Vec<_>>())?, keywords)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.call_soon)
    }
}

/// The same callback, which is told when it is called if it is a step of a task.
pub(crate) fn wrap<'py>(callback: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = callback.py();
    match callback.getattr_opt(intern!(py, "__self__"))? {
        Some(task) if task.is_instance(imports::task(py)?)? => {
            Ok(Bound::new(py, Step { callback: callback.clone().unbind() })?.into_any())
        }
        _ => Ok(callback.clone()),
    }
}

/// A step of a task, in the queue of its loop.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Step")]
struct Step {
    callback: Py<PyAny>,
}

#[pymethods]
impl Step {
    #[pyo3(signature = (*args))]
    fn __call__<'py>(&self, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let callback = self.callback.bind(args.py());
        let step = Stepping::begin(callback);
        let called = callback.call1(args);
        if let Some(step) = step {
            step.over();
        }
        called
    }

    // What those who look into a handle find its task by.
    #[getter]
    fn __self__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.callback.bind(py).getattr(intern!(py, "__self__"))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        imports::repr(self.callback.bind(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.callback)
    }
}

/// Has a loop tell of the steps of its tasks until the trace ends, if it does not do so anyway and can
/// be made to.
#[cold]
pub(crate) fn watch_loop(event_loop: &Bound<'_, PyAny>) {
    let py = event_loop.py();
    let watch = || -> PyResult<()> {
        let call_soon = event_loop.getattr(intern!(py, "call_soon"))?;
        if call_soon.is_instance_of::<CallSoon>() {
            return Ok(());
        }
        let owner = call_soon.getattr_opt(intern!(py, "__self__"))?;
        if owner.is_some_and(|owner| owner.is_instance_of::<Turns>()) {
            return Ok(());
        }
        let own = event_loop.getattr(intern!(py, "__dict__"))?;
        let is_own = own.contains(intern!(py, "call_soon"))?;
        let told = Bound::new(py, CallSoon { call_soon: call_soon.unbind(), is_own })?;
        event_loop.setattr(intern!(py, "call_soon"), told)?;
        lock(&WATCHED).push(event_loop.clone().unbind());
        Ok(())
    };
    // A loop without a dictionary, whose tasks are shown as suspended after their first steps.
    drop(watch());
}

/// It has its own `call_soon` again.
fn unwatch(event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = event_loop.py();
    let call_soon = event_loop.getattr(intern!(py, "call_soon"))?;
    // Somebody may have replaced it again.
    let Ok(told) = call_soon.cast::<CallSoon>() else { return Ok(()) };
    if told.get().is_own {
        event_loop.setattr(intern!(py, "call_soon"), &told.get().call_soon)
    } else {
        event_loop.delattr(intern!(py, "call_soon"))
    }
}

/// A trace that is being recorded.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_Trace")]
pub(crate) struct Recorder(Mutex<Option<Trace>>);

#[pymethods]
impl Recorder {
    /// Begins to record, for this file.
    #[new]
    fn new(
        py: Python<'_>,
        path: &Bound<'_, PyAny>,
        max_events: usize,
        process_name: String,
    ) -> PyResult<Self> {
        let file: PathBuf = path.extract()?;
        let builder = Trace::builder().max_events(max_events).process_name(process_name);
        let started = py.detach(|| {
            let _alone = lock(&STARTING);
            // What a task of an earlier trace has left is void, before the first of this one; but not
            // what is of one that is going on, where this is refused.
            if !is_on() {
                EPOCH.fetch_add(1, Ordering::SeqCst);
            }
            builder.start(&file)
        });
        let started = started.map_err(|error| told(error, path))?;
        // Those that are made from here on are watched as they are made.
        for (_, event_loop) in crate::threads::worker_loops(py) {
            watch_loop(event_loop.bind(py));
        }
        Ok(Self(Mutex::new(Some(started))))
    }

    /// Ends it, and writes the file. Returns how many tasks are in it, how many were left out, and
    /// whether steps were; None if it has ended.
    fn finish(
        &self,
        py: Python<'_>,
        path: &Bound<'_, PyAny>,
    ) -> PyResult<Option<(usize, usize, bool)>> {
        let Some(trace) = lock(&self.0).take() else { return Ok(None) };
        let written = py.detach(|| trace.finish());
        EPOCH.fetch_add(1, Ordering::SeqCst);
        let watched = std::mem::take(&mut *lock(&WATCHED));
        for event_loop in &watched {
            if let Err(error) = unwatch(event_loop.bind(py)) {
                error.write_unraisable(py, Some(event_loop.bind(py)));
            }
        }
        let names = lock(&NAMES).take();
        drop((watched, names));
        let summary = written.map_err(|error| told(error, path))?;
        Ok(Some((summary.tasks, summary.left_out, summary.is_cut)))
    }
}

/// What went wrong, in Python's terms.
fn told(error: std::io::Error, path: &Bound<'_, PyAny>) -> PyErr {
    match error.raw_os_error() {
        // With these arguments it is of the class for this number, such as FileNotFoundError.
        Some(number) => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_owned();
            PyOSError::new_err((number, text, path.clone().unbind()))
        }
        None if error.kind() == std::io::ErrorKind::ResourceBusy => {
            PyRuntimeError::new_err(error.to_string())
        }
        None => error.into(),
    }
}
