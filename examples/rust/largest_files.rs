//! The largest files of a folder: a walk over it on a thread, streamed to async code.
//!
//! `cargo run --release --example largest_files [PATH] [--count N] [--within SECONDS]`
//!
//! The walk is ordinary blocking code, an iterator. It never gets further ahead of the async code
//! than the stream holds, and stops, its open folders closed, when the async code has had enough:
//! after some seconds, if it is told how many. What cannot be read is reported and counted, and does
//! not stop the rest.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use futures_lite::future::block_on;
use thrasks_bridge::BlockingPool;

const USAGE: &str = "usage: largest_files [PATH] [--count N] [--within SECONDS]

Shows the N largest files under PATH (default: 10, the current folder), of those
that were found within SECONDS (default: all).";

/// How far the walk may be ahead.
const CAPACITY: usize = 256;

struct Options {
    path: PathBuf,
    count: usize,
    within: Option<Duration>,
}

impl Options {
    /// The options on the command line, or `None` to show the usage.
    fn parse() -> Result<Option<Self>, Box<dyn Error>> {
        use lexopt::prelude::*;

        let (mut path, mut count, mut within) = (None, 10, None);
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Short('h') | Long("help") => return Ok(None),
                Short('n') | Long("count") => count = arguments.value()?.parse()?,
                Long("within") => {
                    let seconds = arguments.value()?.parse()?;
                    let duration = Duration::try_from_secs_f64(seconds);
                    within = Some(duration.map_err(|error| format!("--within: {error}"))?);
                }
                Value(value) if path.is_none() => path = Some(PathBuf::from(value)),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(Some(Self { path: path.unwrap_or_else(|| ".".into()), count, within }))
    }
}

/// The files under a folder and their sizes, or what could not be read. Links are not followed.
struct Walk {
    /// The folders that are open, each inside the one before.
    open: Vec<(PathBuf, fs::ReadDir)>,
    /// The folder to begin with.
    root: Option<PathBuf>,
}

type Found = Result<(PathBuf, u64), (PathBuf, io::Error)>;

impl Walk {
    fn new(root: PathBuf) -> Self {
        Self { open: Vec::new(), root: Some(root) }
    }

    fn enter(&mut self, path: PathBuf) -> Result<(), (PathBuf, io::Error)> {
        match fs::read_dir(&path) {
            Ok(entries) => {
                self.open.push((path, entries));
                Ok(())
            }
            Err(error) => Err((path, error)),
        }
    }

    /// What there is to say of an entry: nothing of a folder that is entered.
    fn look(&mut self, entry: &fs::DirEntry) -> Option<Found> {
        match entry.metadata() {
            Err(error) => Some(Err((entry.path(), error))),
            Ok(metadata) if metadata.is_dir() => self.enter(entry.path()).err().map(Err),
            Ok(metadata) if metadata.is_file() => Some(Ok((entry.path(), metadata.len()))),
            Ok(_link_or_device) => None,
        }
    }
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if let Some(root) = self.root.take()
            && let Err(error) = self.enter(root)
        {
            return Some(Err(error));
        }
        loop {
            let (folder, entries) = self.open.last_mut()?;
            match entries.next() {
                None => {
                    self.open.pop();
                }
                Some(Err(error)) => return Some(Err((folder.clone(), error))),
                Some(Ok(entry)) => {
                    if let Some(found) = self.look(&entry) {
                        return Some(found);
                    }
                }
            }
        }
    }
}

/// What the walk came to.
struct Report {
    /// The largest, in order.
    largest: Vec<(u64, PathBuf)>,
    files: u64,
    bytes: u64,
    unreadable: u64,
    complete: bool,
}

async fn report(pool: &BlockingPool, options: &Options) -> Result<Report, Box<dyn Error>> {
    let deadline = options.within.map(|within| Instant::now() + within);
    let root = options.path.clone();
    let mut found = pool.stream(CAPACITY, move || Walk::new(root));
    // The smallest of the largest on top.
    let mut largest = BinaryHeap::new();
    let (mut files, mut bytes, mut unreadable) = (0, 0, 0);
    let mut complete = true;
    while let Some(item) = found.next().await {
        match item? {
            Ok((path, size)) => {
                files += 1;
                bytes += size;
                largest.push(Reverse((size, path)));
                if largest.len() > options.count {
                    largest.pop();
                }
            }
            Err((path, error)) => {
                unreadable += 1;
                eprintln!("{}: {error}", path.display());
            }
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            complete = false;
            break;
        }
    }
    // Dropping the stream would do; this waits until the walk has closed its folders.
    found.close();
    found.closed().await?;
    let largest = largest.into_sorted_vec().into_iter().map(|Reverse(entry)| entry).collect();
    Ok(Report { largest, files, bytes, unreadable, complete })
}

fn show(report: &Report, root: &Path) {
    for (size, path) in &report.largest {
        let path = path.strip_prefix(root).unwrap_or(path);
        println!("{size:>14}  {}", path.display());
    }
    let Report { files, bytes, unreadable, .. } = report;
    println!("{bytes:>14}  in {files} files; {unreadable} could not be read");
    if !report.complete {
        println!("The time was up: there may be more.");
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::parse()? else {
        println!("{USAGE}");
        return Ok(());
    };
    let pool = BlockingPool::builder().max_threads(1).name("walk").build()?;
    let report = block_on(report(&pool, &options))?;
    show(&report, &options.path);
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("largest_files: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_finds_every_file_once_and_goes_on_after_what_it_cannot_read() {
        let root = std::env::temp_dir().join(format!("largest-files-{}", std::process::id()));
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(root.join("empty")).unwrap();
        for (name, size) in [("one", 1), ("a/ten", 10), ("a/b/hundred", 100)] {
            fs::write(root.join(name), vec![b'x'; size]).unwrap();
        }
        let pool = BlockingPool::builder().max_threads(1).build().unwrap();
        let options = Options { path: root.clone(), count: 2, within: None };
        let found = block_on(report(&pool, &options)).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!((found.files, found.bytes, found.unreadable), (3, 111, 0));
        let expected = [(100, root.join("a/b/hundred")), (10, root.join("a/ten"))];
        assert_eq!(found.largest, expected);
        // It is gone: one thing that cannot be read.
        let gone = block_on(report(&pool, &options)).unwrap();
        assert_eq!((gone.files, gone.unreadable, gone.complete), (0, 1, true));
    }
}
