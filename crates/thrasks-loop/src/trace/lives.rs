//! What the events of all threads come to: who ran when on each, and the life of each task.

use std::sync::Arc;

use super::{
    ids::End,
    lane::{Event, Kind, Lane},
};

/// Tasks that a thread submits no further apart than this, in nanoseconds, are shown as one piece.
const TOGETHER: u64 = 20_000;

/// A trace, put in order.
pub(super) struct Book {
    /// The threads that only submit come first, then the loops.
    pub(super) tracks: Vec<Track>,
    /// By the numbers of the tasks, from 1. One that the trace does not hold has not been accepted.
    pub(super) lives: Vec<Life>,
    /// When it ended: nothing in it is later.
    pub(super) end: u64,
    /// All steps of the first task, then those of the second, and so on.
    pub(super) steps: Vec<Step>,
}

/// What there is of a thread.
pub(super) struct Track {
    pub(super) name: String,
    pub(super) is_loop: bool,
    /// By their beginnings; what lies in another comes after it.
    pub(super) pieces: Vec<Piece>,
}

/// Something that a thread did.
pub(super) struct Piece {
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) what: What,
}

pub(super) enum What {
    /// It ran a step of this task.
    Step(u64),
    /// It submitted so many.
    Submit(u32),
}

/// A moment, and the number of the track.
pub(super) type Place = (u64, usize);

#[derive(Default)]
pub(super) struct Life {
    pub(super) name: u32,
    pub(super) accepted: Option<Place>,
    pub(super) begun: Option<Place>,
    pub(super) cancel_requests: Vec<Place>,
    /// When its last step was over, where that was told.
    pub(super) stopped: Option<u64>,
    pub(super) ended: Option<(Place, End)>,
}

#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) task: u64,
    pub(super) begin: u64,
    pub(super) end: u64,
}

impl Book {
    pub(super) fn new(lanes: &[Arc<Lane>], now: impl FnOnce() -> u64) -> Self {
        let mut logs: Vec<_> = lanes.iter().map(|lane| (lane, lane.take())).collect();
        // From here on nothing is recorded on any of them.
        let end = now();
        logs.retain(|(_, events)| !events.is_empty());
        logs.sort_by_cached_key(|(lane, _)| (lane.is_loop(), natural(&lane.name)));
        let mut book = Self { end, tracks: Vec::new(), lives: Vec::new(), steps: Vec::new() };
        for (track, (lane, events)) in logs.iter().enumerate() {
            events.iter().for_each(|event| book.note(track, event));
            let pieces = pieces(events, end);
            let (name, is_loop) = (lane.name.clone(), lane.is_loop());
            book.tracks.push(Track { name, is_loop, pieces });
        }
        let pieces = book.tracks.iter().flat_map(|track| &track.pieces);
        book.steps = pieces
            .filter_map(|piece| match piece.what {
                What::Step(task) => Some(Step { task, begin: piece.begin, end: piece.end }),
                What::Submit(_) => None,
            })
            .collect();
        book.steps.sort_by_key(|step| (step.task, step.begin));
        book
    }

    /// How many tasks there are.
    pub(super) fn tasks(&self) -> usize {
        self.lives.iter().filter(|life| life.accepted.is_some()).count()
    }

    fn note(&mut self, track: usize, event: &Event) {
        let place = (event.at, track);
        if event.kind == Kind::Accepted {
            for task in event.task..event.task + u64::from(event.data) {
                self.life(task).accepted = Some(place);
            }
            return;
        }
        let life = self.life(event.task);
        match event.kind {
            Kind::Begun => {
                life.begun = Some(place);
                // A name that it gave itself is a later one.
                if life.name == 0 {
                    life.name = event.data;
                }
            }
            Kind::Named => life.name = event.data,
            Kind::Stopped => life.stopped = Some(event.at),
            Kind::CancelRequested => life.cancel_requests.push(place),
            Kind::Ended(how) => {
                life.ended.get_or_insert((place, how));
            }
            Kind::Accepted | Kind::Resumed | Kind::Suspended => {}
        }
    }

    fn life(&mut self, task: u64) -> &mut Life {
        let index = usize::try_from(task).map_or(0, |task| task.saturating_sub(1));
        if self.lives.len() <= index {
            self.lives.resize_with(index + 1, Life::default);
        }
        &mut self.lives[index]
    }
}

/// What a thread did, by what it recorded.
fn pieces(events: &[Event], end: u64) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    // The steps that are under way, one within the other.
    let mut open: Vec<usize> = Vec::new();
    let mut submitting = None;
    for event in events {
        match event.kind {
            Kind::Accepted => {
                let going_on = submitting.filter(|index: &usize| {
                    let piece: &Piece = &pieces[*index];
                    event.at.saturating_sub(piece.end) <= TOGETHER
                });
                let index = going_on.unwrap_or_else(|| {
                    let what = What::Submit(0);
                    pieces.push(Piece { begin: event.at, end: event.at, what });
                    pieces.len() - 1
                });
                submitting = Some(index);
                let piece = &mut pieces[index];
                piece.end = event.at;
                if let What::Submit(count) = &mut piece.what {
                    *count = count.saturating_add(event.data);
                }
            }
            Kind::Begun | Kind::Resumed => {
                submitting = None;
                open.push(pieces.len());
                pieces.push(Piece { begin: event.at, end, what: What::Step(event.task) });
            }
            Kind::Suspended | Kind::Stopped | Kind::Ended(_) => {
                let ends = |index: &usize| matches!(pieces[*index].what, What::Step(task) if task == event.task);
                if let Some(depth) = open.iter().rposition(ends) {
                    submitting = None;
                    for index in open.drain(depth..) {
                        pieces[index].end = event.at;
                    }
                }
            }
            Kind::Named | Kind::CancelRequested => {}
        }
    }
    pieces
}

/// Sorts numbers in a name as numbers: `loop-2` before `loop-10`.
fn natural(name: &str) -> Vec<(String, u64)> {
    name.split_inclusive(|one: char| !one.is_ascii_digit())
        .map(|part| {
            let digits = part.find(|one: char| !one.is_ascii_digit()).unwrap_or(part.len());
            let number = part[..digits].parse().unwrap_or_default();
            (part[digits..].to_owned(), number)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_by_their_numbers() {
        let mut names = ["loop-10", "loop-2", "a-3", "loop-1"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["a-3", "loop-1", "loop-2", "loop-10"]);
    }

    #[test]
    fn a_step_within_a_step_lies_in_it() {
        let event = |at, task, kind| Event { at, task, data: 1, kind };
        let events = [
            event(10, 1, Kind::Begun),
            event(11, 3, Kind::Accepted),
            event(12, 2, Kind::Begun),
            event(20, 2, Kind::Ended(End::Returned)),
            event(30, 1, Kind::Suspended),
            event(40, 1, Kind::Resumed),
        ];
        let found: Vec<_> =
            pieces(&events, 99).iter().map(|piece| (piece.begin, piece.end)).collect();
        assert_eq!(found, [(10, 30), (11, 11), (12, 20), (40, 99)]);
    }
}
