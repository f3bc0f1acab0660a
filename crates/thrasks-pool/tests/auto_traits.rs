//! What may cross threads.

use std::{future::Ready, ops::Range, panic::UnwindSafe, rc::Rc};

use thrasks_pool::{
    Iterated, Local, Mapped, NotSpawned, Roster, Sendable, Shutdown, TaskHandle, TaskPool,
    TrySubmitError, Window, Worker, Working,
};

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
fn is_unpin<T: Unpin>() {}
fn is_static<T: 'static>() {}

type Numbers<K> = Mapped<Iterated<Range<u8>>, fn(u8) -> Ready<u8>, Ready<u8>, K>;

#[test]
fn pools_and_handles_cross_threads() {
    is_send::<TaskPool<Local>>();
    is_sync::<TaskPool<Local>>();
    is_send::<TaskPool<Sendable>>();
    is_sync::<TaskPool<Sendable>>();
    is_send::<TaskHandle<u8>>();
    is_sync::<TaskHandle<u8>>();
    // A result that is `Send` alone will do.
    is_send::<TaskHandle<std::cell::Cell<u8>>>();
    is_sync::<TaskHandle<std::cell::Cell<u8>>>();
    is_send::<Shutdown<Local>>();
    is_send::<Numbers<Local>>();
    is_send::<Numbers<Sendable>>();
    is_send::<TrySubmitError<u8>>();
}

#[test]
fn workers_cross_threads_and_run_where_their_kind_lets_them() {
    is_send::<Worker<Local>>();
    is_send::<Worker<Sendable>>();
    is_send::<NotSpawned<Local>>();
    is_send::<Working<Sendable>>();
    is_static::<Working<Local>>();
}

#[test]
fn futures_and_streams_need_no_pin() {
    is_unpin::<TaskHandle<u8>>();
    is_unpin::<Shutdown<Local>>();
    is_unpin::<Working<Local>>();
    is_unpin::<Working<Sendable>>();
    is_unpin::<Numbers<Local>>();
}

#[test]
fn the_parts_are_as_sendable_as_what_they_hold() {
    is_send::<Roster<std::cell::Cell<u8>>>();
    is_sync::<Roster<std::cell::Cell<u8>>>();
    is_sync::<Window<std::cell::Cell<u8>>>();
    // These are of use on one thread.
    is_static::<Roster<Rc<u8>>>();
    is_static::<Window<Rc<u8>>>();
}

#[test]
fn what_holds_no_code_of_the_users_is_unwind_safe() {
    fn is_unwind_safe<T: UnwindSafe>() {}
    is_unwind_safe::<Roster<u8>>();
    is_unwind_safe::<Window<u8>>();
}
