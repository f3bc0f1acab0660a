//! The file of a trace: the Chrome trace event format, as a JSON object.
//!
//! On each thread's track lie the steps of tasks, and where it submitted some, as complete events
//! (`X`). An arrow (`s`, `f`) leads from there to the first step of each. Apart from that, each task
//! is an asynchronous event (`b`, `e`) from its submission to its end, in which lie the times when it
//! was queued and when it was suspended.

use std::{
    io::{self, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, Serializer};

use super::{
    ids::End,
    lives::{Book, Life, Step, What},
};

pub(super) struct Header {
    pub(super) process: Option<String>,
    pub(super) started: SystemTime,
    pub(super) end: u64,
    pub(super) left_out: usize,
    pub(super) is_cut: bool,
}

/// Nanoseconds, which the format has in microseconds.
#[derive(Clone, Copy)]
struct Micros(u64);

impl Serialize for Micros {
    #[expect(clippy::cast_precision_loss, reason = "exact for some months")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1000.0)
    }
}

#[derive(Serialize)]
struct Event<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cat: &'a str,
    ph: &'a str,
    ts: Micros,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<Micros>,
    pid: u32,
    tid: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    /// Of an arrow's end: it leads to the event around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Args<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Args<'a> {
    Name { name: &'a str },
    SortIndex { sort_index: usize },
    Task { task: u64 },
    Tasks { tasks: u32 },
    Life(LifeArgs<'a>),
}

#[derive(Serialize)]
struct LifeArgs<'a> {
    task: u64,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<&'a str>,
    steps: usize,
    queued_us: Micros,
    running_us: Micros,
    suspended_us: Micros,
    cancel_requests: usize,
}

#[derive(Serialize)]
struct OtherData<'a> {
    producer: &'a str,
    version: &'a str,
    /// Seconds since 1970 in UTC.
    started: f64,
    duration_us: Micros,
    tasks: usize,
    tasks_left_out: usize,
    steps_left_out: bool,
}

/// Events, one a line.
struct Events<'a, W> {
    sink: &'a mut W,
    process: u32,
    is_first: bool,
}

impl<W: Write> Events<'_, W> {
    fn event<'a>(
        &self,
        ph: &'a str,
        cat: &'a str,
        name: &'a str,
        ts: u64,
        tid: usize,
    ) -> Event<'a> {
        let pid = self.process;
        Event {
            name,
            cat,
            ph,
            ts: Micros(ts),
            dur: None,
            pid,
            // 0 is no thread.
            tid: tid + 1,
            id: None,
            bp: None,
            args: None,
        }
    }

    fn write(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.sink.write_all(if self.is_first { b"\n" } else { b",\n" })?;
        self.is_first = false;
        Ok(serde_json::to_writer(&mut *self.sink, event)?)
    }
}

pub(super) fn write(
    sink: &mut impl Write,
    header: &Header,
    book: &Book,
    names: &[String],
) -> io::Result<()> {
    let started = header.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let other = OtherData {
        producer: "thrasks",
        version: env!("CARGO_PKG_VERSION"),
        started,
        duration_us: Micros(header.end),
        tasks: book.tasks(),
        tasks_left_out: header.left_out,
        steps_left_out: header.is_cut,
    };
    sink.write_all(b"{\"displayTimeUnit\":\"ms\",\"otherData\":")?;
    serde_json::to_writer(&mut *sink, &other)?;
    sink.write_all(b",\"traceEvents\":[")?;
    let mut events = Events { sink, process: std::process::id(), is_first: true };
    write_tracks(&mut events, header, book, names)?;
    let mut steps = &book.steps[..];
    for (task, life) in (1..).zip(&book.lives) {
        let own;
        (own, steps) = steps.split_at(steps.partition_point(|step| step.task <= task));
        let own = &own[own.partition_point(|step| step.task < task)..];
        write_life(&mut events, header, book, Written { task, life, steps: own, names })?;
    }
    sink.write_all(b"\n]}\n")
}

fn name_of(names: &[String], name: u32) -> &str {
    let index = (name as usize).checked_sub(1);
    index.and_then(|index| names.get(index)).map_or("task", String::as_str)
}

