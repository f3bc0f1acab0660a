//! Which threads a pool has, when, and how it ends.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    collections::HashSet,
    io,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use common::{Door, InFront, LONG, block_on, door, thread_name, until};
use thrasks_bridge::{BlockingPool, Call, Execute, Join, channel, while_waiting};
use thrasks_loop::spawn_std_thread;

fn pool(max_threads: usize) -> BlockingPool {
    BlockingPool::builder().max_threads(max_threads).name("t").build().unwrap()
}

/// A job that is in front of a door, and the door.
fn busy(pool: &BlockingPool) -> (Call<()>, Door) {
    let (door, front): (Door, InFront) = door();
    let call = pool.call(move || front.stand());
    door.wait();
    (call, door)
}

fn end(pool: &BlockingPool) {
    pool.close();
    assert!(pool.wait_closed(Some(Instant::now() + LONG)));
}

#[test]
fn no_thread_is_made_without_need() {
    let pool = pool(8);
    assert_eq!(pool.stats().threads, 0);
    for _ in 0..50 {
        assert_eq!(block_on(pool.call(thread_name)).unwrap(), "t-0");
        until(|| pool.stats().idle == 1);
    }
    assert_eq!(pool.stats().threads, 1);
}

#[test]
fn as_many_jobs_run_as_may_and_the_others_wait_in_order() {
    let pool = pool(3);
    let doors: Vec<_> = (0..3).map(|_| busy(&pool)).collect();
    let order = Arc::new(Mutex::new(Vec::new()));
    let queued: Vec<_> = (0..100)
        .map(|i| {
            let order = order.clone();
            pool.call(move || order.lock().unwrap().push(i))
        })
        .collect();
    let stats = pool.stats();
    assert_eq!((stats.threads, stats.running, stats.queued, stats.idle), (3, 3, 100, 0));
    assert!(queued.iter().all(|call| !call.is_started()));
    // One thread runs all of them, in order.
    doors[0].1.open();
    queued.into_iter().for_each(|call| block_on(call).unwrap());
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
    drop(doors);
    end(&pool);
    assert_eq!(pool.stats().completed, 103);
}

#[test]
fn the_thread_that_had_a_job_last_is_the_next_to_have_one() {
    let pool = pool(3);
    let mut doors: Vec<_> = (0..3).map(|_| busy(&pool)).collect();
    for index in [1, 0, 2] {
        doors[index].1.open();
        until(|| pool.stats().idle > 0 && doors[index].0.is_finished());
        until(|| pool.stats().idle == 1 + [1, 0, 2].iter().position(|i| *i == index).unwrap());
    }
    doors.clear();
    for _ in 0..5 {
        assert_eq!(block_on(pool.call(thread_name)).unwrap(), "t-2");
        until(|| pool.stats().idle == 3);
    }
}

#[test]
fn idle_threads_retire_and_new_ones_come_when_they_are_needed() {
    let pool = BlockingPool::builder()
        .max_threads(3)
        .keep_alive(Duration::from_millis(1))
        .name("t")
        .build()
        .unwrap();
    let doors: Vec<_> = (0..3).map(|_| busy(&pool)).collect();
    drop(doors);
    until(|| pool.stats().threads == 0);
    assert_eq!(pool.stats().completed, 3);
    assert_eq!(block_on(pool.call(thread_name)).unwrap(), "t-3");
}

#[test]
fn a_thread_with_no_keep_alive_serves_all_the_same() {
    let pool = BlockingPool::builder().max_threads(1).keep_alive(Duration::ZERO).build().unwrap();
    for i in 0..200 {
        assert_eq!(block_on(pool.call(move || i)).unwrap(), i);
    }
    until(|| pool.stats().threads == 0);
    let for_ever =
        BlockingPool::builder().max_threads(1).keep_alive(Duration::MAX).build().unwrap();
    assert_eq!(block_on(for_ever.call(|| 1)).unwrap(), 1);
    end(&for_ever);
}

#[test]
fn a_close_lets_queued_jobs_run_and_refuses_more() {
    let pool = pool(1);
    let (first, door) = busy(&pool);
    let second = pool.call(|| 2);
    pool.close();
    assert!(pool.is_closed());
    assert!(block_on(pool.call(|| 3)).unwrap_err().is_refused());
    assert!(!pool.wait_closed(Some(Instant::now())));
    door.open();
    assert!(pool.wait_closed(Some(Instant::now() + LONG)));
    block_on(first).unwrap();
    assert_eq!(block_on(second).unwrap(), 2);
    block_on(pool.closed());
}

