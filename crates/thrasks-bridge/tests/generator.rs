//! A two-way generator.
#![cfg(not(thrasks_loom))]

mod common;

use common::{Drops, block_on, door, thread_name};
use thrasks_bridge::{
    BlockingPool, Generator, Interrupt, OwnThread, StartError, Step, Yielder, generator,
};

fn echo(on: OwnThread) -> Generator<u32, &'static str, u32, &'static str> {
    generator(on, |yielder: &mut Yielder<u32, &'static str, u32>| {
        let mut sent = yielder.first();
        loop {
            match sent {
                Ok(value) => sent = yielder.put(value),
                Err(Interrupt::Thrown(error)) => return error,
                Err(Interrupt::Closed) => return "closed",
            }
        }
    })
}

#[test]
fn values_are_sent_in_and_yielded_out_on_one_thread() {
    block_on(async {
        let mut echo = echo(OwnThread::new());
        for value in 0..1000 {
            assert_eq!(echo.send(value).await.unwrap(), Step::Yielded(value));
        }
        assert_eq!(echo.throw("thrown").await.unwrap(), Step::Returned("thrown"));
        assert!(echo.send(1).await.is_err());
        assert_eq!(echo.start_throw("again"), Err(StartError::Ended("again")));
        echo.closed().await.unwrap();
    });
}

#[test]
fn nothing_runs_before_the_first_step() {
    let pool = BlockingPool::builder().build().unwrap();
    let drops = Drops::default();
    let guard = drops.guard();
    let lazy = generator(pool.clone(), move |_: &mut Yielder<(), (), ()>| drop(guard));
    assert_eq!((pool.stats().threads, drops.count()), (0, 0));
    drop(lazy);
    assert_eq!((pool.stats().threads, drops.count()), (0, 1));
}

#[test]
fn a_second_step_while_one_is_under_way_is_an_error() {
    let (door, front) = door();
    let mut slow = generator(OwnThread::new(), move |_: &mut Yielder<u8, u8, ()>| front.stand());
    slow.start_send(1).unwrap();
    door.wait();
    assert_eq!(slow.start_send(2), Err(StartError::Busy(2)));
    assert_eq!(slow.start_throw(3), Err(StartError::Busy(3)));
    door.open();
    assert_eq!(block_on(slow.step()).unwrap(), Step::Returned(()));
}

#[test]
fn a_throw_can_be_the_first_step() {
    let mut echo = echo(OwnThread::new());
    assert_eq!(block_on(echo.throw("early")).unwrap(), Step::Returned("early"));
    // Without having looked at it, the code learns of it at its first yield, which yields nothing.
    let mut blind = generator(OwnThread::new(), |yielder: &mut Yielder<(), u8, ()>| {
        yielder.put(()).unwrap_err()
    });
    let step = block_on(blind.throw(7)).unwrap();
    assert_eq!(step, Step::Returned(Interrupt::Thrown(7)));
}

#[test]
fn a_close_ends_the_wait_of_the_code_and_what_it_holds_is_dropped_on_its_thread() {
    struct Where(std::sync::mpsc::Sender<String>);
    impl Drop for Where {
        fn drop(&mut self) {
            self.0.send(thread_name()).unwrap();
        }
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let guard = Where(sender);
    let own = OwnThread::new().name("its-own");
    let mut endless = generator(own, move |yielder: &mut Yielder<(), (), ()>| {
        let _guard = guard;
        while yielder.put(()) == Ok(()) {}
        assert_eq!(yielder.put(()), Err(Interrupt::Closed), "every time");
    });
    block_on(async {
        assert_eq!(endless.send(()).await.unwrap(), Step::Yielded(()));
        endless.close();
        endless.closed().await.unwrap();
    });
    assert_eq!(receiver.recv().unwrap(), "its-own");
}

#[test]
fn many_generators_wait_on_a_pool_for_two() {
    let pool = BlockingPool::builder().max_threads(2).build().unwrap();
    block_on(async {
        let mut all: Vec<_> = (0..20)
            .map(|i| {
                generator(
                    pool.clone(),
                    move |yielder: &mut Yielder<(), (), i32>| {
                        while yielder.put(i).is_ok() {}
                    },
                )
            })
            .collect();
        for round in 0..3 {
            for (i, generator) in all.iter_mut().enumerate() {
                assert_eq!(generator.send(()).await.unwrap(), Step::Yielded(i as i32), "{round}");
            }
        }
        assert_eq!(pool.call(|| 1).await.unwrap(), 1);
    });
    pool.close();
    assert!(pool.wait_closed(None));
}

#[test]
fn a_consumer_that_was_given_up_and_is_there_all_the_same_hears_of_it() {
    let mut watched = generator(OwnThread::new(), |yielder: &mut Yielder<(), (), u8>| {
        yielder.watch(std::time::Duration::from_millis(1), || false);
        assert_eq!(yielder.put(1), Err(Interrupt::Closed));
        assert_eq!(yielder.put(1), Err(Interrupt::Closed));
    });
    watched.start_send(()).unwrap();
    block_on(watched.closed()).unwrap();
    assert!(block_on(watched.step()).unwrap_err().is_cancelled());
    assert_eq!(watched.start_send(()), Err(StartError::Ended(())));
}

#[test]
fn a_watch_lets_the_steps_pass_as_long_as_it_says_yes() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut watched = generator(OwnThread::new(), move |yielder: &mut Yielder<u8, (), u8>| {
        yielder.watch(std::time::Duration::from_millis(1), move || {
            let _ = sender.send(());
            true
        });
        let mut sent = yielder.first();
        while let Ok(value) = sent {
            sent = yielder.put(value);
        }
    });
    for value in 0..3 {
        assert_eq!(block_on(watched.send(value)).unwrap(), Step::Yielded(value));
        // It waits for the next one, and looks, with no lock held.
        receiver.recv().unwrap();
        receiver.recv().unwrap();
    }
}
