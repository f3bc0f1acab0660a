use std::time::{Duration, Instant};

use crate::sync::{Event, Listener as _};

/// Blocks until `done`, which somebody who makes it true tells by the event, or the deadline has
/// passed. Returns whether it is done.
pub(crate) fn wait(event: &Event, deadline: Option<Instant>, done: impl Fn() -> bool) -> bool {
    loop {
        if done() {
            return true;
        }
        let listener = event.listen();
        // Between the look above and the listening the event may have come.
        if done() {
            return true;
        }
        match deadline {
            None => listener.wait(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left == Duration::ZERO || listener.wait_timeout(left).is_none() {
                    return done();
                }
            }
        }
    }
}
