//! What a trace holds of real programs, read back from its file.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::Waker,
};

use futures_lite::future::{block_on, pending, yield_now};
use serde_json::Value;
use thrasks_loop::{
    JoinError, Keeper, LoopPool, LoopThread, Task,
    trace::{self, End, Name, Summary, TaskId, TaskIds, Trace, TraceBuilder},
};

/// There is one trace at a time in a process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn some_file() -> PathBuf {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("thrasks-trace-{}-{number}.json", std::process::id()))
}

struct Found {
    summary: Summary,
    other: Value,
    events: Vec<Value>,
}

impl Found {
    fn of_phase(&self, phase: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event["ph"] == phase)
    }

    /// The tasks: their names and what is told of them.
    fn tasks(&self) -> Vec<(&str, &Value)> {
        self.of_phase("b")
            .filter(|event| event["args"].is_object())
            .map(|event| (event["name"].as_str().expect("a name"), &event["args"]))
            .collect()
    }

    fn threads(&self) -> HashMap<u64, &str> {
        self.of_phase("M")
            .filter(|event| event["name"] == "thread_name")
            .map(|event| (event["tid"].as_u64().expect("a number"), &event["args"]["name"]))
            .map(|(tid, name)| (tid, name.as_str().expect("a name")))
            .collect()
    }
}

fn traced(builder: TraceBuilder, run: impl FnOnce()) -> Found {
    let file = some_file();
    let trace = builder.start(&file).expect("nobody else traces");
    run();
    let summary = trace.finish().expect("the file can be written");
    let text = fs::read_to_string(&file).expect("it is there");
    fs::remove_file(&file).expect("it is there");
    let whole: Value = serde_json::from_str(&text).expect("it is JSON");
    let events = whole["traceEvents"].as_array().expect("a list").clone();
    Found { summary, other: whole["otherData"].clone(), events }
}

async fn square(n: u64) -> u64 {
    yield_now().await;
    n * n
}

#[test]
fn each_task_is_there_once_with_its_steps_on_the_thread_that_ran_it() {
    let _alone = alone();
    let found = traced(Trace::builder(), || {
        let pool = LoopPool::builder().threads(2).name("tr").build().unwrap();
        let handles: Vec<_> = (0..50).map(|n| pool.try_spawn(move || square(n)).unwrap()).collect();
        let sum: u64 = handles.into_iter().map(|handle| block_on(handle).unwrap()).sum();
        assert_eq!(sum, (0..50).map(|n| n * n).sum::<u64>());
    });
    assert_eq!(found.summary.tasks, 50);
    assert_eq!(found.other["tasks"], 50);
    let tasks = found.tasks();
    assert_eq!(tasks.len(), 50);
    let numbers: HashSet<_> = tasks.iter().map(|(_, args)| args["task"].as_u64()).collect();
    assert_eq!(numbers.len(), 50);
    let threads = found.threads();
    let mut steps: HashMap<u64, Vec<&str>> = HashMap::new();
    for step in found.of_phase("X").filter(|event| event["cat"] == "run") {
        let task = step["args"]["task"].as_u64().unwrap();
        steps.entry(task).or_default().push(threads[&step["tid"].as_u64().unwrap()]);
    }
    for (name, args) in tasks {
        assert_eq!(name, "trace::square");
        assert_eq!(args["outcome"], "returned");
        assert_eq!(args["steps"], 2);
        let thread = args["thread"].as_str().unwrap();
        assert!(thread.starts_with("tr-"), "{thread}");
        assert_eq!(steps[&args["task"].as_u64().unwrap()], [thread, thread]);
    }
    // One arrow each, from where it was submitted to where it began.
    assert_eq!(found.of_phase("s").count(), 50);
    assert_eq!(found.of_phase("f").count(), 50);
}

#[test]
fn the_times_of_a_thread_are_in_order_and_do_not_overlap() {
    let _alone = alone();
    let found = traced(Trace::builder(), || {
        let pool = LoopPool::builder().threads(2).build().unwrap();
        let handles: Vec<_> =
            (0..200).map(|n| pool.try_spawn(move || square(n)).unwrap()).collect();
        handles.into_iter().for_each(|handle| assert!(block_on(handle).is_ok()));
    });
    let mut ends: HashMap<u64, f64> = HashMap::new();
    for piece in found.of_phase("X").filter(|event| event["cat"] == "run") {
        let begin = piece["ts"].as_f64().unwrap();
        let end = ends.entry(piece["tid"].as_u64().unwrap()).or_default();
        assert!(*end <= begin + 0.0005, "{piece} begins before {end}");
        *end = begin + piece["dur"].as_f64().unwrap();
    }
    assert!(!ends.is_empty());
}

