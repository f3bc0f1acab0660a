//! A panic that is the caller's error is reported at the caller's line.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    pin::{Pin, pin},
    sync::{Arc, Mutex, mpsc},
    task::{Context, Waker},
};

use common::{BoxError, pool};
use futures_lite::future::block_on;
use thrasks_group::{Enclosure, Outcome, Supervisor, TaskGroup, Unstarted};

/// The file and the text of the panic of `f`.
fn panic_of(f: impl FnOnce()) -> (String, String) {
    // The process's panic hook is everybody's.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (send, receive) = mpsc::channel();
    let old = take_hook();
    set_hook(Box::new(move |info| {
        let location = info.location().map(|location| location.file().to_owned());
        let _ = send.send((location.unwrap_or_default(), info.to_string()));
    }));
    let result = catch_unwind(AssertUnwindSafe(f));
    set_hook(old);
    assert!(result.is_err());
    receive.recv().unwrap()
}

#[track_caller]
fn blamed(f: impl FnOnce(), for_what: &str) {
    let (file, text) = panic_of(f);
    assert!(file.ends_with("locations.rs"), "{file}");
    assert!(text.contains(for_what), "{text}");
}

#[track_caller]
fn poll<F: Future>(future: Pin<&mut F>) {
    let _ = future.poll(&mut Context::from_waker(Waker::noop()));
}

struct Mute;

impl Enclosure for Mute {
    fn hold(&self) {}
    fn release(&self) {}
}

impl Supervisor<u8> for Mute {
    fn ended(self: Arc<Self>, _key: usize, _outcome: Outcome<u8>) {}
}

#[test]
fn a_group_for_no_children() {
    let pool = pool(1);
    blamed(|| drop(TaskGroup::<BoxError>::builder(&pool).max_concurrency(0)), "max_concurrency(0)");
}

#[test]
fn a_group_that_is_run_twice() {
    let group = TaskGroup::<BoxError>::new(&pool(1));
    block_on(group.run(async |_| Ok(()))).unwrap();
    blamed(|| drop(group.run(async |_| Ok(()))), "was run before");
}

#[test]
fn a_handle_that_is_polled_after_its_end() {
    block_on(TaskGroup::<BoxError>::scope(&pool(1), async |group| {
        let mut handle = group.spawn(|| async { Ok(1) })?;
        (&mut handle).await?;
        blamed(|| poll(Pin::new(&mut handle)), "after it had given its outcome");
        Ok(())
    }))
    .unwrap();
}

#[test]
fn a_supervised_task_that_is_polled_after_its_end() {
    let mut task = pin!(Unstarted::new(|| async { 1 }, Arc::new(Mute), 0).start());
    poll(task.as_mut());
    blamed(|| poll(task.as_mut()), "polled after it was ready");
}

#[test]
fn a_supervised_task_that_is_reclaimed_when_it_has_begun() {
    let task = || Unstarted::new(|| std::future::ready(1), Arc::new(Mute), 0).start();
    let mut begun = task();
    poll(Pin::new(&mut begun));
    blamed(|| drop(begun.reclaim()), "polled before it was reclaimed");
    let (factory, _mute) = task().reclaim();
    assert_eq!(block_on(factory()), 1);
}
