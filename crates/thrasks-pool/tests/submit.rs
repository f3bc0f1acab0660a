//! Jobs that are submitted, over loops and over executors.

mod common;

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Barrier, Mutex, atomic::Ordering, mpsc},
    task::Context,
};

use common::{Census, CountWaker, Gate, Threads, block_on, inline, pool, pool_of};
use futures_lite::future::yield_now;
use thrasks_loop::LoopPool;
use thrasks_pool::{Job, Kind, Local, Refusal, TaskHandle, TaskPool, Worker};
use thrasks_sched::RoundRobin;

#[test]
fn the_outcome_goes_to_the_handle() {
    let threads = Threads::new(2);
    let (on_loops, on_executor) = (pool(2, 2), threads.pool(2));
    assert_eq!(block_on(on_loops.submit(|| async { "on a loop" })).unwrap(), "on a loop");
    let handle = on_executor.submit(|| async { "on an executor" });
    assert_eq!(block_on(handle).unwrap(), "on an executor");
}

#[test]
fn futures_on_loops_need_not_be_send() {
    let pool = pool(2, 2);
    let handle = pool.submit(|| async {
        let count = Rc::new(Cell::new(0));
        for _ in 0..3 {
            let count = count.clone();
            yield_now().await;
            count.set(count.get() + 1);
        }
        count.get()
    });
    assert_eq!(block_on(handle).unwrap(), 3);
}

/// Runs 40 jobs that suspend, and returns the most that were alive at a time.
fn most_alive<K: Kind, Fut: Job<K> + Future<Output = ()>>(
    pool: &TaskPool<K>,
    job: fn(Census) -> Fut,
) -> usize {
    let census = Census::default();
    let handles: Vec<TaskHandle<()>> = (0..40)
        .map(|_| {
            let census = census.clone();
            pool.submit(move || job(census))
        })
        .collect();
    for handle in handles {
        block_on(handle).unwrap();
    }
    assert_eq!((census.born(), census.alive()), (40, 0));
    census.most()
}

async fn suspend(census: Census) {
    let _alive = census.life(());
    for _ in 0..5 {
        yield_now().await;
    }
}

#[test]
fn no_more_jobs_are_alive_than_there_may_be_workers() {
    let threads = Threads::new(2);
    assert_eq!(most_alive(&pool(2, 1), suspend), 1);
    assert!(most_alive(&pool(2, 3), suspend) <= 3);
    assert!(most_alive(&pool(1, 7), suspend) <= 7);
    assert!(most_alive(&threads.pool(3), suspend) <= 3);
    assert_eq!(most_alive(&inline(3), suspend), 1);
}

#[test]
fn as_many_jobs_run_at_a_time_as_there_may_be_workers() {
    let threads = Threads::new(1);
    let (pool, gate) = (threads.pool(5), Gate::default());
    let handles: Vec<_> = (0..5)
        .map(|_| {
            let gate = gate.clone();
            pool.submit(move || async move { gate.pass().await })
        })
        .collect();
    gate.wait_for(5);
    assert_eq!((pool.stats().running, pool.stats().workers), (5, 5));
    gate.open();
    for handle in handles {
        block_on(handle).unwrap();
    }
}

#[test]
fn jobs_begin_in_the_order_in_which_they_came() {
    let (pool, begun) = (pool(1, 1), Arc::new(Mutex::new(Vec::new())));
    let handles: Vec<_> = (0..50)
        .map(|i| {
            let begun = begun.clone();
            pool.submit(move || async move {
                begun.lock().unwrap().push(i);
                yield_now().await;
            })
        })
        .collect();
    for handle in handles {
        block_on(handle).unwrap();
    }
    assert!(begun.lock().unwrap().iter().copied().eq(0..50));
}

