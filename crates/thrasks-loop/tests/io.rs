//! Timers and sockets of async-io in the loops.
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Duration, Instant},
};

use async_io::{Async, Timer};
use common::{LONG, block_on};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future::yield_now};
use thrasks_loop::{LoopPool, LoopThread};

#[test]
fn timers_fire_in_loops() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    let start = Instant::now();
    let handles: Vec<_> = (0..100)
        .map(|i| {
            pool.try_spawn(move || async move {
                Timer::after(Duration::from_millis(20 + i % 10)).await;
                start.elapsed()
            })
            .unwrap()
        })
        .collect();
    for handle in handles {
        assert!(block_on(handle).unwrap() >= Duration::from_millis(20));
    }
    // One after another they would take two seconds.
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn timers_fire_beside_tasks_that_never_rest() {
    let thread = LoopThread::builder().start().unwrap();
    let (stop, stopped) = mpsc::channel::<()>();
    let restless = thread
        .spawn(move || async move {
            while stopped.try_recv().is_err_and(|e| e == mpsc::TryRecvError::Empty) {
                yield_now().await;
            }
        })
        .unwrap();
    let timer = thread.spawn(|| async { Timer::after(Duration::from_millis(5)).await }).unwrap();
    block_on(timer).unwrap();
    drop(stop);
    block_on(restless).unwrap();
}

#[test]
fn a_cancelled_task_does_not_wait_for_its_timer() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let start = Instant::now();
    let handle = pool.try_spawn(|| async { Timer::after(LONG).await }).unwrap();
    block_on(pool.try_spawn(|| async {}).unwrap()).unwrap();
    handle.cancel();
    assert!(block_on(handle).unwrap_err().is_cancelled());
    assert!(pool.shutdown(LONG).is_clean());
    assert!(start.elapsed() < LONG / 2);
}

#[test]
fn a_tcp_echo_over_loopback_runs_in_loops() {
    let pool = LoopPool::builder().threads(2).build().unwrap();
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let serving = pool.clone();
    let server = pool
        .spawn_on(0, move || async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let serve = move || async move {
                    let mut buffer = [0; 1024];
                    loop {
                        match stream.read(&mut buffer).await.unwrap() {
                            0 => break,
                            n => stream.write_all(&buffer[..n]).await.unwrap(),
                        }
                    }
                };
                serving.try_spawn(serve).unwrap().detach();
            }
        })
        .unwrap();
    let clients: Vec<_> = (0..20_u32)
        .map(|i| {
            pool.try_spawn(move || async move {
                let mut stream = Async::<TcpStream>::connect(address).await.unwrap();
                for round in 0..10 {
                    let text = format!("client {i}, round {round}");
                    stream.write_all(text.as_bytes()).await.unwrap();
                    let mut echo = vec![0; text.len()];
                    stream.read_exact(&mut echo).await.unwrap();
                    assert_eq!(echo, text.as_bytes());
                }
                10
            })
            .unwrap()
        })
        .collect();
    let rounds: u32 = clients.into_iter().map(|client| block_on(client).unwrap()).sum();
    assert_eq!(rounds, 200);
    let never: Result<std::convert::Infallible, _> = {
        server.cancel();
        block_on(server)
    };
    assert!(never.unwrap_err().is_cancelled());
    assert!(pool.shutdown(LONG).is_clean());
}

#[test]
fn a_task_may_block_on_io_of_its_own() {
    let pool = LoopPool::builder().threads(1).build().unwrap();
    let handle = pool
        .try_spawn(|| async {
            async_io::block_on(async { Timer::after(Duration::from_millis(2)).await });
            Timer::after(Duration::from_millis(2)).await;
        })
        .unwrap();
    block_on(handle).unwrap();
}

#[test]
fn dropping_a_pool_wakes_loops_that_wait_for_io() {
    let pool = LoopPool::builder().threads(3).build().unwrap();
    let loops = pool.loops().to_vec();
    for worker in 0..3 {
        pool.spawn_on(worker, || async { Timer::after(LONG).await }).unwrap().detach();
        block_on(pool.spawn_on(worker, || async {}).unwrap()).unwrap();
    }
    drop(pool);
    for handle in &loops {
        block_on(handle.exited());
    }
}
