//! Panics, refusals and deaths: each is an outcome, and the pool goes on.

mod common;

use std::{
    any::Any,
    future::{Future, pending},
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use async_executor::Executor;
use common::{BadWaker, Bomb, Census, CountWaker, Gate, Threads, block_on, inline, pool};
use futures_lite::{
    Stream, StreamExt,
    future::{poll_once, yield_now},
};
use thrasks_loop::LoopPool;
use thrasks_pool::{JoinError, Local, NotSpawned, Sendable, Spawn, TaskPool, Worker};

fn message<T>(outcome: Result<T, JoinError>) -> String {
    let Err(error) = outcome else { panic!("it has a result") };
    error.panic_message().unwrap_or_else(|| error.to_string())
}

#[test]
fn a_panic_of_a_job_is_its_outcome_and_its_worker_goes_on() {
    let threads = Threads::new(1);
    let (on_loops, on_executor) = (pool(1, 1), threads.pool(1));
    let factory = || -> std::future::Ready<()> { panic!("the factory") };
    assert_eq!(message(block_on(on_loops.submit(factory))), "the factory");
    assert_eq!(message(block_on(on_executor.submit(factory))), "the factory");
    let future = || async { panic!("the future") };
    assert_eq!(message::<()>(block_on(on_loops.submit(future))), "the future");
    assert_eq!(message::<()>(block_on(on_executor.submit(future))), "the future");
    assert_eq!(block_on(on_loops.submit(|| async { 7 })).unwrap(), 7);
    assert_eq!(block_on(on_executor.submit(|| async { 7 })).unwrap(), 7);
    let stats = on_loops.stats();
    assert_eq!((stats.completed, stats.running, stats.lost), (3, 0, 0));
}

/// Ready at once, and panics when it is dropped.
struct BadEnd(#[expect(dead_code, reason = "it is only dropped")] Bomb);

impl Future for BadEnd {
    type Output = u8;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u8> {
        Poll::Ready(7)
    }
}

#[test]
fn a_panic_of_a_futures_drop_is_its_outcome() {
    let pool = pool(1, 1);
    assert_eq!(message(block_on(pool.submit(|| BadEnd(Bomb("at its end"))))), "at its end");
    let gate = Gate::default();
    let at = gate.clone();
    let handle = pool.submit(move || async move {
        let _bomb = Bomb("when it was cancelled");
        at.pass().await;
    });
    gate.wait_for(1);
    handle.cancel();
    assert_eq!(message(block_on(handle)), "when it was cancelled");
}

#[test]
fn a_factory_whose_drop_panics_is_cancelled_all_the_same() {
    let (pool, gate) = (pool(1, 1), Gate::default());
    let at = gate.clone();
    let running = pool.submit(move || async move { at.pass().await });
    gate.wait_for(1);
    let (bombs, more) = (Bomb("the factory"), Bomb("another"));
    let queued = pool.submit(move || async move { drop(bombs) });
    let at_close = pool.submit(move || async move { drop(more) });
    queued.cancel();
    assert!(block_on(queued).unwrap_err().is_cancelled());
    pool.close(true);
    assert!(block_on(at_close).unwrap_err().is_cancelled());
    gate.open();
    block_on(running).unwrap();
}

#[test]
fn a_result_that_nobody_takes_may_panic_when_it_is_dropped() {
    let (pool, gate) = (pool(1, 1), Gate::default());
    let at = gate.clone();
    // It ends after the detaching: the result is then dropped where the job ran.
    let handle = pool.submit(move || async move {
        at.pass().await;
        Bomb("the result")
    });
    handle.detach();
    gate.open();
    assert_eq!(block_on(pool.submit(|| async { 7 })).unwrap(), 7);
}

/// Panics when it is dropped, with a payload that does, too.
struct Nested;

impl Drop for Nested {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic_any(Bomb("the payload"));
        }
    }
}