#[test]
fn a_worker_is_used_again_while_jobs_wait() {
    let (pool, gate) = (Threads::new(1), Gate::default());
    let pool = (pool.pool(1), pool);
    let first = {
        let gate = gate.clone();
        pool.0.submit(move || async move { gate.pass().await })
    };
    let rest: Vec<_> = (0..100).map(|_| pool.0.submit(|| async {})).collect();
    gate.open();
    block_on(first).unwrap();
    for handle in rest {
        block_on(handle).unwrap();
    }
    assert_eq!(pool.0.stats().started, 1);
}

#[test]
fn a_pool_without_jobs_has_no_workers() {
    let pool = inline(4);
    assert_eq!(pool.stats().started, 0);
    block_on(pool.submit(|| async {})).unwrap();
    assert_eq!((pool.stats().started, pool.stats().workers), (1, 0));
}

#[test]
fn jobs_that_block_go_to_loops_that_are_free() {
    let pool = pool(2, 2);
    for _ in 0..100 {
        let barrier = Arc::new(Barrier::new(2));
        // If both were on one loop, the first would wait for ever.
        let handles = [(); 2].map(|()| {
            let barrier = barrier.clone();
            pool.submit(move || async move { barrier.wait().is_leader() })
        });
        let leaders: usize =
            handles.into_iter().map(|handle| usize::from(block_on(handle).unwrap())).sum();
        assert_eq!(leaders, 1);
    }
}

#[test]
fn a_job_that_suspended_is_followed_by_one_where_the_scheduler_says() {
    let loops =
        LoopPool::builder().threads(2).name("l").scheduler(RoundRobin::new).build().unwrap();
    let pool = TaskPool::builder().max_workers(1).build(loops);
    let gate = Gate::default();
    let handles: Vec<_> = (0..10)
        .map(|_| {
            let gate = gate.clone();
            pool.submit(move || async move {
                gate.pass().await;
                yield_now().await;
                std::thread::current().name().map(str::to_owned).unwrap()
            })
        })
        .collect();
    gate.open();
    for (i, handle) in handles.into_iter().enumerate() {
        assert_eq!(block_on(handle).unwrap(), format!("l-{}", i % 2));
    }
}

