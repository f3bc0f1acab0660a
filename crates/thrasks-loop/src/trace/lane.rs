//! What one thread has recorded.

use std::{
    cell::RefCell,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    ids::End,
    recording::{Recording, generation, lock},
};

/// How many events a thread may record before it asks for room again.
const ROOM: usize = 512;

/// Something that has happened to a task.
#[derive(Clone, Copy)]
pub(super) struct Event {
    /// In nanoseconds from the start of the trace.
    pub(super) at: u64,
    pub(super) task: u64,
    /// The number of a name, or of tasks.
    pub(super) data: u32,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// So many tasks were submitted, of which this is the first.
    Accepted,
    Named,
    /// Its first step begins, with this name.
    Begun,
    Resumed,
    Suspended,
    /// Its last step is over.
    Stopped,
    CancelRequested,
    Ended(End),
}

/// A thread in one trace.
pub(super) struct Lane {
    pub(super) name: String,
    is_loop: AtomicBool,
    recording: Arc<Recording>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    events: Vec<Event>,
    /// The tasks that are in a step here, one within the other.
    running: Vec<u64>,
    room: usize,
    /// The trace has been taken: what comes is too late.
    is_closed: bool,
}

/// What a thread is called.
struct Label {
    name: String,
    is_loop: bool,
}

thread_local! {
    static LANE: RefCell<Option<Arc<Lane>>> = const { RefCell::new(None) };
    static LABEL: RefCell<Option<Label>> = const { RefCell::new(None) };
}

/// Says what the calling thread is called in traces: for threads that have no name, or another. A loop
/// thread has its own already.
///
/// # Examples
///
/// ```standalone_crate
/// use thrasks_loop::trace::{is_thread_named, name_thread};
///
/// std::thread::spawn(|| {
///     assert!(!is_thread_named());
///     name_thread("reader");
///     assert!(is_thread_named());
/// })
/// .join()
/// .unwrap();
/// ```
pub fn name_thread(name: impl Into<String>) {
    let name = name.into();
    let _ = LABEL.try_with(|label| {
        let mut label = label.borrow_mut();
        if !label.as_ref().is_some_and(|label| label.is_loop) {
            *label = Some(Label { name, is_loop: false });
        }
    });
}

/// Whether it is known what the calling thread is called in traces.
///
/// # Examples
///
/// ```
/// use thrasks_loop::trace::is_thread_named;
///
/// let reader = std::thread::Builder::new().name("reader".into());
/// reader.spawn(|| assert!(is_thread_named()))?.join().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn is_thread_named() -> bool {
    let is_known = |label: &RefCell<Option<Label>>| {
        label.borrow().is_some() || std::thread::current().name().is_some()
    };
    LABEL.try_with(is_known).unwrap_or(true)
}

/// Says what the calling thread is called in traces, and that it runs a loop: for loops that are not of
/// this crate.
///
/// # Examples
///
/// ```
/// use thrasks_loop::trace::{is_thread_named, name_loop_thread};
///
/// std::thread::spawn(|| {
///     name_loop_thread("gui");
///     assert!(is_thread_named());
/// })
/// .join()
/// .unwrap();
/// ```
pub fn name_loop_thread(name: impl Into<String>) {
    let name = name.into();
    let _ = LABEL.try_with(|label| label.replace(Some(Label { name, is_loop: true })));
    // It may have submitted something before.
    let _ = LANE.try_with(|lane| {
        if let Some(lane) = &*lane.borrow() {
            lane.is_loop.store(true, Ordering::Relaxed);
        }
    });
}

impl Lane {
    /// The calling thread, in the trace that is being recorded.
    fn register() -> Option<Arc<Self>> {
        let recording = Recording::current().filter(|recording| recording.is_current())?;
        let own = std::thread::current();
        let (name, is_loop) = LABEL.with_borrow(|label| match label {
            Some(Label { name, is_loop }) => (name.clone(), *is_loop),
            None => (own.name().unwrap_or("a thread").to_owned(), false),
        });
        let log = Mutex::default();
        let is_loop = AtomicBool::new(is_loop);
        let lane = Arc::new(Self { name, is_loop, recording: recording.clone(), log });
        recording.add_lane(lane.clone());
        Some(lane)
    }