#[test]
fn a_payload_that_panics_when_it_is_dropped_does_no_harm() {
    let (pool, gate) = (pool(1, 1), Gate::default());
    let at = gate.clone();
    let first = pool.submit(move || async move { at.pass().await });
    pool.submit(|| async { panic_any(Bomb("the payload")) }).detach();
    pool.submit(|| async { Nested }).detach();
    gate.open();
    block_on(first).unwrap();
    assert_eq!(block_on(pool.submit(|| async { 7 })).unwrap(), 7);
}

#[test]
fn a_waker_that_panics_is_its_owners_loss() {
    let (pool, gate) = (pool(1, 1), Gate::default());
    let at = gate.clone();
    let mut handle = pool.submit(move || async move { at.pass().await });
    let mut results = pool.map([1], 1, async |i| i);
    let mut shutdown = pin!(pool.shutdown(true, false));
    let waker = Waker::from(Arc::new(BadWaker));
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut handle).poll(&mut cx).is_pending());
    assert!(shutdown.as_mut().poll(&mut cx).is_pending());
    drop(poll_once(results.next()));
    assert!(matches!(Pin::new(&mut results).poll_next(&mut cx), Poll::Ready(Some(Err(_)))));

    let counted = Arc::new(CountWaker::default());
    let waker = Waker::from(counted.clone());
    let mut other = pin!(pool.shutdown(true, false));
    assert!(other.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    gate.open();
    block_on(pool.shutdown(true, false));
    block_on(handle).unwrap();
    block_on(shutdown);
    // Whoever listens behind the bad one is told, too.
    block_on(other);
}

#[test]
fn a_window_with_a_bad_waker_goes_on() {
    let (pool, gate) = (pool(1, 1), Gate::default());
    let at = gate.clone();
    let mut results = pool.map(0..3, 1, move |i| {
        let gate = at.clone();
        async move {
            gate.pass().await;
            i
        }
    });
    let waker = Waker::from(Arc::new(BadWaker));
    assert!(Pin::new(&mut results).poll_next(&mut Context::from_waker(&waker)).is_pending());
    gate.wait_for(1);
    gate.open();
    for i in 0..3 {
        assert_eq!(block_on(results.next()).unwrap().unwrap(), i);
    }
}

#[test]
fn a_panic_in_a_map_is_the_item_of_its_input() {
    let pool = pool(2, 2);
    let mut results = pool.map(0..6, 4, |i| {
        assert!(i != 1, "the function");
        async move {
            assert!(i != 3, "the future");
            i
        }
    });
    for i in 0..6 {
        let result = block_on(results.next()).unwrap();
        match i {
            1 => assert_eq!(message(result), "the function"),
            3 => assert_eq!(message(result), "the future"),
            i => assert_eq!(result.unwrap(), i),
        }
    }
    assert!(block_on(results.next()).is_none());
}

#[test]
fn a_panic_of_the_iterator_is_the_last_item() {
    let pool = pool(2, 2);
    for unordered in [false, true] {
        let items = (0..).inspect(|i| assert!(*i != 3, "the iterator"));
        let mut results = if unordered {
            pool.map_unordered(items, 2, std::future::ready)
        } else {
            pool.map(items, 2, std::future::ready)
        };
        let mut values = 0;
        let mut messages = Vec::new();
        while let Some(result) = block_on(results.next()) {
            match result {
                Ok(_) => values += 1,
                Err(error) => messages.push(error.panic_message().unwrap()),
            }
        }
        assert_eq!((values, messages), (3, vec!["the iterator".to_owned()]));
    }
}

/// An iterator that ends at once and panics when it is dropped.
struct BadInput(#[expect(dead_code, reason = "it is only dropped")] Bomb);

impl Iterator for BadInput {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        None
    }
}

#[test]
fn a_panic_of_the_iterators_drop_is_the_last_item() {
    let pool = inline(1);
    let mut results = pool.map(BadInput(Bomb("at its end")), 2, async |i| i);
    assert_eq!(message(block_on(results.next()).unwrap()), "at its end");
    assert!(block_on(results.next()).is_none());
}

