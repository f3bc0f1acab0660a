//! The SHA-256 digest of every file of a folder, on all cores and in order: an order-preserving,
//! bounded parallel map over a serial iterator.
//!
//! `cargo run --release --example ordered_map [PATH] [--threads N] [--buffer N] > SUMS`
//!
//! What it prints is what `sha256sum` does, in the order of the walk: `sha256sum --check SUMS` agrees.
//! The folder is walked as files are asked for, so at most so many paths as the buffer holds are in
//! memory, and at most one block of a file per thread. At the end it says, on stderr, what it read
//! and how fast. A file or folder that cannot be read is reported and counted, and does not stop the
//! rest.

use std::{
    error::Error,
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use futures_lite::future::block_on;
use sha2::{Digest, Sha256};
use thrasks_loop::LoopPool;
use thrasks_pool::TaskPool;

const USAGE: &str = "usage: ordered_map [PATH] [--threads N] [--buffer N]

Prints the SHA-256 digest of every file under PATH (default: the current folder), in the order of
the walk, with N threads (default: as many as the machine runs in parallel) and at most N files
under way (default: 16 per thread).";

struct Options {
    path: PathBuf,
    threads: usize,
    buffer: usize,
}

impl Options {
    /// The options on the command line, or `None` to show the usage.
    fn parse() -> Result<Option<Self>, Box<dyn Error>> {
        use lexopt::prelude::*;

        fn number(name: &str, value: &std::ffi::OsStr) -> Result<usize, Box<dyn Error>> {
            let text = value.to_string_lossy();
            match text.parse() {
                Ok(0) => Err(format!("{name} needs at least 1, got 0").into()),
                Ok(number) => Ok(number),
                Err(error) => Err(format!("{name}: {error}: {text:?}").into()),
            }
        }

        let mut path = None;
        let mut threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut buffer = None;
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Short('h') | Long("help") => return Ok(None),
                Short('t') | Long("threads") => threads = number("--threads", &arguments.value()?)?,
                Short('b') | Long("buffer") => {
                    buffer = Some(number("--buffer", &arguments.value()?)?);
                }
                Value(value) if path.is_none() => path = Some(PathBuf::from(value)),
                other => return Err(other.unexpected().into()),
            }
        }
        let buffer = buffer.unwrap_or(16 * threads);
        Ok(Some(Self { path: path.unwrap_or_else(|| ".".into()), threads, buffer }))
    }
}

/// The files under a folder, each folder's in the order of their names. Links are not followed.
struct Walk {
    /// What is still to be looked at, the next one last.
    ahead: Vec<PathBuf>,
}

impl Walk {
    fn new(path: PathBuf) -> Self {
        Self { ahead: vec![path] }
    }

    /// Puts what is in the folder ahead.
    fn enter(&mut self, folder: &Path) -> io::Result<()> {
        let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
        let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
        entries.sort_unstable_by(|a, b| b.cmp(a));
        self.ahead.append(&mut entries);
        Ok(())
    }
}

impl Iterator for Walk {
    type Item = Result<PathBuf, (PathBuf, io::Error)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let path = self.ahead.pop()?;
            let kind = match fs::symlink_metadata(&path) {
                Ok(metadata) => metadata.file_type(),
                Err(error) => return Some(Err((path, error))),
            };
            if kind.is_file() {
                return Some(Ok(path));
            }
            if kind.is_dir()
                && let Err(error) = self.enter(&path)
            {
                return Some(Err((path, error)));
            }
        }
    }
}

/// A file's digest, in hexadecimal, and its size.
fn digest(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut block = vec![0; 1 << 16];
    loop {
        match file.read(&mut block) {
            Ok(0) => break,
            Ok(length) => {
                hash.update(&block[..length]);
                size += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        write!(text, "{byte:02x}").expect("strings take everything");
    }
    Ok((text, size))
}

/// How many files there were, their size, and how many failures.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    files: u64,
    bytes: u64,
    failures: u64,
}

/// Writes the digests.
async fn run(
    pool: &TaskPool,
    options: &Options,
    mut out: impl Write,
) -> Result<Totals, Box<dyn Error>> {
    let mut digests = pool.map(Walk::new(options.path.clone()), options.buffer, async |path| {
        let path = path?;
        match digest(&path) {
            Ok((digest, size)) => Ok((path, digest, size)),
            Err(error) => Err((path, error)),
        }
    });
    let mut totals = Totals::default();
    while let Some(digest) = digests.next().await {
        match digest? {
            Ok((path, digest, size)) => {
                writeln!(out, "{digest}  {}", path.display())?;
                totals.files += 1;
                totals.bytes += size;
            }
            Err((path, error)) => {
                eprintln!("{}: {error}", path.display());
                totals.failures += 1;
            }
        }
    }
    out.flush()?;
    Ok(totals)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = match Options::parse() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return Ok(ExitCode::from(2));
        }
    };
    let loops = LoopPool::builder().threads(options.threads).name("digest").build()?;
    let pool = TaskPool::builder().max_workers(options.threads).build(loops);
    let start = Instant::now();
    let out = io::BufWriter::new(io::stdout().lock());
    let Totals { files, bytes, failures } = match block_on(run(&pool, &options, out)) {
        Ok(totals) => totals,
        // `ordered_map | head`: whoever reads has enough. Dropping the stream has cancelled the rest.
        Err(error) if is_broken_pipe(&*error) => return Ok(ExitCode::SUCCESS),
        Err(error) => return Err(error),
    };
    let (seconds, megabytes) = (start.elapsed().as_secs_f64(), bytes as f64 / 1e6);
    eprintln!(
        "{files} files, {megabytes:.1} MB in {seconds:.2} s: {:.0} MB/s on {} threads",
        megabytes / seconds,
        options.threads
    );
    if failures > 0 {
        eprintln!("{failures} could not be read");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_are_in_the_order_of_the_walk_and_what_cannot_be_read_stops_nobody() {
        let root = std::env::temp_dir().join(format!("ordered-map-{}", std::process::id()));
        fs::create_dir_all(root.join("b/empty")).unwrap();
        for (name, content) in [("a", "abc"), ("b/none", ""), ("c", "abc")] {
            fs::write(root.join(name), content).unwrap();
        }
        let loops = LoopPool::builder().threads(2).build().unwrap();
        let pool = TaskPool::builder().max_workers(2).build(loops);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let none = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let at = |name| root.join(name).display().to_string();
        let expected =
            format!("{abc}  {}\n{none}  {}\n{abc}  {}\n", at("a"), at("b/none"), at("c"));
        for buffer in [1, 2, 100] {
            let options = Options { path: root.clone(), threads: 2, buffer };
            let mut out = Vec::new();
            let totals = block_on(run(&pool, &options, &mut out)).unwrap();
            assert_eq!(totals, Totals { files: 3, bytes: 6, failures: 0 });
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        fs::remove_dir_all(&root).unwrap();
        let options = Options { path: root, threads: 2, buffer: 1 };
        let totals = block_on(run(&pool, &options, io::sink())).unwrap();
        assert_eq!(totals, Totals { files: 0, bytes: 0, failures: 1 });
    }
}
