//! A group's memory does not grow with the number of children it has had: counted byte by byte, by
//! the allocator of this process, which no other test shares. (What the process has resident says
//! little: it follows how far the spawning thread got ahead of the loops, and what the allocator
//! keeps for later.)
#![cfg(not(thrasks_loom))]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use common::{BoxError, Latch, pool};
use futures_lite::future::block_on;
use thrasks_group::TaskGroup;

/// The system's allocator, with what is allocated now and the most there was.
struct Counting {
    live: AtomicUsize,
    most: AtomicUsize,
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = self.live.fetch_add(layout.size(), Relaxed) + layout.size();
        self.most.fetch_max(live, Relaxed);
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.live.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static MEMORY: Counting = Counting { live: AtomicUsize::new(0), most: AtomicUsize::new(0) };

/// Runs `f` and gives the most that was allocated meanwhile.
async fn most<T>(f: impl Future<Output = Result<T, BoxError>>) -> Result<usize, BoxError> {
    MEMORY.most.store(MEMORY.live.load(Relaxed), Relaxed);
    f.await?;
    Ok(MEMORY.most.load(Relaxed))
}

/// For what comes and goes: a child that each loop is just ending, a block of a queue. It is less
/// than a tenth of a byte for each of the children.
const SLACK: usize = 8 << 10;

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

/// As many children as a wave has, all of them alive: how many of a wave are at the same time is the
/// loops' affair, and the list of them has grown for as many as there can be then.
async fn all_at_once(group: &TaskGroup<BoxError>) -> Result<(), BoxError> {
    let gate = Latch::default();
    let wave: Vec<_> = (0..1000)
        .map(|_| {
            let gate = gate.clone();
            group.spawn(move || async move {
                gate.wait().await;
                Ok(())
            })
        })
        .collect::<Result<_, _>>()?;
    gate.open();
    for handle in wave {
        handle.await?;
    }
    Ok(())
}

async fn a_hundred_thousand_children_need_the_memory_of_a_thousand(limit: Option<usize>) {
    let pool = pool(2);
    let mut builder = TaskGroup::<BoxError>::builder(&pool);
    if let Some(limit) = limit {
        builder = builder.max_concurrency(limit);
    }
    let scope = builder.scope(async |group| {
        all_at_once(&group).await?;
        waves(&group, 10).await?;
        let thousand = most(waves(&group, 1)).await?;
        let before = MEMORY.live.load(Relaxed);
        let hundred_thousand = most(waves(&group, 100)).await?;
        let after = MEMORY.live.load(Relaxed);
        Ok((thousand, hundred_thousand, before, after))
    });
    let (thousand, hundred_thousand, before, after) = scope.await.unwrap();
    // Not the same to the byte: a child needs more while it waits or runs than when it has ended, and
    // how many do which at the same time is the loops' affair.
    assert!(
        hundred_thousand < 2 * thousand,
        "100 times 1000 children: {hundred_thousand} bytes, 1000 of them: {thousand} bytes"
    );
    assert!(after < before + SLACK, "{before} bytes before, {after} after");
}

type Link = Pin<Box<dyn Future<Output = Result<(), BoxError>>>>;

/// A child that spawns the next one, whose handle nobody keeps, and ends.
fn link(group: TaskGroup<BoxError>, left: usize, last: Latch) -> Link {
    Box::pin(async move {
        if left == 0 {
            last.open();
        } else {
            let next = group.clone();
            drop(group.spawn(move || link(next, left - 1, last))?);
        }
        Ok(())
    })
}

async fn chain(group: &TaskGroup<BoxError>, links: usize) -> Result<(), BoxError> {
    let last = Latch::default();
    link(group.clone(), links, last.clone()).await?;
    last.wait().await;
    Ok(())
}

async fn a_hundred_thousand_children_in_a_chain_need_the_memory_of_a_few() {
    let pool = pool(2);
    let scope = TaskGroup::<BoxError>::scope(&pool, async |group| {
        chain(&group, 1000).await?;
        let before = MEMORY.live.load(Relaxed);
        Ok((before, most(chain(&group, 100_000)).await?))
    });
    let (before, most) = scope.await.unwrap();
    assert!(most < before + SLACK, "{before} bytes before, {most} at most");
}

// One test, since the allocator counts for the whole process.
#[test]
fn a_group_needs_the_memory_of_the_children_that_are_alive() {
    block_on(async {
        for limit in [None, Some(64)] {
            a_hundred_thousand_children_need_the_memory_of_a_thousand(limit).await;
        }
        a_hundred_thousand_children_in_a_chain_need_the_memory_of_a_few().await;
    });
}