#[test]
fn a_close_now_drops_queued_jobs() {
    let pool = pool(1);
    let (first, door) = busy(&pool);
    let second = pool.call(|| 2);
    pool.close_now();
    assert!(block_on(second).unwrap_err().is_cancelled());
    door.open();
    block_on(first).unwrap();
    assert!(pool.wait_closed(None));
    assert_eq!(pool.stats().completed, 1);
}

#[test]
fn dropping_the_last_handle_closes_and_does_not_block() {
    let pool = pool(1);
    let (first, door) = busy(&pool);
    let second = pool.call(|| 2);
    let clone = pool.clone();
    drop(pool);
    assert!(!clone.is_closed());
    drop(clone);
    door.open();
    block_on(first).unwrap();
    assert_eq!(block_on(second).unwrap(), 2);
}

#[test]
fn the_last_handle_can_go_on_a_thread_of_the_pool() {
    let pool = pool(1);
    let (sender, receiver) = mpsc::channel();
    let inner = pool.clone();
    let call = pool.call(move || {
        receiver.recv().unwrap();
        assert!(!inner.is_closed());
        drop(inner);
    });
    drop(pool);
    sender.send(()).unwrap();
    block_on(call).unwrap();
}

#[test]
fn a_thread_of_the_pool_does_not_wait_for_itself() {
    let pool = pool(1);
    let inner = pool.clone();
    let inside = pool.call(move || {
        inner.close();
        inner.wait_closed(None)
    });
    assert!(!block_on(inside).unwrap());
    assert!(pool.wait_closed(None));
}

/// The counts of threads alive, by the hook that makes them.
#[derive(Clone, Default)]
struct Alive(Arc<(Mutex<usize>, Condvar)>);

impl Alive {
    fn builder(&self) -> thrasks_bridge::BlockingPoolBuilder {
        let alive = self.0.clone();
        BlockingPool::builder().spawn_hook(move |mut spec| {
            *alive.0.lock().unwrap() += 1;
            let (main, alive) = (spec.main, alive.clone());
            spec.main = Box::new(move || {
                main();
                *alive.0.lock().unwrap() -= 1;
                alive.1.notify_all();
            });
            spawn_std_thread(spec)
        })
    }

    fn count(&self) -> usize {
        *self.0.0.lock().unwrap()
    }
}

#[test]
fn wait_closed_joins_every_thread_also_those_that_have_retired() {
    let alive = Alive::default();
    let pool = alive.builder().max_threads(4).keep_alive(Duration::from_millis(1)).build().unwrap();
    for _ in 0..5 {
        drop((0..4).map(|_| busy(&pool)).collect::<Vec<_>>());
        until(|| pool.stats().threads == 0);
    }
    drop((0..4).map(|_| busy(&pool)).collect::<Vec<_>>());
    end(&pool);
    assert_eq!(alive.count(), 0, "`main` had returned on each, and it is joined");
}

#[test]
fn jobs_that_wait_do_not_count() {
    let pool = pool(2);
    let (sender, receiver) = channel::<u8>(1);
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let sender = sender.clone();
            pool.call(move || sender.wait_closed(None))
        })
        .collect();
    until(|| pool.stats().waiting == 20);
    assert_eq!(block_on(pool.call(|| 1)).unwrap(), 1);
    drop(receiver);
    waiting.into_iter().for_each(|call| assert!(block_on(call).unwrap()));
    // The threads fall back to the cap.
    until(|| pool.stats().completed == 21);
    until(|| pool.stats().threads <= 2);
    assert_eq!(pool.stats().waiting, 0);
}

#[test]
fn no_job_starts_while_more_than_the_cap_run() {
    let pool = pool(1);
    let (wait, waits) = mpsc::channel::<()>();
    let (door, front) = door();
    let first = pool.call(move || {
        while_waiting(|| waits.recv().unwrap());
        front.stand();
    });
    let (second, other_door) = busy(&pool);
    let third = pool.call(|| ());
    wait.send(()).unwrap();
    door.wait();
    let stats = pool.stats();
    assert_eq!((stats.running, stats.queued, stats.waiting), (2, 1, 0));
    // The one that ends leaves the third to the other one.
    other_door.open();
    block_on(second).unwrap();
    until(|| pool.stats().threads == 1);
    assert!(!third.is_started());
    door.open();
    block_on(first).unwrap();
    block_on(third).unwrap();
}

#[test]
fn a_wait_within_a_wait_counts_once_and_one_that_panics_ends() {
    let pool = pool(1);
    let inner = pool.clone();
    let outcome = block_on(pool.call(move || {
        let waiting = while_waiting(|| while_waiting(|| inner.stats().waiting));
        let after = inner.stats().waiting;
        let caught = std::panic::catch_unwind(|| while_waiting(|| panic!("in a wait")));
        (waiting, after, caught.is_err(), inner.stats().waiting)
    }));
    assert_eq!(outcome.unwrap(), (1, 0, true, 0));
    assert_eq!(while_waiting(|| 7), 7, "on no thread of a pool");
}

