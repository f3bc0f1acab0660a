//! What may be sent and shared, and what fits behind a pointer.

use std::{cell::Cell, sync::Arc};

use thrasks_sched::{
    Batch, LeastLoaded, Limit, Loads, PerWorker, PlaceFn, Placement, Queue, Reason, Rejected,
    RoundRobin, Scheduler, Wake,
};

fn send<T: Send>() {}
fn sync<T: Sync>() {}

/// Jobs are handed from thread to thread and never shared.
type SendOnly = Cell<u8>;

#[test]
fn schedulers_of_jobs_that_are_only_send_are_send_and_sync() {
    send::<Queue<SendOnly>>();
    sync::<Queue<SendOnly>>();
    send::<RoundRobin<SendOnly>>();
    sync::<RoundRobin<SendOnly>>();
    send::<LeastLoaded<SendOnly>>();
    sync::<LeastLoaded<SendOnly>>();
    send::<PerWorker<SendOnly, PlaceFn<fn()>>>();
    sync::<PerWorker<SendOnly, PlaceFn<fn()>>>();
    send::<Limit<SendOnly>>();
    sync::<Limit<SendOnly>>();
}

#[test]
fn answers_go_where_their_jobs_go() {
    send::<Wake>();
    sync::<Wake>();
    send::<Reason>();
    sync::<Reason>();
    send::<Rejected<SendOnly>>();
    send::<Batch<SendOnly>>();
    send::<Loads<'_>>();
    sync::<Loads<'_>>();
}

#[test]
fn traits_are_object_safe_and_pointers_pass_them_on() {
    fn scheduler<S: Scheduler<SendOnly> + ?Sized>() {}
    fn placement<P: Placement<SendOnly> + ?Sized>() {}
    scheduler::<dyn Scheduler<SendOnly>>();
    scheduler::<&dyn Scheduler<SendOnly>>();
    scheduler::<Box<dyn Scheduler<SendOnly>>>();
    scheduler::<Arc<Queue<SendOnly>>>();
    placement::<dyn Placement<SendOnly>>();
    placement::<&dyn Placement<SendOnly>>();
    placement::<Box<dyn Placement<SendOnly>>>();
    placement::<Arc<dyn Placement<SendOnly>>>();
}
