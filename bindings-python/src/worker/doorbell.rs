//! How a worker's thread is woken.

use std::{
    sync::{Arc, Mutex},
    task::Wake,
    thread::Thread,
};

use pyo3::prelude::*;

use super::{HERE, TAKING};
use crate::{bell::Bell, ring, sync::lock};

/// How a worker's thread is woken: by its loop when that runs, by unparking before.
#[derive(Default)]
pub(super) struct Doorbell(pub(super) Mutex<Target>);

#[derive(Default)]
pub(super) enum Target {
    /// The thread has not begun to look for work. Its first look will find what there is.
    #[default]
    Nobody,
    Loop {
        call_soon: Py<PyAny>,
        call_soon_threadsafe: Py<PyAny>,
        take: Py<PyAny>,
        bell: Option<Arc<Bell>>,
    },
    Parked(Thread),
}

impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let here = HERE.with_borrow(|worker| {
            worker.as_ref().is_some_and(|worker| Arc::ptr_eq(&worker.doorbell, self))
        });
        if here && TAKING.get() {
            return;
        }
        let bell = match &*lock(&self.0) {
            Target::Loop { bell: Some(bell), .. } if !here => Some(bell.clone()),
            _ => None,
        };
        if bell.is_some_and(|bell| bell.ring()) {
            return;
        }
        Python::attach(|py| {
            let (bell, take) = match &*lock(&self.0) {
                Target::Nobody => return,
                Target::Parked(thread) => return thread.unpark(),
                // The loop is awake: it sees to it before it sleeps.
                Target::Loop { call_soon, take, .. } if here => {
                    (call_soon.clone_ref(py), take.clone_ref(py))
                }
                Target::Loop { call_soon_threadsafe, take, .. } => {
                    (call_soon_threadsafe.clone_ref(py), take.clone_ref(py))
                }
            };
            // A loop that is closed: the thread is past its last look, and what was sent to it is
            // dropped, and told, by the loop thread's own end.
            ring::ring(py, bell.bind(py), take.bind(py));
        });
    }
}