#[test]
fn a_worker_with_many_jobs_lets_others_have_their_turn() {
    let (send, workers) = mpsc::channel();
    let pool = TaskPool::builder().max_workers(1).build(move |worker: Worker<Local>| {
        send.send(worker).unwrap();
    });
    let handles: Vec<_> = (0..1000).map(|i| pool.submit(async move || i)).collect();
    let mut working = workers.recv().unwrap().run();
    let woken = Arc::new(CountWaker::default());
    let waker = woken.clone().into();
    assert!(Pin::new(&mut working).poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!((1..1000).contains(&pool.stats().completed));
    block_on(working);
    for (i, handle) in handles.into_iter().enumerate() {
        assert_eq!(block_on(handle).unwrap(), i);
    }
}

#[test]
fn a_job_may_submit_others_and_await_them_while_workers_are_left() {
    let pool = pool(2, 2);
    let inner = pool.clone();
    let outer = pool.submit(move || async move {
        let mut sum = 0;
        for i in 0..10 {
            sum += inner.submit(move || async move { i }).await.unwrap();
        }
        sum
    });
    assert_eq!(block_on(outer).unwrap(), 45);
}

#[test]
fn a_queued_job_that_is_cancelled_is_dropped_at_once() {
    let (pool, census, gate) = (pool(1, 1), Census::default(), Gate::default());
    let at = gate.clone();
    let running = pool.submit(move || async move { at.pass().await });
    gate.wait_for(1);
    let alive = census.life(());
    let mut queued = pool.submit(move || async move { drop(alive) });
    queued.cancel();
    assert!(queued.is_finished());
    assert_eq!((census.alive(), pool.stats().queued, pool.stats().removed), (0, 0, 1));
    assert!(block_on(&mut queued).unwrap_err().is_cancelled());
    drop(running);
}

#[test]
fn a_running_job_that_is_cancelled_is_gone_when_its_outcome_is_there() {
    let threads = Threads::new(2);
    let (pool, census, gate) = (threads.pool(1), Census::default(), Gate::default());
    let (alive, at) = (census.life(()), gate.clone());
    let running = pool.submit(move || async move {
        at.pass().await;
        drop(alive);
    });
    gate.wait_for(1);
    running.cancel();
    assert!(block_on(running).unwrap_err().is_cancelled());
    assert_eq!((census.alive(), pool.stats().running), (0, 0));
    assert_eq!(block_on(pool.submit(|| async { 7 })).unwrap(), 7);
}

#[test]
fn a_handle_that_is_dropped_cancels_its_job_and_one_that_is_detached_does_not() {
    let (pool, census) = (pool(1, 1), Census::default());
    let (send, receive) = mpsc::channel();
    let gate = Gate::default();
    let (at, alive) = (gate.clone(), census.life(()));
    let running = pool.submit(move || async move {
        at.pass().await;
        drop(alive);
    });
    gate.wait_for(1);
    pool.submit(move || async move { send.send("it ran").unwrap() }).detach();
    drop(running);
    assert_eq!(receive.recv().unwrap(), "it ran");
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_handle_is_cancel_safe_and_follows_its_last_waker() {
    let (pool, gate) = (pool(1, 1), Gate::default());
    let at = gate.clone();
    let mut handle = pool.submit(move || async move {
        at.pass().await;
        7
    });
    assert!(block_on(futures_lite::future::poll_once(&mut handle)).is_none());
    gate.open();
    assert_eq!(block_on(&mut handle).unwrap(), 7);
    assert!(handle.is_finished());
}

#[test]
fn try_submit_gives_the_factory_back_when_as_many_wait_as_may() {
    let (pool, gate) =
        (pool_of(TaskPool::builder().max_workers(2).capacity(1), 1), Gate::default());
    let wait = || {
        let gate = gate.clone();
        move || async move { gate.pass().await }
    };
    let mut handles = Vec::new();
    for _ in 0..3 {
        handles.push(pool.try_submit(wait()).unwrap());
    }
    let error = pool.try_submit(|| async { "not lost" }).unwrap_err();
    assert_eq!(error.refusal(), Refusal::Full);
    let factory = error.into_factory();
    // What is submitted otherwise is not bounded.
    handles.push(pool.submit(wait()));
    gate.open();
    for handle in handles {
        block_on(handle).unwrap();
    }
    block_on(async {
        assert_eq!(pool.try_submit(factory).unwrap().await.unwrap(), "not lost");
    });
    assert_eq!(pool.stats().submitted, 5);
}

#[test]
fn a_closed_pool_refuses() {
    let pool = pool(1, 1);
    pool.close(false);
    let error = block_on(pool.submit(|| async {})).unwrap_err();
    assert!(error.is_refused());
    assert_eq!(error.to_string(), "nobody ran the task: the pool is closed");
    let reason = error.try_into_refusal().unwrap();
    assert_eq!(reason.downcast_ref(), Some(&Refusal::Closed));
    assert_eq!(pool.try_submit(|| async {}).unwrap_err().refusal(), Refusal::Closed);
}

#[test]
fn the_numbers_add_up() {
    let (pool, gate) = (pool(1, 2), Gate::default());
    let handles: Vec<_> = (0..5)
        .map(|_| {
            let gate = gate.clone();
            pool.submit(move || async move { gate.pass().await })
        })
        .collect();
    gate.wait_for(2);
    let stats = pool.stats();
    assert_eq!((stats.submitted, stats.running, stats.queued, stats.idle), (5, 2, 3, 0));
    handles[4].cancel();
    gate.open();
    for (i, handle) in handles.into_iter().enumerate() {
        assert_eq!(block_on(handle).is_ok(), i < 4);
    }
    block_on(pool.shutdown(true, false));
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.removed, stats.lost, stats.workers), (4, 1, 0, 0));
}