#[test]
fn a_job_is_refused_with_the_reason_when_there_is_no_thread() {
    let pool = BlockingPool::builder()
        .spawn_hook(|_spec| Err(io::Error::from(io::ErrorKind::WouldBlock)))
        .build()
        .unwrap();
    let error = block_on(pool.call(|| 1)).unwrap_err();
    let reason = error.try_into_refusal().unwrap().downcast::<io::Error>().unwrap();
    assert_eq!(reason.kind(), io::ErrorKind::WouldBlock);
    let refused = pool.execute(Box::new(|| ())).unwrap_err();
    let (job, _reason) = refused.into_parts();
    job();
    assert_eq!((pool.stats().threads, pool.stats().queued), (0, 0));
    end(&pool);
}

#[test]
fn a_hook_that_panics_or_drops_the_thread_refuses_the_job() {
    for panics in [true, false] {
        let pool = BlockingPool::builder()
            .spawn_hook(move |spec| {
                assert!(!panics, "a hook that panics");
                drop(spec);
                Ok(Box::new(|| ()) as Join)
            })
            .build()
            .unwrap();
        assert!(block_on(pool.call(|| 1)).unwrap_err().is_refused());
        assert_eq!(pool.stats().threads, 0);
        end(&pool);
    }
}

#[test]
fn a_job_stays_queued_when_another_thread_is_there() {
    let allowed = Arc::new(AtomicUsize::new(1));
    let left = allowed.clone();
    let pool = BlockingPool::builder()
        .spawn_hook(move |spec| {
            if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_err()
            {
                return Err(io::Error::other("no more"));
            }
            spawn_std_thread(spec)
        })
        .build()
        .unwrap();
    let (first, door) = busy(&pool);
    let second = pool.call(|| 2);
    assert_eq!((pool.stats().threads, pool.stats().queued), (1, 1));
    door.open();
    block_on(first).unwrap();
    assert_eq!(block_on(second).unwrap(), 2);
    // A wait whose stand-in cannot be made keeps the job queued; it is run after.
    let (sender, receiver) = mpsc::channel::<()>();
    let waits = pool.call(move || while_waiting(|| receiver.recv().is_err()));
    until(|| pool.stats().waiting == 1);
    let third = pool.call(|| 3);
    assert_eq!(pool.stats().queued, 1);
    drop(sender);
    assert!(block_on(waits).unwrap());
    assert_eq!(block_on(third).unwrap(), 3);
}

#[test]
fn a_hook_that_keeps_the_thread_back_and_drops_it_later_cancels_the_job() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeps = kept.clone();
    let pool = BlockingPool::builder()
        .spawn_hook(move |spec| {
            keeps.lock().unwrap().push(spec.main);
            Ok(Box::new(|| ()) as Join)
        })
        .build()
        .unwrap();
    let call = pool.call(|| 1);
    assert_eq!(pool.stats().threads, 1);
    let mains = std::mem::take(&mut *kept.lock().unwrap());
    drop(mains);
    assert!(block_on(call).unwrap_err().is_cancelled());
    assert_eq!(pool.stats().threads, 0);
    end(&pool);
}

#[test]
fn a_burst_starts_one_thread_and_that_one_the_next() {
    let starters = Arc::new(Mutex::new(Vec::new()));
    let (keep, kept) = mpsc::channel();
    let seen = starters.clone();
    let pool = BlockingPool::builder()
        .max_threads(3)
        .name("t")
        .spawn_hook(move |spec| {
            let mut starters = seen.lock().unwrap();
            starters.push(thread_name());
            if starters.len() > 1 {
                return spawn_std_thread(spec);
            }
            keep.send(spec).unwrap();
            Ok(Box::new(|| ()) as Join)
        })
        .build()
        .unwrap();
    let doors: Vec<_> = (0..3)
        .map(|_| {
            let (door, front) = door();
            pool.call(move || front.stand()).detach();
            door
        })
        .collect();
    assert_eq!((starters.lock().unwrap().len(), pool.stats().queued), (1, 3));
    let first = spawn_std_thread(kept.recv().unwrap()).unwrap();
    doors.iter().for_each(Door::wait);
    assert_eq!(starters.lock().unwrap()[1..], ["t-0", "t-1"]);
    drop(doors);
    end(&pool);
    first();
}

