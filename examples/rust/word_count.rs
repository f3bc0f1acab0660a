//! Word and line counts of a folder: one task per file, over a pool of loops.
//!
//! `cargo run --release --example word_count [PATH] [--threads N]`
//!
//! It counts the folder on one thread without a pool, then with the pool, checks that both found the
//! same, and prints the totals for each extension and what the pool gained. A file or folder that
//! cannot be read is reported and counted, and does not stop the rest.

use std::{
    collections::BTreeMap,
    error::Error,
    ffi::OsString,
    fmt, fs, io,
    num::NonZeroUsize,
    ops::AddAssign,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use futures_lite::future::block_on;
use thrasks_loop::LoopPool;

const USAGE: &str = "usage: word_count [PATH] [--threads N]

Counts the lines and words of every file under PATH (default: the current folder)
over N loops (default: as many as the machine runs in parallel).";

/// How many extensions the table shows before it sums up the rest.
const ROWS: usize = 15;

struct Options {
    path: PathBuf,
    threads: usize,
}

impl Options {
    /// The options on the command line, or `None` to show the usage.
    fn parse() -> Result<Option<Self>, Box<dyn Error>> {
        use lexopt::prelude::*;

        let mut path = None;
        let mut threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Short('h') | Long("help") => return Ok(None),
                Short('t') | Long("threads") => {
                    threads = match arguments.value()?.parse() {
                        Ok(0) => return Err("--threads needs at least 1, got 0".into()),
                        Ok(threads) => threads,
                        Err(error) => return Err(format!("--threads: {error}").into()),
                    };
                }
                Value(value) if path.is_none() => path = Some(PathBuf::from(value)),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(Some(Self { path: path.unwrap_or_else(|| ".".into()), threads }))
    }
}

/// What is counted, of a file or of many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    files: u64,
    lines: u64,
    words: u64,
    bytes: u64,
}

impl Counts {
    fn of(path: &Path) -> io::Result<Self> {
        let text = fs::read(path)?;
        let mut counts = Self { files: 1, bytes: text.len() as u64, ..Self::default() };
        let mut in_word = false;
        for byte in &text {
            counts.lines += u64::from(*byte == b'\n');
            let starts = !byte.is_ascii_whitespace();
            counts.words += u64::from(starts && !in_word);
            in_word = starts;
        }
        // A last line need not be ended.
        counts.lines += u64::from(text.last().is_some_and(|byte| *byte != b'\n'));
        Ok(counts)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.lines += other.lines;
        self.words += other.words;
        self.bytes += other.bytes;
    }
}

/// The totals of a folder.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    by_extension: BTreeMap<OsString, Counts>,
    unreadable: Vec<Unreadable>,
}

#[derive(Debug, PartialEq, Eq)]
struct Unreadable {
    path: PathBuf,
    reason: String,
}

impl Totals {
    fn add(&mut self, path: &Path, counts: Result<Counts, impl fmt::Display>) {
        match counts {
            Ok(counts) => {
                let extension = path.extension().unwrap_or_default().to_owned();
                *self.by_extension.entry(extension).or_default() += counts;
            }
            Err(reason) => {
                let reason = reason.to_string();
                self.unreadable.push(Unreadable { path: path.to_owned(), reason });
            }
        }
    }

    fn sum(&self) -> Counts {
        let mut sum = Counts::default();
        self.by_extension.values().for_each(|counts| sum += *counts);
        sum
    }
}

/// The files under a path, which may be a file itself; symbolic links are not followed.
fn walk(root: &Path) -> (Vec<PathBuf>, Vec<Unreadable>) {
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        let listed = fs::symlink_metadata(&path).and_then(|metadata| {
            if metadata.is_dir() {
                for entry in fs::read_dir(&path)? {
                    pending.push(entry?.path());
                }
            } else if metadata.is_file() {
                files.push(path.clone());
            }
            Ok(())
        });
        if let Err(error) = listed {
            unreadable.push(Unreadable { path, reason: error.to_string() });
        }
    }
    // The order in which a folder is listed is the file system's.
    files.sort_unstable();
    (files, unreadable)
}