#[test]
fn a_task_that_fails_or_is_cancelled_is_told() {
    let _alone = alone();
    let found = traced(Trace::builder(), || {
        let thread = LoopThread::builder().start().unwrap();
        let failing = thread.spawn(|| async { assert!(!trace::is_on(), "on purpose") }).unwrap();
        assert!(block_on(failing).unwrap_err().is_panic());
        let waiting = thread
            .spawn(|| async {
                trace::name_task("waits for ever");
                pending::<()>().await;
            })
            .unwrap();
        // It has begun when the next one has.
        block_on(thread.spawn(|| async {}).unwrap()).unwrap();
        waiting.cancel();
        assert!(block_on(waiting).unwrap_err().is_cancelled());
    });
    let outcomes: Vec<_> =
        found.tasks().iter().map(|(_, args)| args["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["failed", "cancelled", "returned"]);
    let (name, cancelled) = found.tasks()[1];
    assert_eq!((name, &cancelled["cancel_requests"]), ("waits for ever", &Value::from(1)));
    assert!(cancelled["suspended_us"].as_f64().unwrap() > 0.0);
    assert_eq!(found.of_phase("n").count(), 1);
}

#[test]
fn a_task_ends_with_its_last_step_whenever_that_is_told() {
    let _alone = alone();
    let found = traced(Trace::builder(), || {
        let task = TaskId::accept();
        task.begin(Name::new("a"));
        task.suspend();
        task.resume();
        task.stop();
        std::thread::sleep(std::time::Duration::from_millis(5));
        task.end(End::Failed);
    });
    let (_, args) = found.tasks()[0];
    assert_eq!((&args["outcome"], &args["steps"]), (&Value::from("failed"), &Value::from(2)));
    assert!(args["suspended_us"].as_f64().unwrap() < 5000.0, "{args}");
    let ends: Vec<_> = found.of_phase("e").map(|event| event["ts"].as_f64().unwrap()).collect();
    assert!(found.other["duration_us"].as_f64().unwrap() >= ends.last().unwrap() + 5000.0);
}

#[test]
fn one_that_never_began_was_queued_until_it_was_cancelled() {
    let _alone = alone();
    let found = traced(Trace::builder(), || {
        let thread = LoopThread::builder().start().unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = thread.spawn(move || async move { wait.recv().unwrap() }).unwrap();
        let second = thread.spawn(|| square(3)).unwrap();
        second.cancel();
        go.send(()).unwrap();
        block_on(first).unwrap();
        assert!(block_on(second).unwrap_err().is_cancelled());
    });
    let tasks = found.tasks();
    let (_, args) = tasks.iter().find(|(_, args)| args["outcome"] == "cancelled").unwrap();
    assert_eq!(args["steps"], 0);
    assert!(args["thread"].is_null());
    assert!(args["queued_us"].as_f64().unwrap() > 0.0);
}

/// Keeps tasks that wait for ever, all but the first.
#[derive(Default)]
struct Kept {
    wakers: Mutex<Vec<Waker>>,
    is_cancelled: AtomicBool,
    ended: Mutex<Option<mpsc::Sender<usize>>>,
}

impl Keeper for Kept {
    type Output = ();
    type Future = Pin<Box<dyn Future<Output = ()>>>;

    fn begin(self: &Arc<Self>, key: usize) -> Option<Self::Future> {
        match key {
            0 => Some(Box::pin(yield_now())),
            1 => Some(Box::pin(pending())),
            _ => None,
        }
    }

    fn waits(self: &Arc<Self>, _key: usize, waker: &Waker) -> bool {
        self.wakers.lock().unwrap().push(waker.clone());
        self.is_cancelled.load(Ordering::SeqCst)
    }

    fn ended(self: Arc<Self>, key: usize, _outcome: Result<(), JoinError>) {
        self.ended.lock().unwrap().as_ref().unwrap().send(key).unwrap();
    }
}

#[test]
fn a_task_that_its_maker_keeps_is_in_it_however_it_ends() {
    let _alone = alone();
    let found = traced(Trace::builder(), || {
        let thread = LoopPool::builder().threads(1).build().unwrap();
        let (send, ended) = mpsc::channel();
        let keeper = Arc::new(Kept { ended: Mutex::new(Some(send)), ..Kept::default() });
        let mut tasks: Vec<_> = (0..4).map(|key| Task::kept(keeper.clone(), key)).collect();
        drop(tasks.pop());
        assert_eq!(ended.recv(), Ok(3));
        thread.submit_batch(&mut tasks.into_iter()).unwrap();
        // Of the others, one goes on to wait.
        let mut over = [ended.recv().unwrap(), ended.recv().unwrap()];
        over.sort_unstable();
        assert_eq!(over, [0, 2]);
        keeper.is_cancelled.store(true, Ordering::SeqCst);
        keeper.wakers.lock().unwrap().drain(..).for_each(Waker::wake);
        assert_eq!(ended.recv(), Ok(1));
    });
    let told: Vec<_> = found
        .tasks()
        .iter()
        .map(|(_, args)| {
            let requests = args.get("cancel_requests").map_or(0, |count| count.as_u64().unwrap());
            (args["outcome"].as_str().unwrap(), args["steps"].as_u64().unwrap() > 0, requests)
        })
        .collect();
    let wanted = [("returned", true, 0), ("cancelled", true, 1), ("cancelled", false, 1)];
    assert_eq!(told[..3], wanted);
    assert_eq!(told[3..], [("cancelled", false, 0)]);
}

#[test]
fn a_task_of_before_is_not_in_it_and_one_that_goes_on_is_unfinished() {
    let _alone = alone();
    let thread = LoopThread::builder().start().unwrap();
    let before = thread.spawn(pending::<()>).unwrap();
    let mut during = None;
    let found = traced(Trace::builder(), || {
        during = Some(thread.spawn(pending::<()>).unwrap());
        block_on(thread.spawn(|| async {}).unwrap()).unwrap();
        before.cancel();
    });
    let mut outcomes: Vec<_> =
        found.tasks().iter().map(|(_, args)| args["outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["returned", "unfinished"]);
    // What ends later is not in a later trace.
    let later = traced(Trace::builder(), || {
        drop(during.take());
        block_on(thread.spawn(|| async {}).unwrap()).unwrap();
    });
    assert_eq!(later.tasks().len(), 1);
}

#[test]
fn what_there_is_no_room_for_is_left_out_and_counted() {
    let _alone = alone();
    let found = traced(Trace::builder().max_events(1600), || {
        let tasks = TaskIds::accept(700);
        assert!(tasks.nth(699).is_traced());
        // All that is left goes to this thread at once.
        let last = TaskIds::accept(200);
        assert!(last.nth(99).is_traced());
        assert!(!last.nth(100).is_traced());
        assert!(!TaskId::accept().is_traced());
        let task = tasks.nth(0);
        task.begin(Name::new("long"));
        for _ in 0..10 {
            task.suspend();
            task.resume();
        }
        task.suspend();
        task.end(End::Returned);
    });
    assert_eq!((found.summary.tasks, found.summary.left_out), (800, 101));
    assert!(found.summary.is_cut);
    let long: Vec<_> = found.tasks().into_iter().filter(|(name, _)| *name == "long").collect();
    assert_eq!((long.len(), &long[0].1["steps"]), (1, &Value::from(1)));
    assert_eq!(long[0].1["outcome"], "returned");
}

#[test]
fn there_is_one_trace_at_a_time() {
    let _alone = alone();
    let first = Trace::builder().start_into(Box::new(std::io::sink())).unwrap();
    let file = some_file();
    let error = Trace::start(&file).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ResourceBusy);
    assert!(!file.exists(), "a refused trace makes no file");
    drop(first);
    let again = Trace::start(&file).unwrap();
    drop(again);
    assert!(fs::read_to_string(&file).unwrap().contains("traceEvents"));
    fs::remove_file(&file).unwrap();
}

#[test]
fn a_file_that_cannot_be_made_is_told_at_once() {
    let _alone = alone();
    let error = Trace::start(some_file().join("nowhere.json")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    // And the recorder is free.
    drop(Trace::builder().start_into(Box::new(std::io::sink())).unwrap());
}

#[test]
fn a_forked_child_has_no_trace() {
    let _alone = alone();
    let file = some_file();
    let trace = Trace::start(&file).unwrap();
    let of_parent = TaskId::accept();
    // As if this were the child.
    trace::after_fork();
    assert!(!trace::is_on());
    let own = Trace::builder().start_into(Box::new(std::io::sink())).expect("it may have its own");
    of_parent.end(End::Returned);
    assert_eq!(trace.finish().unwrap().tasks, 0);
    assert_eq!(fs::metadata(&file).unwrap().len(), 0, "the file is the parent's");
    assert!(TaskId::accept().is_traced());
    assert_eq!(own.finish().unwrap().tasks, 1);
    fs::remove_file(&file).unwrap();
}