fn write_tracks<W: Write>(
    events: &mut Events<'_, W>,
    header: &Header,
    book: &Book,
    names: &[String],
) -> io::Result<()> {
    let mut process = events.event("M", "", "process_name", 0, 0);
    process.args = Some(Args::Name { name: header.process.as_deref().unwrap_or("thrasks") });
    events.write(&process)?;
    for (tid, track) in book.tracks.iter().enumerate() {
        let mut name = events.event("M", "", "thread_name", 0, tid);
        name.args = Some(Args::Name { name: &track.name });
        events.write(&name)?;
        let mut order = events.event("M", "", "thread_sort_index", 0, tid);
        order.args = Some(Args::SortIndex { sort_index: tid });
        events.write(&order)?;
    }
    for (tid, track) in book.tracks.iter().enumerate() {
        for piece in &track.pieces {
            let (cat, name, args) = match piece.what {
                What::Step(task) => {
                    let life = usize::try_from(task).ok().and_then(|task| book.lives.get(task - 1));
                    let name = name_of(names, life.map_or(0, |life| life.name));
                    (if track.is_loop { "run" } else { "call" }, name, Args::Task { task })
                }
                What::Submit(tasks) => ("submit", "submit", Args::Tasks { tasks }),
            };
            let mut event = events.event("X", cat, name, piece.begin, tid);
            // An arrow begins in it, not at its end.
            let more = u64::from(matches!(piece.what, What::Submit(_)));
            event.dur = Some(Micros(piece.end - piece.begin + more));
            event.args = Some(args);
            events.write(&event)?;
        }
    }
    Ok(())
}

/// A task that is being written.
#[derive(Clone, Copy)]
struct Written<'a> {
    task: u64,
    life: &'a Life,
    steps: &'a [Step],
    names: &'a [String],
}

fn write_life<W: Write>(
    events: &mut Events<'_, W>,
    header: &Header,
    book: &Book,
    written: Written<'_>,
) -> io::Result<()> {
    let Written { task, life, steps, names } = written;
    let Some((accepted, submitter)) = life.accepted else { return Ok(()) };
    let (end, outcome) = match life.ended {
        Some(((at, _), End::Returned)) => (at, "returned"),
        Some(((at, _), End::Failed)) => (at, "failed"),
        Some(((at, _), End::Cancelled)) => (at, "cancelled"),
        None => (header.end, "unfinished"),
    };
    // The clocks of two processors may differ a little.
    let end = life.stopped.unwrap_or(end).max(accepted);
    let begun = life.begun.map(|(at, track)| (at.clamp(accepted, end), track));
    let tid = begun.map_or(submitter, |(_, track)| track);
    let queued = begun.map_or(end, |(at, _)| at);
    let suspensions: Vec<_> = begun.map_or_else(Vec::new, |_| suspensions(steps, end));
    let running: u64 = steps.iter().map(|step| step.end - step.begin).sum();
    let name = name_of(names, life.name);
    let mut whole = events.event("b", "task", name, accepted, tid);
    whole.id = Some(task);
    whole.args = Some(Args::Life(LifeArgs {
        task,
        outcome,
        thread: begun.map(|(_, track)| book.tracks[track].name.as_str()),
        steps: steps.len(),
        queued_us: Micros(queued - accepted),
        running_us: Micros(running),
        suspended_us: Micros(suspensions.iter().map(|(from, to)| to - from).sum()),
        cancel_requests: life.cancel_requests.len(),
    }));
    events.write(&whole)?;
    let at = |events: &mut Events<'_, W>, ph, name, ts, tid| {
        let mut event = events.event(ph, "task", name, ts, tid);
        event.id = Some(task);
        events.write(&event)
    };
    at(events, "b", "queued", accepted, submitter)?;
    at(events, "e", "queued", queued, tid)?;
    for (from, to) in suspensions {
        at(events, "b", "suspended", from, tid)?;
        at(events, "e", "suspended", to, tid)?;
    }
    for (when, track) in &life.cancel_requests {
        at(events, "n", "cancel requested", (*when).clamp(accepted, end), *track)?;
    }
    at(events, "e", name, end, tid)?;
    if let Some((begun, track)) = begun {
        let mut arrow = events.event("s", "submit", "submit", accepted, submitter);
        arrow.id = Some(task);
        events.write(&arrow)?;
        let mut arrow = events.event("f", "submit", "submit", begun, track);
        (arrow.id, arrow.bp) = (Some(task), Some("e"));
        events.write(&arrow)?;
    }
    Ok(())
}

/// When a task was suspended, which ended then.
fn suspensions(steps: &[Step], end: u64) -> Vec<(u64, u64)> {
    let begins = steps.iter().skip(1).map(|step| step.begin).chain([end]);
    let gaps = steps.iter().map(|step| step.end.min(end)).zip(begins);
    gaps.filter(|(from, to)| from < to).collect()
}
