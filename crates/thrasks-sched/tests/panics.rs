//! Panics say what was wrong, and where the caller wrote it.

use std::{
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use thrasks_sched::{LeastLoaded, Limit, Loads, PerWorker, Queue, RoundRobin, Scheduler, place_fn};

/// The message of the panic of `f`, and the file it is blamed on.
fn panic_of<T>(f: impl FnOnce() -> T) -> (String, String) {
    // The hook is the process's: one test at a time.
    static HOOK: Mutex<()> = Mutex::new(());
    let _one = HOOK.lock().unwrap();
    let seen = Arc::new(Mutex::new(None));
    let hook = {
        let seen = seen.clone();
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let file = info.location().unwrap().file().to_owned();
            let message = info.payload().downcast_ref::<String>().map_or_else(
                || (*info.payload().downcast_ref::<&str>().unwrap()).to_owned(),
                String::clone,
            );
            *seen.lock().unwrap() = Some((message, file));
        }));
        previous
    };
    let outcome = catch_unwind(AssertUnwindSafe(f));
    panic::set_hook(hook);
    assert!(outcome.is_err(), "there was no panic");
    seen.lock().unwrap().take().unwrap()
}

#[test]
fn no_workers_is_the_callers_mistake() {
    let place = place_fn(|_: &(), _| Ok(0));
    for (name, (message, file)) in [
        ("Queue", panic_of(|| Queue::<()>::new(0))),
        ("RoundRobin", panic_of(|| RoundRobin::<()>::new(0))),
        ("LeastLoaded", panic_of(|| LeastLoaded::<()>::new(0))),
        ("PerWorker", panic_of(|| PerWorker::<(), _>::new(0, place))),
    ] {
        assert!(message.starts_with(&format!("{name}::new got 0 workers")), "{message}");
        assert_eq!(file, file!());
    }
}

#[test]
fn a_limit_of_nothing_is_the_callers_mistake() {
    let (message, file) = panic_of(|| Limit::<()>::new(0));
    assert!(message.starts_with("Limit::new got 0"), "{message}");
    assert_eq!(file, file!());
}

#[test]
fn a_load_that_does_not_exist_is_the_callers_mistake() {
    let (message, file) = panic_of(|| Loads::from(&[1, 2][..]).get(2));
    assert_eq!(message, "no load of worker 2: there are 2, from 0");
    assert_eq!(file, file!());
}

#[test]
fn a_worker_that_does_not_exist_is_named() {
    let schedulers: [Box<dyn Scheduler<()>>; 2] =
        [Box::new(Queue::new(2)), Box::new(RoundRobin::new(2))];
    for scheduler in schedulers {
        let expected = "worker 2 does not exist: there are 2, numbered from 0";
        assert_eq!(panic_of(|| scheduler.pop(2)).0, expected);
        assert_eq!(panic_of(|| scheduler.finish(2)).0, expected);
        assert_eq!(scheduler.load(2), None);
    }
}
