//! Panics name the caller's line, and what was wrong.

use std::{
    panic::{Location, catch_unwind},
    sync::{Arc, Mutex},
};

use futures_lite::future::{block_on, poll_once};
use thrasks_loop::LoopPool;
use thrasks_pool::{Act, Next, Roster, TaskPool, Window};

/// Where the code panics, and with what.
fn panics(code: impl FnOnce() + std::panic::UnwindSafe) -> (String, u32, String) {
    let seen = Arc::new(Mutex::new(None));
    let hook = seen.clone();
    let old = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let location = info.location().unwrap();
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message =
            text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
        *hook.lock().unwrap() = Some((location.file().to_owned(), location.line(), message));
    }));
    let result = catch_unwind(code);
    std::panic::set_hook(old);
    assert!(result.is_err(), "it did not panic");
    let seen = seen.lock().unwrap().take();
    seen.expect("the hook was called")
}

#[track_caller]
fn here(offset: u32, message: &str) -> (String, u32, String) {
    let location = Location::caller();
    (location.file().to_owned(), location.line() + offset, message.to_owned())
}

// One test: the panic hook is the process's.
#[test]
#[rustfmt::skip]
fn a_panic_is_the_callers() {
    let want = here(1, "a roster needs at least one worker, got max_workers = 0");
    assert_eq!(panics(|| _ = Roster::<u8>::new(0)), want);
    let want = here(1, "a pool needs at least one worker, got max_workers(0)");
    assert_eq!(panics(|| _ = TaskPool::builder().max_workers(0)), want);
    let want = here(1, "a window needs room for at least one value, got 0");
    assert_eq!(panics(|| _ = Window::<u8>::ordered(0)), want);
    let want = here(1, "a window needs room for at least one value, got 0");
    assert_eq!(panics(|| _ = Window::<u8>::unordered(0)), want);

    let roster = Roster::new(1);
    let Act::Start(worker) = roster.submit(1).unwrap().act else { panic!("nobody is there yet") };
    assert_eq!(roster.next_or_retire(worker), Some(1));
    assert_eq!(roster.next_or_retire(worker), None);
    let want = here(1, "worker 0 is not on the roster: it has left");
    assert_eq!(panics(|| assert_eq!(roster.next(worker), Next::Idle)), want);

    let pool = TaskPool::new(LoopPool::builder().threads(1).build().unwrap());
    let on = pool.clone();
    let want = here(1, "a window needs room for at least one value, got 0");
    assert_eq!(panics(std::panic::AssertUnwindSafe(|| drop(on.map([1], 0, async |i: u8| i)))), want);

    let mut handle = pool.submit(|| async { 1 });
    block_on(&mut handle).unwrap();
    let (_, _, message) = panics(std::panic::AssertUnwindSafe(|| drop(block_on(poll_once(&mut handle)))));
    assert_eq!(message, "a TaskHandle was polled after it had given its outcome");
}