fn count_on_one_thread(files: &[PathBuf]) -> Totals {
    let mut totals = Totals::default();
    for path in files {
        totals.add(path, Counts::of(path));
    }
    totals
}

/// One task per file. The outcomes are collected in the order of the files, so that both ways to
/// count report the same.
fn count_on_pool(pool: &LoopPool, files: &[PathBuf]) -> Result<Totals, Box<dyn Error>> {
    block_on(async {
        let mut handles = Vec::with_capacity(files.len());
        for path in files {
            let file = path.clone();
            // Waits while the pool has enough to do.
            handles.push(pool.spawn(move || async move { Counts::of(&file) }).await?);
        }
        let mut totals = Totals::default();
        for (path, handle) in files.iter().zip(handles) {
            // A task that panicked is a file that could not be counted.
            match handle.await {
                Ok(counts) => totals.add(path, counts),
                Err(error) => totals.add(path, Err(error)),
            }
        }
        Ok(totals)
    })
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = run();
    (value, start.elapsed())
}

fn row(name: &str, counts: Counts) {
    let Counts { files, lines, words, bytes } = counts;
    println!("{name:<14} {files:>9} {lines:>12} {words:>13} {bytes:>15}");
}

fn print_table(totals: &Totals) {
    println!("{:<14} {:>9} {:>12} {:>13} {:>15}", "extension", "files", "lines", "words", "bytes");
    let mut rows: Vec<_> = totals.by_extension.iter().collect();
    rows.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.lines));
    for (extension, counts) in rows.iter().take(ROWS) {
        match extension.to_string_lossy() {
            name if name.is_empty() => row("(none)", **counts),
            name => row(&format!(".{name}"), **counts),
        }
    }
    if rows.len() > ROWS {
        let mut rest = Counts::default();
        rows[ROWS..].iter().for_each(|(_, counts)| rest += **counts);
        row(&format!("({} more)", rows.len() - ROWS), rest);
    }
    row("total", totals.sum());
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    // Only what is under the path may be missing; the path itself has to be there.
    fs::metadata(&options.path)
        .map_err(|error| format!("cannot read {}: {error}", options.path.display()))?;
    let (files, mut unreadable) = walk(&options.path);
    println!("{} files under {}", files.len(), options.path.display());

    // Once without looking at the clock, so that both find the files in the system's cache.
    count_on_one_thread(&files);
    let (expected, one_thread) = timed(|| count_on_one_thread(&files));

    let pool = LoopPool::builder()
        .threads(options.threads)
        .name("count")
        .capacity(1_000 * options.threads)
        .build()?;
    let (totals, over_pool) = timed(|| count_on_pool(&pool, &files));
    let totals = totals?;
    let report = pool.shutdown(Duration::from_secs(10));

    print_table(&totals);
    println!();
    for stats in pool.stats().loops {
        println!("{:<10} {:>9} files, busy {:>8.1?}", stats.name, stats.done, stats.busy);
    }
    println!("one thread {one_thread:>11.1?}");
    println!(
        "{} loop(s)  {over_pool:>11.1?}, {:.2} times as fast",
        options.threads,
        one_thread.as_secs_f64() / over_pool.as_secs_f64()
    );

    let same = totals == expected;
    unreadable.extend(totals.unreadable);
    for Unreadable { path, reason } in &unreadable {
        eprintln!("could not read {}: {reason}", path.display());
    }
    println!("{} could not be read", unreadable.len());
    if !same {
        eprintln!(
            "error: the pool and the single thread found something different: did a file change?"
        );
        return Ok(ExitCode::FAILURE);
    }
    println!("both found the same");
    if !report.is_clean() {
        return Err(format!("the pool did not end well: {report:?}").into());
    }
    Ok(ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    let outcome = match Options::parse() {
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