#[test]
fn an_iterator_whose_drop_panics_does_not_keep_a_dropped_stream_from_its_jobs() {
    let (pool, census, gate) = (pool(1, 1), Census::default(), Gate::default());
    let (lives, at) = (census.clone(), gate.clone());
    let bomb = Bomb("the iterator");
    let items = (0..).map(move |_| {
        let _with_it = &bomb;
        lives.life(())
    });
    let mut results = pool.map(items, 2, move |item| {
        let gate = at.clone();
        async move {
            gate.pass().await;
            drop(item);
        }
    });
    assert!(block_on(poll_once(results.next())).is_none());
    gate.wait_for(1);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(results))).is_err());
    block_on(pool.shutdown(true, false));
    assert_eq!((census.born(), census.alive()), (2, 0));
}

/// Refuses workers as it is told to.
struct Moody {
    refusals: AtomicUsize,
    panics: bool,
    inner: LoopPool,
}

impl Spawn<Local> for Moody {
    fn spawn(&self, worker: Worker<Local>) -> Result<(), NotSpawned<Local>> {
        let left = self
            .refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_err() {
            return Spawn::spawn(&self.inner, worker);
        }
        assert!(!self.panics, "the spawner");
        Err(NotSpawned::new(worker, std::io::Error::other("not today")))
    }
}

fn moody(refusals: usize, panics: bool) -> TaskPool {
    let inner = LoopPool::builder().threads(1).build().unwrap();
    let spawner = Moody { refusals: AtomicUsize::new(refusals), panics, inner };
    TaskPool::builder().max_workers(2).build(spawner)
}

#[test]
fn jobs_whose_worker_was_refused_say_why_and_the_next_ones_run() {
    let (pool, census) = (moody(1, false), Census::default());
    let alive = census.life(());
    let error = block_on(pool.submit(move || async move { drop(alive) })).unwrap_err();
    assert_eq!(error.to_string(), "nobody ran the task: not today");
    let reason = error.try_into_refusal().unwrap();
    assert!(reason.source().unwrap().downcast_ref::<std::io::Error>().is_some());
    assert_eq!(census.alive(), 0);
    assert_eq!(block_on(pool.submit(|| async { 7 })).unwrap(), 7);
}

#[test]
fn a_spawner_that_panics_has_refused() {
    let pool = moody(1, true);
    assert!(block_on(pool.submit(|| async {})).unwrap_err().is_refused());
    assert_eq!(block_on(pool.submit(|| async { 7 })).unwrap(), 7);
    block_on(pool.shutdown(true, false));
}

#[test]
fn a_job_whose_worker_was_refused_waits_for_the_others() {
    let inner = LoopPool::builder().threads(1).build().unwrap();
    let spawner = Arc::new(Moody { refusals: AtomicUsize::new(0), panics: false, inner });
    let pool = TaskPool::builder().max_workers(2).build(spawner.clone());
    let gate = Gate::default();
    let at = gate.clone();
    let first = pool.submit(move || async move { at.pass().await });
    gate.wait_for(1);
    spawner.refusals.store(1, Ordering::SeqCst);
    let second = pool.submit(|| async { 7 });
    assert_eq!((pool.stats().workers, pool.stats().queued), (1, 1));
    gate.open();
    block_on(first).unwrap();
    assert_eq!(block_on(second).unwrap(), 7);
}

#[test]
fn a_map_on_a_spawner_that_refuses_gives_refusals() {
    let pool = TaskPool::new(drop::<Worker<Local>>);
    let results: Vec<_> = block_on(pool.map(0..3, 2, async |i| i).collect());
    assert_eq!(results.len(), 3);
    assert!(results.iter().all(|result| result.as_ref().is_err_and(JoinError::is_refused)));
}

#[test]
fn loops_that_have_ended_refuse() {
    let loops = LoopPool::builder().threads(1).build().unwrap();
    let pool = TaskPool::new(loops.clone());
    loops.close();
    let error = block_on(pool.submit(|| async {})).unwrap_err();
    assert_eq!(error.to_string(), "nobody ran the task: the pool of loops is closed");
    block_on(pool.shutdown(true, false));
}

