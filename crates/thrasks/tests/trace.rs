//! What a trace holds of groups, gathers and pools, under the names of the facade.

use std::{collections::BTreeMap, fs};

use serde_json::Value;
use thrasks::{LoopPool, TaskGroup, TaskPool, gather, trace::Trace};

async fn square(n: u64) -> u64 {
    futures_lite::future::yield_now().await;
    n * n
}

#[test]
fn tasks_of_groups_gathers_and_pools_are_in_it() {
    let file = std::env::temp_dir().join(format!("thrasks-facade-{}.json", std::process::id()));
    let trace = Trace::start(&file).unwrap();
    let pool = LoopPool::builder().threads(2).name("traced").build().unwrap();
    futures_lite::future::block_on(async {
        let squares = gather(&pool, (0..4).map(|n| move || square(n))).await;
        assert_eq!(squares.unwrap(), [0, 1, 4, 9]);
        TaskGroup::<std::io::Error>::scope(&pool, async |group| {
            for n in 0..3 {
                group.spawn(move || async move { Ok(square(n).await) }).unwrap();
            }
            Ok(())
        })
        .await
        .unwrap();
        let loops = LoopPool::builder().threads(1).build().unwrap();
        let tasks = TaskPool::new(loops);
        assert_eq!(tasks.submit(|| square(5)).await.unwrap(), 25);
    });
    let summary = trace.finish().unwrap();
    let whole: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    fs::remove_file(&file).unwrap();

    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for event in whole["traceEvents"].as_array().unwrap() {
        if event["ph"] == "b" && event["args"].is_object() {
            *outcomes.entry(event["args"]["outcome"].as_str().unwrap()).or_default() += 1;
            *names.entry(event["name"].as_str().unwrap()).or_default() += 1;
        }
    }
    assert_eq!(outcomes.values().sum::<usize>(), summary.tasks);
    assert!(outcomes["returned"] >= 7, "{outcomes:?}");
    // Those of the group are called after the function that their closure is written in.
    assert_eq!(names["trace::square"], 4, "{names:?}");
    assert_eq!(names["trace::tasks_of_groups_gathers_and_pools_are_in_it"], 3, "{names:?}");
}
