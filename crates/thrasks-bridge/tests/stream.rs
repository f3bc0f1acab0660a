//! An iterator drained on a thread.
#![cfg(not(thrasks_loom))]

mod common;

use common::block_on;
use thrasks_bridge::BlockingPool;

#[test]
fn items_come_in_order_and_then_the_end() {
    let pool = BlockingPool::builder().build().unwrap();
    for capacity in [Some(1), Some(2), Some(3), Some(64), None] {
        block_on(async {
            let mut stream = pool.stream(capacity, || 0..10_000);
            for expected in 0..10_000 {
                assert_eq!(stream.next().await.unwrap().unwrap(), expected);
            }
            assert!(stream.next().await.is_none());
            stream.closed().await.unwrap();
        });
    }
}
