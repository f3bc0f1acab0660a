use std::task::Wake as _;

use loom::{sync::Arc, thread};
use thrasks_bridge::{BlockingPool, channel, while_waiting};
use thrasks_loop::models::Bell;

use super::{model, pool};

/// Ends the pool, as every model must: loom wants to see all threads end.
fn end(pool: &BlockingPool) {
    pool.close();
    Bell::block_on(pool.closed());
    let stats = pool.stats();
    assert_eq!((stats.threads, stats.idle, stats.queued, stats.running), (0, 0, 0, 0));
}

#[test]
fn a_job_is_run_whether_the_thread_is_idle_or_about_to_be() {
    model(3, || {
        let pool = pool(1);
        assert_eq!(Bell::block_on(pool.call(|| 1)).unwrap(), 1);
        // Its thread has told of the result, and goes to sleep meanwhile, or not yet.
        assert_eq!(Bell::block_on(pool.call(|| 2)).unwrap(), 2);
        end(&pool);
        assert_eq!(pool.stats().completed, 2);
    });
}

#[test]
fn jobs_of_two_threads_are_all_run() {
    model(2, || {
        let pool = pool(2);
        let other = pool.clone();
        let thread = thread::spawn(move || Bell::block_on(other.call(|| 1)).unwrap());
        assert_eq!(Bell::block_on(pool.call(|| 2)).unwrap(), 2);
        assert_eq!(thread.join().unwrap(), 1);
        end(&pool);
        assert_eq!(pool.stats().completed, 2);
    });
}

#[test]
fn a_job_that_waits_for_another_one_does_not_keep_it_from_its_turn() {
    model(2, || {
        let pool = pool(1);
        let (sender, receiver) = channel::<u8>(1);
        let waits = pool.call(move || sender.wait_closed(None));
        let closes = pool.call(move || drop(receiver));
        Bell::block_on(async {
            assert!(waits.await.unwrap());
            closes.await.unwrap();
        });
        end(&pool);
    });
}

/// Jobs that must run at once: each thread, started or woken, sees to the next.
#[test]
fn a_burst_gets_as_many_threads_as_may_run() {
    model(2, || {
        let pool = pool(2);
        for _ in 0..2 {
            let (here, there) = (Bell::new(), Bell::new());
            let (waits, wakes) = (here.clone(), here);
            let told = there.clone();
            pool.call(move || {
                waits.sleep();
                told.wake();
            })
            .detach();
            pool.call(move || wakes.wake()).detach();
            there.sleep();
        }
        end(&pool);
        assert_eq!(pool.stats().completed, 4);
    });
}

/// The first job's second wait needs a stand-in, when that of its first wait is about to leave.
#[test]
fn a_surplus_thread_that_leaves_is_not_counted_on() {
    model(3, || {
        let pool = pool(1);
        let bells = [Bell::new(), Bell::new()];
        let [one, two] = bells.clone();
        pool.call(move || bells.iter().for_each(|bell| while_waiting(|| bell.sleep()))).detach();
        pool.call(move || one.wake()).detach();
        pool.call(move || two.wake()).detach();
        end(&pool);
        assert_eq!(pool.stats().completed, 3);
    });
}

#[test]
fn a_job_is_run_or_cancelled_or_refused_when_the_pool_closes() {
    model(2, || {
        let pool = Arc::new(pool(1));
        let closing = pool.clone();
        let thread = thread::spawn(move || closing.close_now());
        let first = Bell::block_on(pool.call(|| 1));
        assert!(match first {
            Ok(value) => value == 1,
            Err(error) => error.is_cancelled() || error.is_refused(),
        });
        thread.join().unwrap();
        assert!(Bell::block_on(pool.call(|| 2)).unwrap_err().is_refused());
        end(&pool);
    });
}

#[test]
fn dropping_the_last_handle_lets_the_queued_jobs_run() {
    model(3, || {
        let pool = pool(1);
        let (first, second) = (pool.call(|| 1), pool.call(|| 2));
        drop(pool);
        assert_eq!(Bell::block_on(first).unwrap() + Bell::block_on(second).unwrap(), 3);
    });
}
