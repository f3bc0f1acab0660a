//! Two tasks on two threads that send a number to and fro: what one waking of the other costs.
//!
//! `cargo bench -p thrasks-benches --bench ping_pong`
//!
//! The channel is the same for all, so that only the executors differ. tokio and smol are free to
//! run both tasks on one thread, and do; what is pinned is the fair comparison.

mod peers;
mod side_by_side;

use std::thread;

use async_channel::{Receiver, Sender, bounded};
use criterion::Criterion;
use futures_lite::future::block_on;
use thrasks_loop::LoopPool;

use self::{
    peers::Peers,
    side_by_side::{Contender, compare},
};

const ROUNDS: u64 = 1_000;

struct Side {
    out: Sender<u64>,
    back: Receiver<u64>,
}

fn table() -> (Side, Side) {
    let (to, there) = bounded(1);
    let (fro, here) = bounded(1);
    (Side { out: to, back: here }, Side { out: fro, back: there })
}

impl Side {
    /// Begins each round, and yields what came back last.
    async fn ping(self) -> u64 {
        let mut number = 0;
        while number < ROUNDS {
            self.out.send(number).await.expect("the other side listens");
            number = self.back.recv().await.expect("the other side answers");
        }
        number
    }

    /// Sends back the next number, until the other side is gone.
    async fn pong(self) {
        while let Ok(number) = self.back.recv().await {
            if self.out.send(number + 1).await.is_err() {
                return;
            }
        }
    }
}

fn thrasks(pool: &LoopPool, on: [usize; 2]) -> u64 {
    let (ping, pong) = table();
    let pong = pool.spawn_on(on[1], || pong.pong()).expect("the pool is open");
    let ping = pool.spawn_on(on[0], || ping.ping()).expect("the pool is open");
    block_on(async {
        let number = ping.await.expect("it does not fail");
        pong.await.expect("it does not fail");
        number
    })
}

fn local_pool(peers: &Peers, on: [usize; 2]) -> u64 {
    let (ping, pong) = table();
    let pong = peers.local_pool.spawn_pinned_by_idx(|| pong.pong(), on[1]);
    let ping = peers.local_pool.spawn_pinned_by_idx(|| ping.ping(), on[0]);
    block_on(async {
        let number = ping.await.expect("it does not fail");
        pong.await.expect("it does not fail");
        number
    })
}

fn tokio(peers: &Peers) -> u64 {
    let (ping, pong) = table();
    peers.tokio.block_on(async {
        let pong = tokio::spawn(pong.pong());
        let number = tokio::spawn(ping.ping()).await.expect("it does not fail");
        pong.await.expect("it does not fail");
        number
    })
}

fn smol(peers: &Peers) -> u64 {
    let (ping, pong) = table();
    let pong = peers.smol.spawn(pong.pong());
    let ping = peers.smol.spawn(ping.ping());
    block_on(async {
        let number = ping.await;
        pong.await;
        number
    })
}

/// No executor: one thread wakes the other.
fn bare_threads() -> u64 {
    let (ping, pong) = table();
    thread::scope(|scope| {
        scope.spawn(|| block_on(pong.pong()));
        block_on(ping.ping())
    })
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let peers = &Peers::new();
    let contenders = vec![
        Contender::new("thrasks, two loops", ROUNDS, || thrasks(&peers.queue, [0, 1])),
        Contender::new("LocalPoolHandle, two threads", ROUNDS, || local_pool(peers, [0, 1])),
        Contender::new("bare threads", ROUNDS, bare_threads),
        Contender::new("thrasks, one loop", ROUNDS, || thrasks(&peers.queue, [0, 0])),
        Contender::new("LocalPoolHandle, one thread", ROUNDS, || local_pool(peers, [0, 0])),
        Contender::new("tokio, as it likes", ROUNDS, || tokio(peers)),
        Contender::new("smol, as it likes", ROUNDS, || smol(peers)),
    ];
    compare(&mut criterion, &format!("ping-pong, {ROUNDS} rounds"), ROUNDS, contenders);
    criterion.final_summary();
}
