//! The hooks of a builder, and the threads that it makes.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    hint::black_box,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use common::{LONG, block_on, thread_name};
use thrasks_loop::{Join, LoopPool, LoopThread, ThreadSpec, spawn_std_thread};

#[test]
fn hooks_are_called_in_order_on_the_thread_with_its_number() {
    let (send, receive) = mpsc::channel();
    let hook = |turn: &'static str| {
        let send = send.clone();
        move |index: usize| send.send((index, turn, thread_name())).unwrap()
    };
    let pool = LoopPool::builder()
        .threads(3)
        .name("p")
        .on_start(hook("start"))
        .on_exit(hook("exit"))
        .build()
        .unwrap();
    for worker in 0..3 {
        let ran = hook("run");
        block_on(pool.spawn_on(worker, move || async move { ran(worker) }).unwrap()).unwrap();
    }
    assert!(pool.shutdown(LONG).is_clean());
    drop(send);
    // The hooks have run when the shutdown returns: nobody is left to send.
    let all: Vec<_> = receive.try_iter().collect();
    assert_eq!(all.len(), 9);
    for index in 0..3 {
        let name = format!("p-{index}");
        let turns: Vec<_> = all.iter().filter(|(i, ..)| *i == index).collect();
        assert!(turns.iter().all(|(.., on)| *on == name), "{turns:?}");
        let turns: Vec<_> = turns.iter().map(|(_, turn, _)| *turn).collect();
        assert_eq!(turns, ["start", "run", "exit"]);
    }
}

#[test]
fn a_single_thread_has_the_number_zero() {
    let (send, receive) = mpsc::channel();
    let exit = send.clone();
    let thread = LoopThread::builder()
        .on_start(move |index| send.send(("start", index)).unwrap())
        .on_exit(move |index| exit.send(("exit", index)).unwrap())
        .start()
        .unwrap();
    thread.join(None).unwrap();
    assert_eq!(receive.iter().collect::<Vec<_>>(), [("start", 0), ("exit", 0)]);
}

#[test]
fn hooks_that_panic_are_told_to_the_panic_hook_and_hang_nobody() {
    let (send, receive) = mpsc::channel();
    let pool = LoopPool::builder()
        .threads(1)
        .on_start(|_| panic!("start"))
        .on_exit(|_| panic!("exit"))
        .on_panic(move |index, payload| {
            send.send((index, *payload.downcast_ref::<&str>().unwrap())).unwrap();
            panic!("panic");
        })
        .build()
        .unwrap();
    block_on(pool.loops()[0].exited());
    assert_eq!(receive.try_iter().collect::<Vec<_>>(), [(0, "start"), (0, "exit")]);
    assert!(pool.shutdown(LONG).unstopped.is_empty());
}

#[test]
fn a_panic_of_a_task_does_not_go_to_the_panic_hook() {
    let thread = LoopThread::builder()
        .on_panic(|_, _| unreachable!("it is the task's outcome"))
        .start()
        .unwrap();
    let handle = thread.spawn(|| async { panic!("the task's") }).unwrap();
    let outcome: Result<(), _> = block_on(handle);
    assert!(outcome.unwrap_err().is_panic());
    thread.join(None).unwrap();
}

#[test]
fn a_spawn_hook_makes_the_threads_and_the_joins() {
    let made = Arc::new(Mutex::new(Vec::new()));
    let joined = Arc::new(AtomicUsize::new(0));
    let (note, count) = (made.clone(), joined.clone());
    let hook = move |spec: ThreadSpec| -> io::Result<Join> {
        note.lock().unwrap().push((spec.name.clone(), spec.stack_size));
        let thread = std::thread::Builder::new().name("mine".into()).spawn(spec.main)?;
        let count = count.clone();
        Ok(Box::new(move || {
            thread.join().unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        }))
    };
    let pool = LoopPool::builder()
        .threads(2)
        .name("p")
        .stack_size(1 << 20)
        .spawn_hook(hook)
        .build()
        .unwrap();
    let expected = [("p-0".to_owned(), Some(1 << 20)), ("p-1".to_owned(), Some(1 << 20))];
    assert_eq!(*made.lock().unwrap(), expected);
    let name = pool.try_spawn(|| async { thread_name() }).unwrap();
    assert_eq!(block_on(name).unwrap(), "mine");
    assert_eq!(joined.load(Ordering::SeqCst), 0);
    assert!(pool.shutdown(LONG).is_clean());
    assert_eq!(joined.load(Ordering::SeqCst), 2);
}

#[test]
fn a_spawn_hook_that_fails_half_way_stops_the_threads_before() {
    let (exit, exits) = mpsc::channel();
    let made = AtomicUsize::new(0);
    let error = LoopPool::builder()
        .threads(3)
        .on_exit(move |index| exit.send(index).unwrap())
        .spawn_hook(move |spec| {
            if made.fetch_add(1, Ordering::SeqCst) < 2 {
                spawn_std_thread(spec)
            } else {
                Err(io::Error::other(format!("no thread for {}", spec.name)))
            }
        })
        .build()
        .unwrap_err();
    assert_eq!(error.to_string(), "no thread for thrasks-2");
    let mut ended = [exits.recv_timeout(LONG).unwrap(), exits.recv_timeout(LONG).unwrap()];
    ended.sort_unstable();
    assert_eq!(ended, [0, 1]);
    // And the one that was never made has no exit.
    assert!(exits.recv_timeout(LONG).is_err());
}

#[test]
fn what_cannot_be_built_is_an_error_that_says_so() {
    let error = LoopPool::builder().threads(0).build().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("threads(0)"), "{error}");

    let error = LoopPool::builder()
        .threads(2)
        .scheduler(|_| thrasks_sched::Queue::new(3))
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains('3') && error.to_string().contains('2'), "{error}");

    let error = LoopThread::builder().name("a\0b").start().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains(r#""a\0b""#), "{error}");
}

/// Uses about half a KiB of stack for each level, optimised or not.
fn deep(level: usize) -> usize {
    let mut frame = [0_u8; 512];
    black_box(&mut frame);
    if level == 0 { 0 } else { 1 + deep(level - 1) + usize::from(black_box(frame[level % 512])) }
}

#[test]
fn the_stack_size_is_honoured() {
    // 16 MiB of frames: eight times what a thread has unless it is told.
    const LEVELS: usize = 32 << 10;
    let pool = LoopPool::builder().threads(1).stack_size(128 << 20).build().unwrap();
    let handle = pool.try_spawn(|| async { deep(LEVELS) }).unwrap();
    assert_eq!(block_on(handle).unwrap(), LEVELS);
    let thread = LoopThread::builder().stack_size(128 << 20).start().unwrap();
    assert_eq!(block_on(thread.spawn(|| async { deep(LEVELS) }).unwrap()).unwrap(), LEVELS);
}

#[test]
fn debug_forms_say_something() {
    let pool = LoopPool::builder().threads(1).name("p").capacity(3).build().unwrap();
    assert!(format!("{pool:?}").contains("closed: false"));
    assert!(format!("{:?}", pool.loops()[0]).contains("p-0"));
    assert!(
        format!("{:?}", LoopPool::builder().name("x").capacity(3)).contains("capacity: Some(3)")
    );
    let handle = pool.try_spawn(std::future::pending::<()>).unwrap();
    assert!(format!("{handle:?}").contains("finished: false"));
    handle.cancel();
    assert_eq!(format!("{:?}", block_on(handle).unwrap_err()), "JoinError::Cancelled");
}
