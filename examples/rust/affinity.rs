//! Affinity by key: everything about one account runs on one loop, by a placement of one's own.
//!
//! `cargo run --release --example affinity [FILE] [--threads N]`
//!
//! A task carries the hash of its key as its tag. The placement gives each key that it has not seen
//! a home, the loops in turn, so that the accounts of a loop are a thread-local of plain `Rc`s and
//! `RefCell`s: no locks. A line of FILE is an account and an amount, like `alice,-5`; without it
//! there are some made-up ones. What is not such a line is reported, and books nothing.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    error::Error,
    fs,
    hash::{BuildHasher, RandomState},
    num::NonZero,
    path::PathBuf,
    process::ExitCode,
    rc::Rc,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_lite::future::{block_on, yield_now};
use thrasks_loop::{LoopPool, Task};
use thrasks_sched::{Loads, PerWorker, Placement};

const USAGE: &str = "usage: affinity [FILE] [--threads N]

Books the lines of FILE, an account and an amount each (like alice,-5; default: made-up ones), on
N loops (default: as many as the machine runs in parallel).";

/// Where the tasks of each tag run.
#[derive(Default)]
struct ByTag {
    homes: Mutex<HashMap<u64, usize>>,
}

impl Placement<Task> for ByTag {
    fn place(&self, task: &Task, loads: &Loads<'_>) -> Result<usize, Box<dyn Error + Send + Sync>> {
        let mut homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        let next = homes.len() % loads.len();
        Ok(*homes.entry(task.tag()).or_insert(next))
    }
}

#[derive(Default)]
struct Account {
    balance: i64,
    bookings: usize,
}

thread_local! {
    /// The accounts whose home this loop is. No other thread ever sees them.
    static ACCOUNTS: RefCell<BTreeMap<String, Rc<RefCell<Account>>>> = RefCell::default();
}

async fn book(name: String, amount: i64) {
    let account = ACCOUNTS.with_borrow_mut(|accounts| accounts.entry(name).or_default().clone());
    // As if something were awaited: other tasks of this loop run meanwhile.
    yield_now().await;
    let mut account = account.borrow_mut();
    account.balance += amount;
    account.bookings += 1;
}

/// What the loop that runs this knows: name, balance, bookings.
async fn accounts() -> Vec<(String, i64, usize)> {
    let row = |(name, account): (String, Rc<RefCell<Account>>)| {
        let account = account.borrow();
        (name, account.balance, account.bookings)
    };
    ACCOUNTS.take().into_iter().map(row).collect()
}

fn parse(line: &str) -> Option<(String, i64)> {
    let (name, amount) = line.rsplit_once(',')?;
    Some((name.trim().to_owned(), amount.trim().parse().ok()?))
}

fn run(Options { path, threads }: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let text = match path {
        Some(path) => fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?,
        None => {
            let names = ["alice", "bob", "carol", "dave", "erin", "frank"];
            (0..6_000_i64)
                .map(|i| format!("{},{}\n", names[i as usize % 6], i % 101 - 40))
                .collect()
        }
    };
    let pool = LoopPool::builder()
        .threads(*threads)
        .name("loop")
        .scheduler(|workers| PerWorker::new(workers, ByTag::default()))
        .build()?;

    let (hasher, mut handles, mut wrong) = (RandomState::new(), Vec::new(), 0);
    for (number, line) in (1..).zip(text.lines()) {
        let Some((name, amount)) = parse(line) else {
            eprintln!("line {number}: expected account,amount, got {line:?}");
            wrong += 1;
            continue;
        };
        let key = hasher.hash_one(&name);
        let (task, handle) = Task::new(move || book(name, amount));
        pool.submit(task.with_tag(key))?;
        handles.push(handle);
    }
    for handle in handles {
        block_on(handle)?;
    }
    for (worker, stats) in pool.stats().loops.iter().enumerate() {
        for (name, balance, bookings) in block_on(pool.spawn_on(worker, accounts)?)? {
            println!("{name:10} {balance:10} in {bookings:6} bookings, on {}", stats.name);
        }
    }
    let report = pool.shutdown(Duration::from_secs(10));
    Ok(if wrong == 0 && report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Options {
    path: Option<PathBuf>,
    threads: usize,
}

/// The options on the command line, or `None` to show the usage.
fn options() -> Result<Option<Options>, Box<dyn Error>> {
    use lexopt::prelude::*;

    let mut path = None;
    let mut threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Short('t') | Long("threads") => {
                let value = arguments.value()?;
                let number = value.to_str().and_then(|text| text.parse::<NonZero<_>>().ok());
                let number =
                    number.ok_or_else(|| format!("--threads is at least 1, got {value:?}"));
                threads = number?.get();
            }
            Value(value) if path.is_none() => path = Some(PathBuf::from(value)),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Some(Options { path, threads }))
}

fn main() -> ExitCode {
    let outcome = match options() {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}
