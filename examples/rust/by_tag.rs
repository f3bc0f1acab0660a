//! A scheduler of one's own: tasks with the same tag run on the same loop.

use std::thread;

use futures_lite::future::block_on;
use thrasks::loops::{LoopPool, Task};
use thrasks::sched::{PerWorker, place_fn};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let by_tag = place_fn(|task: &Task, loads| Ok(task.tag() as usize % loads.len()));
    let pool = LoopPool::builder()
        .threads(2)
        .name("loop")
        .scheduler(move |loops| PerWorker::new(loops, by_tag))
        .build()?;
    for tag in [7, 4, 7] {
        let (task, handle) = Task::new(|| async { thread::current().name().map(str::to_owned) });
        pool.submit(task.with_tag(tag))?;
        println!("{tag}: {}", block_on(handle)?.unwrap_or_default());
    }
    Ok(())
}