#[test]
fn a_start_that_fails_refuses_its_job_and_cancels_those_that_relied_on_it() {
    let (door, front) = door();
    let front = Mutex::new(front);
    let pool = BlockingPool::builder()
        .spawn_hook(move |_spec| {
            front.lock().unwrap().stand();
            Err(io::Error::other("no thread"))
        })
        .build()
        .unwrap();
    let pushing = pool.clone();
    let first = std::thread::spawn(move || block_on(pushing.call(|| 1)));
    door.wait();
    let second = pool.call(|| 2);
    door.open();
    assert!(first.join().unwrap().unwrap_err().is_refused());
    assert!(block_on(second).unwrap_err().is_cancelled());
    assert_eq!((pool.stats().threads, pool.stats().queued), (0, 0));
    end(&pool);
}

#[test]
fn a_panic_in_a_foreign_job_kills_no_thread_and_is_counted() {
    let pool = pool(1);
    pool.execute(Box::new(|| panic!("a foreign job"))).unwrap();
    assert_eq!(block_on(pool.call(thread_name)).unwrap(), "t-0");
    assert!(block_on(pool.call(|| -> u8 { panic!("a call") })).is_err());
    end(&pool);
    assert_eq!((pool.stats().completed, pool.stats().panicked), (3, 2));
}

#[test]
fn the_idle_hook_is_called_on_idle_threads_again_and_again() {
    let (sender, called) = mpsc::channel();
    let pool = BlockingPool::builder()
        .max_threads(1)
        .name("t")
        .idle_hook(Duration::from_millis(1), move || {
            let _ = sender.send(thread_name());
            panic!("a hook that panics is called again");
        })
        .build()
        .unwrap();
    for round in 0..3 {
        assert_eq!(block_on(pool.call(move || round)).unwrap(), round);
        assert_eq!(called.recv_timeout(LONG).unwrap(), "t-0");
        assert_eq!(called.recv_timeout(LONG).unwrap(), "t-0");
    }
    end(&pool);
}

/// A thread without a job has none that could wait.
#[test]
fn an_idle_hook_may_block() {
    let (sender, called) = mpsc::channel();
    let (go_on, going) = mpsc::channel::<()>();
    let going = Mutex::new(going);
    let pool = BlockingPool::builder()
        .max_threads(1)
        .idle_hook(Duration::from_millis(1), move || {
            let _ = sender.send(());
            let _ = while_waiting(|| going.lock().unwrap().recv());
        })
        .build()
        .unwrap();
    block_on(pool.call(|| ())).unwrap();
    called.recv_timeout(LONG).unwrap();
    let stats = pool.stats();
    assert_eq!((stats.threads, stats.idle, stats.waiting, stats.running), (1, 1, 0, 0));
    let call = pool.call(thread_name);
    drop(go_on);
    assert_eq!(block_on(call).unwrap(), "thrasks-blocking-0");
    end(&pool);
}

/// The hook comes often, and the thread retires in time all the same.
#[test]
fn an_idle_hook_keeps_no_thread_from_its_retirement() {
    let pool = BlockingPool::builder()
        .idle_hook(Duration::from_micros(10), || ())
        .keep_alive(Duration::from_millis(5))
        .build()
        .unwrap();
    block_on(pool.call(|| ())).unwrap();
    until(|| pool.stats().threads == 0);
    assert_eq!(pool.stats().completed, 1);
}

#[test]
fn the_names_of_running_threads_are_told() {
    let pool = pool(3);
    let doors: Vec<_> = (0..3).map(|_| busy(&pool)).collect();
    assert_eq!(pool.running_threads(), ["t-0", "t-1", "t-2"]);
    doors[1].1.open();
    until(|| pool.stats().idle == 1);
    assert_eq!(pool.running_threads(), ["t-0", "t-2"]);
    drop(doors);
    until(|| pool.running_threads().is_empty());
}

/// Everything at once: no job is lost, none is run twice, none runs beyond the cap.
#[test]
fn a_storm_of_jobs_from_many_threads_is_run_within_the_cap() {
    let pool = BlockingPool::builder()
        .max_threads(3)
        .keep_alive(Duration::from_micros(50))
        .build()
        .unwrap();
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (pool, running, most) = (pool.clone(), running.clone(), most.clone());
            std::thread::spawn(move || {
                let calls: Vec<_> = (0..500)
                    .map(|i| {
                        let (running, most) = (running.clone(), most.clone());
                        pool.call(move || {
                            most.fetch_max(
                                running.fetch_add(1, Ordering::SeqCst) + 1,
                                Ordering::SeqCst,
                            );
                            running.fetch_sub(1, Ordering::SeqCst);
                            i
                        })
                    })
                    .collect();
                calls.into_iter().map(|call| block_on(call).unwrap()).collect::<HashSet<_>>().len()
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 500);
    }
    assert!(most.load(Ordering::SeqCst) <= 3);
    end(&pool);
    assert_eq!(pool.stats().completed, 2000);
}
