//! A group's memory does not grow with the number of children it has had. Alone in its process.
#![cfg(all(target_os = "linux", not(thrasks_loom)))]

mod common;

use common::{BoxError, pool};
use futures_lite::future::block_on;
use thrasks_group::TaskGroup;

/// What the process has in memory, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn waves(group: &TaskGroup<BoxError>, count: usize) -> Result<(), BoxError> {
    for _ in 0..count {
        let wave: Vec<_> = (0..1000)
            .map(|i| group.spawn(move || async move { Ok([i; 16]) }))
            .collect::<Result<_, _>>()?;
        for handle in wave {
            handle.await?;
        }
    }
    Ok(())
}

#[test]
fn a_hundred_thousand_children_need_the_memory_of_a_thousand() {
    let pool = pool(2);
    for limit in [None, Some(64)] {
        let mut builder = TaskGroup::<BoxError>::builder(&pool);
        if let Some(limit) = limit {
            builder = builder.max_concurrency(limit);
        }
        let grown = block_on(builder.scope(async |group| {
            waves(&group, 10).await?;
            let before = resident();
            waves(&group, 100).await?;
            Ok(resident().saturating_sub(before))
        }));
        // 128 bytes of value each would be 12 MiB, and the bookkeeping more.
        assert!(grown.unwrap() < 6 << 10);
    }
}
