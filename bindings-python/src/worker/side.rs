//! A worker as its own loop and the Python half of its thread see it.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use pyo3::{
    intern,
    prelude::*,
    types::{PyDict, PyString},
};
use thrasks_loop::{Next, Work};

use super::{
    HOLDINGS, Side, TAKING, Target, Worker,
    taking::{Again, Pause, take_up},
    with_work,
};
use crate::{bell::Bell, orders::Order, sync::lock, tidy::Holdings, trace};

/// The callback of a timer: ends a worker's nap.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_NapEnd")]
pub(super) struct NapEnd {
    pub(super) worker: Arc<Worker>,
}

#[pymethods]
impl NapEnd {
    fn __call__(&self) {
        self.worker.timed.store(false, Ordering::Relaxed);
        self.worker.rouse();
    }
}

/// A worker as its own loop and the Python half of its thread see it.
#[pyclass(frozen, module = "thrasks._thrasks", name = "_LoopSide")]
pub(crate) struct LoopSide {
    pub(super) worker: Arc<Worker>,
}

#[pymethods]
impl LoopSide {
    /// Takes up work: the callback with which the loop is woken.
    pub(super) fn __call__(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let worker = &slf.get().worker;
        if worker.leaving.load(Ordering::Acquire) {
            // A wake-up that was on its way. To stop the loop now would cut its end short.
            return Ok(());
        }
        worker.napping.store(false, Ordering::SeqCst);
        TAKING.set(true);
        let (again, tired) = take_up(py, worker);
        TAKING.set(false);
        // For what this worker has sent to itself meanwhile, nobody has rung.
        let again = match again {
            Again::AfterPace if !with_work(Work::is_notified).unwrap_or(false) => {
                let pause = Pause::new(slf);
                worker.event_loop(py).call_method1(intern!(py, "call_soon"), (pause,))?;
                return Ok(());
            }
            Again::AfterPace | Again::Soon => true,
            Again::WhenWoken => {
                worker.look(py)?;
                if tired {
                    return worker.nap(py);
                }
                false
            }
            Again::Never => {
                worker.event_loop(py).call_method0(intern!(py, "stop"))?;
                false
            }
        };
        if again {
            worker.event_loop(py).call_method1(intern!(py, "call_soon"), (slf,))?;
        }
        Ok(())
    }

    /// The name of the thread.
    #[getter]
    fn name<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, self.worker.handle().name())
    }

    /// Whether the thread is to end.
    #[getter]
    fn stopping(&self) -> bool {
        with_work(Work::is_stopping).unwrap_or(true)
    }

    /// Answers the bell: what the loop calls when that can be read.
    fn answer(slf: &Bound<'_, Self>) -> PyResult<()> {
        let bell = lock(&slf.get().worker.bell).clone();
        if let Some(bell) = bell {
            bell.hush();
        }
        Self::__call__(slf)
    }

    /// The bell is the worker's from now on, which closes it: its loop is to call `answer` when it can
    /// be read.
    fn own_bell(&self, descriptor: i32) {
        *lock(&self.worker.bell) = Some(Arc::new(Bell::new(descriptor)));
    }

    /// This is where the loop keeps what it has, the loop's own as yet.
    #[expect(clippy::unused_self, reason = "it is this thread's")]
    fn show(
        &self,
        event_loop: &Bound<'_, PyAny>,
        descriptors: Bound<'_, PyDict>,
        generators: Bound<'_, PyAny>,
    ) -> PyResult<()> {
        HOLDINGS.set(Some(Holdings::of(event_loop, descriptors, generators)?));
        Ok(())
    }

    /// Takes work from now on, on this loop.
    fn attach(slf: &Bound<'_, Self>, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let worker = &slf.get().worker;
        let call_soon = event_loop.getattr(intern!(py, "call_soon"))?.unbind();
        let call_soon_threadsafe =
            event_loop.getattr(intern!(py, "call_soon_threadsafe"))?.unbind();
        *lock(&worker.side) =
            Some(Side { event_loop: event_loop.clone().unbind(), settings: None });
        worker.made.store(true, Ordering::Release);
        if trace::is_on() {
            trace::watch_loop(event_loop);
        }
        let take = slf.clone().into_any().unbind();
        let bell = lock(&worker.bell).clone();
        let target = Target::Loop { call_soon, call_soon_threadsafe, take, bell };
        *lock(&worker.doorbell.0) = target;
        // What came before there was anybody to wake.
        event_loop.call_method1(intern!(py, "call_soon"), (slf,))?;
        Ok(())
    }

    /// Takes no more work: what is still sent to this worker is dropped when its thread ends.
    fn leave(&self) {
        self.worker.leaving.store(true, Ordering::Release);
    }

    /// The loop could not be made: answers every job with the reason, until the thread is to end.
    fn refuse(&self, py: Python<'_>, error: &Bound<'_, PyAny>) {
        let worker = &self.worker;
        *lock(&worker.failure) = Some(error.clone().unbind());
        worker.spoil();
        *lock(&worker.doorbell.0) = Target::Parked(std::thread::current());
        'looking: loop {
            with_work(Work::acknowledge);
            loop {
                match with_work(Work::next).unwrap_or(Next::Stop) {
                    Next::Job(Order::Start(sent)) => {
                        sent.into_job().fail(py, PyErr::from_value(error.clone()));
                        worker.finish();
                    }
                    Next::Posted(Order::Start(sent)) => {
                        sent.into_job().fail(py, PyErr::from_value(error.clone()));
                    }
                    Next::Job(Order::Item(item)) => {
                        item.fail(py, worker, PyErr::from_value(error.clone()));
                    }
                    Next::Posted(Order::Share(share)) => {
                        share.fail(py, &PyErr::from_value(error.clone()));
                    }
                    // There is nothing to cancel and nothing to clean: dropped, it is done.
                    Next::Posted(_) | Next::Job(_) => {}
                    Next::Idle => break,
                    Next::Stop => break 'looking,
                }
            }
            py.detach(std::thread::park);
        }
        // Nobody asks for it any more.
        drop(worker.take_failure());
    }

    /// Ends the thread, if it has been idle in the cache for this many seconds.
    fn retire(&self, py: Python<'_>, idle_for: f64) -> bool {
        // Whoever started the thread may not yet have said which it is: then it is not idle.
        let Some(handle) = self.worker.handle.get() else { return false };
        let idle_for = Duration::try_from_secs_f64(idle_for).unwrap_or_default();
        let retired = crate::threads::cache().retire(handle, idle_for);
        let found = retired.is_some();
        // Dropping it stops it, which needs no thread to be waited for.
        py.detach(|| drop(retired));
        found
    }
}
