use std::sync::Arc;

use loom::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};
use thrasks_bridge::{call, once_from_callback};
use thrasks_loop::models::Bell;

use super::{model, own};

struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn who_awaits_a_call_hears_of_its_end_and_sees_what_it_did() {
    model(3, || {
        let did = Arc::new(AtomicUsize::new(0));
        let does = did.clone();
        let call = call(&own(), move || does.store(1, Relaxed));
        Bell::block_on(call).unwrap();
        assert_eq!(did.load(Relaxed), 1);
    });
}

#[test]
fn a_call_is_run_or_cancelled_and_its_closure_dropped_once() {
    model(3, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let ran = Arc::new(AtomicUsize::new(0));
        let (guard, runs) = (Dropped(drops.clone()), ran.clone());
        let call = call(&own(), move || {
            let _guard = guard;
            runs.fetch_add(1, Relaxed);
            7
        });
        let cancelled = call.cancel();
        match Bell::block_on(call) {
            Ok(value) => assert_eq!((cancelled, value, ran.load(Relaxed)), (false, 7, 1)),
            Err(error) => assert!(cancelled && error.is_cancelled() && ran.load(Relaxed) == 0),
        }
        assert_eq!(drops.load(Relaxed), 1);
    });
}

#[test]
fn the_first_value_wins_and_the_others_come_back() {
    model(3, || {
        let once = once_from_callback(&own(), |resolver| {
            let other = resolver.clone();
            let thread = thread::spawn(move || other.resolve(1).is_ok());
            let mine = resolver.resolve(2).is_ok();
            assert!(mine != thread.join().unwrap());
        });
        assert!(matches!(Bell::block_on(once), Ok(1 | 2)));
    });
}

#[test]
fn who_waits_for_a_value_hears_that_there_will_be_none() {
    model(3, || {
        let once = once_from_callback::<u8, _>(&own(), |resolver| {
            let other = resolver.clone();
            thread::spawn(move || drop(other));
            drop(resolver);
        });
        assert!(Bell::block_on(once).unwrap_err().is_cancelled());
    });
}

#[test]
fn a_value_that_nobody_waits_for_any_more_is_dropped_once() {
    model(3, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let guard = Dropped(drops.clone());
        let once = once_from_callback(&own(), move |resolver| {
            let given_back = resolver.resolve(guard);
            assert!(given_back.is_ok() || resolver.is_closed());
        });
        drop(once);
        assert!(drops.load(Relaxed) <= 1);
    });
}
