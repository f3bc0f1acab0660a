use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Context,
};

use thrasks_loop::QuietWaker;

use crate::sync::Event;

/// Completes when `done`, which is told by the event. It only watches.
pub(crate) async fn until(event: &Event, done: impl Fn() -> bool) {
    let mut quiet = QuietWaker::new();
    while !done() {
        let mut listener = event.listen();
        // Between the look above and the listening the event may have come.
        if done() {
            return;
        }
        poll_fn(|cx| {
            let waker = quiet.cover(cx.waker());
            Pin::new(&mut listener).poll(&mut Context::from_waker(waker))
        })
        .await;
    }
}