    /// Does something as the calling thread, if a trace is being recorded.
    fn with_own<R>(act: impl FnOnce(&Self, &mut Log) -> R) -> Option<R> {
        LANE.try_with(|own| {
            let mut own = own.try_borrow_mut().ok()?;
            if own.as_ref().is_none_or(|lane| lane.recording.generation != generation()) {
                *own = Self::register();
            }
            let lane = own.as_ref()?;
            let mut log = lock(&lane.log);
            (!log.is_closed).then(|| act(lane, &mut log))
        })
        .ok()
        .flatten()
    }

    /// Whether it runs a loop.
    pub(super) fn is_loop(&self) -> bool {
        self.is_loop.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self) -> Vec<Event> {
        let mut log = lock(&self.log);
        log.is_closed = true;
        std::mem::take(&mut log.events)
    }
}

impl Log {
    /// Room for so many events.
    fn has_room(&mut self, recording: &Recording, events: usize) -> bool {
        if self.room < events {
            self.room += recording.room(ROOM);
        }
        let enough = self.room >= events;
        if enough {
            self.room -= events;
        }
        enough
    }
}

/// The tasks that a trace has room for, of so many that were submitted: the first, and how many.
///
/// Each has room for its beginning and its end from here on.
pub(super) fn accept(count: usize) -> Option<(u64, usize)> {
    Lane::with_own(|lane, log| {
        let recording = &lane.recording;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let fits = if count == 1 {
            u32::from(log.has_room(recording, 3))
        } else {
            // What an odd one leaves is lost.
            u32::try_from(recording.room(count as usize * 2) / 2).unwrap_or(u32::MAX)
        };
        if fits < count {
            recording.left_out.fetch_add((count - fits) as usize, Ordering::Relaxed);
        }
        if fits == 0 {
            return None;
        }
        let first = recording.number(fits as usize);
        let event = Event { at: recording.now(), task: first, data: fits, kind: Kind::Accepted };
        log.events.push(event);
        Some((recording.id_of(first), fits as usize))
    })
    .flatten()
}

/// Records something that has happened to a task, if it is one of this trace.
pub(super) fn record(id: u64, kind: Kind, data: u32) {
    let _ = Lane::with_own(|lane, log| {
        let Some(task) = lane.recording.task_of(id) else { return };
        match kind {
            Kind::Begun => log.running.push(task),
            Kind::Resumed => {
                // A step has an end, too.
                if !log.has_room(&lane.recording, 2) {
                    lane.recording.is_cut.store(true, Ordering::Relaxed);
                    return;
                }
                log.running.push(task);
            }
            Kind::Suspended | Kind::Stopped => {
                if log.running.last() != Some(&task) {
                    return;
                }
                log.running.pop();
            }
            Kind::Ended(_) => {
                if log.running.last() == Some(&task) {
                    log.running.pop();
                }
            }
            // A task may give itself name after name.
            Kind::Named | Kind::CancelRequested => {
                if !log.has_room(&lane.recording, 1) {
                    return;
                }
            }
            Kind::Accepted => {}
        }
        log.events.push(Event { at: lane.recording.now(), task, data, kind });
    });
}

/// The task that is in a step on the calling thread.
pub(super) fn running_here() -> Option<u64> {
    Lane::with_own(|lane, log| log.running.last().map(|task| lane.recording.id_of(*task))).flatten()
}

/// The number of a name in the trace that is being recorded.
pub(super) fn intern(name: &str) -> u32 {
    Lane::with_own(|lane, _| lock(&lane.recording.names).number(name)).unwrap_or_default()
}
