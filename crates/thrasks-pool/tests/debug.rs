//! What the types say of themselves.

mod common;

use common::{block_on, inline};
use thrasks_pool::{Local, NotSpawned, Roster, Spawn, TaskPool, Window, Worker, Working};

#[test]
fn pools_handles_and_streams_tell_their_numbers() {
    let pool = inline(2);
    let handle = pool.submit(async || 7);
    assert_eq!(format!("{handle:?}"), "TaskHandle { finished: true, .. }");
    let shown = format!("{pool:?}");
    assert!(
        shown.starts_with("TaskPool { name: \"tasks\", max_workers: 2, closed: false"),
        "{shown}"
    );
    assert!(shown.contains("completed: 1"), "{shown}");
    let mut results = pool.map(0..5, 3, async |i| i);
    assert_eq!(block_on(results.next()).unwrap().unwrap(), 0);
    let shown = format!("{results:?}");
    assert!(shown.contains("bound: 3, ordered: true, reserved: 0, filled: 2"), "{shown}");
    drop(results);
    assert_eq!(format!("{:?}", pool.shutdown(true, false)), "Shutdown { finished: true }");
    let error = pool.try_submit(async || 7).unwrap_err();
    assert_eq!(format!("{error:?}"), "TrySubmitError { refusal: Closed, .. }");
    assert_eq!(error.to_string(), "the job was not submitted: the pool is closed");
}

struct Telling;

impl Spawn<Local> for Telling {
    fn spawn(&self, worker: Worker<Local>) -> Result<(), NotSpawned<Local>> {
        assert_eq!(format!("{worker:?}"), "Worker { name: \"w-0\", .. }");
        let refused = NotSpawned::new(worker, "no room");
        assert_eq!(refused.to_string(), "the worker was not spawned: no room");
        assert!(format!("{refused:?}").starts_with("NotSpawned { worker: Worker"));
        Err(refused)
    }
}

#[test]
fn workers_tell_their_name() {
    let error = block_on(TaskPool::builder().name("w").build(Telling).submit(async || 7));
    assert_eq!(error.unwrap_err().to_string(), "nobody ran the task: no room");
    let shown = |working: &Working<Local>| format!("{working:?}");
    let pool = TaskPool::new(move |worker: Worker<Local>| {
        let working = worker.run();
        assert_eq!(shown(&working), "Working { worker: 0, has_job: false }");
        block_on(working);
    });
    assert_eq!(block_on(pool.submit(async || 7)).unwrap(), 7);
}

#[test]
fn rosters_and_windows_tell_their_numbers() {
    let roster = Roster::new(1);
    roster.submit(7).unwrap();
    let shown = format!("{roster:?}");
    assert!(shown.starts_with("Roster { max_workers: 1, closed: false, stats: Stats { workers: 1"));
    let refused = {
        let _nobody_to_wake = roster.close(false);
        roster.submit(7).unwrap_err()
    };
    assert_eq!(format!("{refused:?}"), "Refused { refusal: Closed, .. }");
    assert_eq!(refused.to_string(), "the job was not queued: the pool is closed");
    let window = Window::<u8>::unordered(3);
    let _place = window.reserve();
    let shown = "Window { bound: 3, ordered: false, reserved: 1, filled: 0, closed: false }";
    assert_eq!(format!("{window:?}"), shown);
}
