//! The first program of the README: the results of many tasks, and tasks that end together.

use std::future::pending;

use thrasks::{LoopPool, TaskGroup, gather};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn run(pool: &LoopPool) -> Result<(), BoxError> {
    // A factory is called on the loop that runs it: its future need not be `Send`.
    let jobs = (0..5u64).map(|i| move || async move { i * i });
    println!("{:?}", gather(pool, jobs).await?);

    // The scope ends when all its tasks have ended. The first error cancels the others.
    let scope = TaskGroup::<BoxError>::scope(pool, async |group| {
        group.spawn(pending::<Result<(), BoxError>>)?;
        group.spawn(|| async { Ok("x".parse::<u64>()?) })?;
        Ok(())
    });
    println!("{}", scope.await.unwrap_err());
    Ok(())
}

fn main() -> Result<(), BoxError> {
    let pool = LoopPool::builder().threads(2).build()?;
    futures_lite::future::block_on(run(&pool))
}
