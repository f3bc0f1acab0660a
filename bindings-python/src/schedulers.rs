//! `mode=`: what decides which worker runs which job.

use std::{error::Error, sync::Arc};

use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    intern,
    prelude::*,
    types::{PyInt, PyList, PyType},
};
use thrasks_sched::{LeastLoaded, Loads, PerWorker, Placement, Queue, RoundRobin, Scheduler};

use crate::{imports, orders::Order};

/// A `SchedulingMode`, or an object with a `place` method.
pub(crate) enum Mode {
    RoundRobin,
    Queue,
    LeastLoaded,
    Custom(Py<PyAny>),
}

impl Mode {
    /// Reads the `mode` argument.
    pub(crate) fn read(mode: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = mode.py();
        // A member of the enum; its values are these strings.
        if mode.is_instance(imports::scheduling_mode(py)?)? {
            let value = mode.getattr(intern!(py, "value"))?;
            return match value.extract::<&str>()? {
                "round_robin" => Ok(Self::RoundRobin),
                "queue" => Ok(Self::Queue),
                _ => Ok(Self::LeastLoaded),
            };
        }
        let place = mode.getattr(intern!(py, "place")).ok();
        if place.is_some_and(|place| place.is_callable()) && !mode.is_instance_of::<PyType>() {
            return Ok(Self::Custom(mode.clone().unbind()));
        }
        Err(PyTypeError::new_err(format!(
            "mode must be a SchedulingMode or an object with a place(loads) method, got {}",
            imports::repr(mode)
        )))
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::RoundRobin => Self::RoundRobin,
            Self::Queue => Self::Queue,
            Self::LeastLoaded => Self::LeastLoaded,
            Self::Custom(policy) => Self::Custom(policy.clone_ref(py)),
        }
    }

    pub(crate) fn scheduler(&self, py: Python<'_>, workers: usize) -> Arc<dyn Scheduler<Order>> {
        match self {
            Self::RoundRobin => Arc::new(RoundRobin::new(workers)),
            Self::Queue => Arc::new(Queue::new(workers)),
            Self::LeastLoaded => Arc::new(LeastLoaded::new(workers)),
            Self::Custom(policy) => Arc::new(PerWorker::new(workers, Policy(policy.clone_ref(py)))),
        }
    }

    /// The mode as it shows in a repr.
    pub(crate) fn describe(&self, py: Python<'_>) -> String {
        match self {
            Self::RoundRobin => "ROUND_ROBIN".into(),
            Self::Queue => "QUEUE".into(),
            Self::LeastLoaded => "LEAST_LOADED".into(),
            Self::Custom(policy) => imports::repr(policy.bind(py)),
        }
    }
}

/// A placement written in Python.
struct Policy(Py<PyAny>);

impl Placement<Order> for Policy {
    fn place(
        &self,
        _job: &Order,
        loads: &Loads<'_>,
    ) -> Result<usize, Box<dyn Error + Send + Sync>> {
        Python::attach(|py| {
            let policy = self.0.bind(py);
            let worker =
                policy.call_method1(intern!(py, "place"), (PyList::new(py, loads.iter())?,))?;
            if !worker.is_instance_of::<PyInt>() {
                return Err(PyTypeError::new_err(format!(
                    "place() of {} must return the number of a worker, got {}",
                    imports::repr(policy),
                    imports::repr(&worker)
                )));
            }
            match worker.extract::<usize>() {
                Ok(index) if index < loads.len() => Ok(index),
                _ => Err(PyValueError::new_err(format!(
                    "place() of {} returned {}, and the workers are numbered 0 to {}",
                    imports::repr(policy),
                    imports::repr(&worker),
                    loads.len() - 1
                ))),
            }
        })
        .map_err(|error: PyErr| error.into())
    }
}