#[test]
fn a_worker_whose_loops_are_closed_goes_on_where_it_is() {
    let loops = LoopPool::builder().threads(2).build().unwrap();
    let pool = TaskPool::builder().max_workers(1).build(loops.clone());
    let gate = Gate::default();
    let at = gate.clone();
    let first = pool.submit(move || async move { at.pass().await });
    gate.wait_for(1);
    // They suspend, so that it would have to be spawned anew after each of them.
    let rest: Vec<_> = (0..50).map(|_| pool.submit(yield_now)).collect();
    loops.close();
    gate.open();
    block_on(first).unwrap();
    for handle in rest {
        block_on(handle).unwrap();
    }
    block_on(pool.shutdown(true, false));
}

#[test]
fn a_job_on_a_loop_that_is_stopped_is_cancelled_and_another_loop_goes_on() {
    let loops = LoopPool::builder().threads(2).build().unwrap();
    let pool = TaskPool::builder().max_workers(1).build(loops.clone());
    let (send, receive) = std::sync::mpsc::channel();
    let name = send.clone();
    let stuck = pool.submit(move || async move {
        name.send(std::thread::current().name().map(str::to_owned)).unwrap();
        pending::<()>().await;
    });
    let queued = pool.submit(|| async { 7 });
    let name = receive.recv().unwrap().unwrap();
    loops.loops().iter().find(|one| one.name() == name).unwrap().stop();
    assert!(block_on(stuck).unwrap_err().is_cancelled());
    assert_eq!(block_on(queued).unwrap(), 7);
    assert_eq!(pool.stats().lost, 1);
}

#[test]
fn an_executor_that_is_dropped_ends_its_jobs_and_refuses_the_rest() {
    let (executor, census) = (Arc::new(Executor::new()), Census::default());
    // The workers hold this: it must not hold the executor, which holds the workers.
    let weak: Weak<Executor<'static>> = Arc::downgrade(&executor);
    let pool = TaskPool::builder().max_workers(1).build(move |worker: Worker<Sendable>| {
        if let Some(executor) = weak.upgrade() {
            executor.spawn(worker.run()).detach();
        }
    });
    let lives = [census.life(()), census.life(())];
    let mut handles = lives.map(|alive| {
        pool.submit(move || async move {
            pending::<()>().await;
            drop(alive);
        })
    });
    assert!(block_on(executor.run(poll_once(&mut handles[0]))).is_none());
    while executor.try_tick() {}
    drop(executor);
    let [first, second] = handles;
    assert!(block_on(first).unwrap_err().is_cancelled());
    assert!(block_on(second).unwrap_err().is_refused());
    assert_eq!(census.alive(), 0);
    block_on(pool.shutdown(true, false));
}

#[test]
fn workers_that_are_polled_once_and_dropped_lose_one_job_each() {
    let pool = TaskPool::builder().max_workers(1).build(|worker: Worker<Local>| {
        let mut run = pin!(worker.run());
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    });
    let handles: Vec<_> = (0..3).map(|_| pool.submit(pending::<()>)).collect();
    for handle in handles {
        assert!(block_on(handle).unwrap_err().is_cancelled());
    }
    assert_eq!((pool.stats().lost, pool.stats().workers), (3, 0));
}

#[test]
fn a_spawner_whose_drop_panics_harms_nobody() {
    let bomb = Mutex::new(Some(Bomb("the spawner")));
    let pool = TaskPool::new(move |worker: Worker<Local>| {
        let _with_it = &bomb;
        block_on(worker.run());
    });
    assert_eq!(block_on(pool.submit(|| async { 7 })).unwrap(), 7);
    drop(pool);
}

#[test]
fn a_panics_payload_gets_through_whole() {
    let error = block_on(inline(1).submit(|| async { panic_any(7u8) })).map(|(): ()| ());
    let payload: Box<dyn Any + Send> = error.unwrap_err().try_into_panic().unwrap();
    assert_eq!(payload.downcast_ref(), Some(&7u8));
}
