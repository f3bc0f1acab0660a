//! Building CPython from source, into a place where only a finished build ever is.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};

use super::cache::{Cache, RELEASE};
use super::progress::{Phase, Progress};
use super::supervise::supervise;
use super::{Source, Wanted, accept, fetch, headers};
use crate::interrupt::{Guard, Interrupted};
use crate::lock::Lock;
use crate::process;
use crate::steps::{explain, seconds};

/// What a build must be able to do; the modules are those that a missing header leaves out.
const CHECK: &str = "\
import sys
assert not sys._is_gil_enabled(), 'the GIL is on'
import bz2, ctypes, lzma, sqlite3, ssl, zlib
";

/// Builds the interpreter into the cache. If another process builds it, waits for that one instead.
pub(super) fn build(cache: &Cache) -> Result<Source> {
    if !cfg!(unix) {
        bail!("this is done on Unix only");
    }
    let guard = Guard::begin()?;
    let holder = "another process that builds the same interpreter";
    let _lock = Lock::acquire(&cache.lock(), holder, || guard.check())?;
    if accept(&cache.interpreter(), Wanted::FreeThreaded).is_ok() {
        return Ok(Source::Cache);
    }
    remove_leftovers(cache)?;

    let log_path = cache.log();
    let mut log =
        File::create(&log_path).with_context(|| format!("cannot write {}", log_path.display()))?;
    match build_locked(cache, &mut log, &guard) {
        Ok(()) => {
            let _ = fs::remove_file(&log_path);
            Ok(Source::Build)
        }
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            bail!("{}\nIts programs' output is in {}", explain(&error), log_path.display())
        }
    }
}

fn build_locked(cache: &Cache, log: &mut File, guard: &Guard) -> Result<()> {
    println!(
        "building a free-threaded CPython {RELEASE} from source, once; this takes a few minutes"
    );
    headers::ensure(log, guard)?;
    let tarball = fetch::tarball(cache, log, guard)?;

    let work = WorkFolder::create(cache)?;
    fetch::unpack(&tarball, &work.0, log, guard)?;
    let source = work.0.join(format!("Python-{RELEASE}"));
    let root = work.0.join("root");
    let mut progress = Progress::start();
    for (phase, command) in commands(cache, &source, &root) {
        progress.enter(phase);
        if let Err(error) = supervise(command, log, guard, |event| progress.see(phase, &event)) {
            progress.finish();
            guard.check()?;
            let tail = fs::read_to_string(cache.log())
                .map(|text| process::tail(&text, 25))
                .unwrap_or_default();
            return Err(error.context(format!("the build failed; the end of its output:\n{tail}")));
        }
    }
    let time = progress.finish();

    let staged =
        root.join(cache.prefix().strip_prefix("/").context("the cache directory is not absolute")?);
    check(&staged.join("bin/python3.14t"))?;
    guard.check()?;
    put_in_place(&staged, &cache.prefix(), &work.0)?;
    let _ = fs::remove_file(tarball);
    println!("built in {}", seconds(time));
    Ok(())
}

fn commands(cache: &Cache, source: &Path, root: &Path) -> [(Phase, Command); 3] {
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut configure = Command::new(source.join("configure"));
    configure.args(["--disable-gil", "--with-ensurepip=install"]);
    configure.arg(format!("--prefix={}", cache.prefix().display()));
    let mut make = Command::new("make");
    make.arg(format!("-j{jobs}"));
    let mut install = Command::new("make");
    install.arg("install").arg(format!("DESTDIR={}", root.display()));
    let mut commands =
        [(Phase::Configure, configure), (Phase::Compile, make), (Phase::Install, install)];
    for (_, command) in &mut commands {
        command.current_dir(source);
        // Set by a make or an environment around us, these would lead the build astray.
        for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYTHONHOME", "PYTHONPATH", "DESTDIR"] {
            command.env_remove(name);
        }
    }
    commands
}

/// Runs what was built, before it counts as a build.
fn check(python: &Path) -> Result<()> {
    let mut command = Command::new(python);
    command.args(["-I", "-c", CHECK]);
    process::output(&mut command)
        .map(drop)
        .context("the interpreter was built, but lacks something; most often a library's header files are missing")
}

/// The one step by which an unfinished build becomes a finished one.
fn put_in_place(staged: &Path, place: &Path, work: &Path) -> Result<()> {
    if place.exists() {
        // A broken one, or it would have been used. It goes away with the working folder.
        fs::rename(place, work.join("broken"))
            .with_context(|| format!("cannot move {}", place.display()))?;
    }
    fs::rename(staged, place)
        .with_context(|| format!("cannot move the build to {}", place.display()))
}

/// Where a build is made; removed with everything in it in the end.
#[derive(Debug)]
struct WorkFolder(PathBuf);

impl WorkFolder {
    fn create(cache: &Cache) -> Result<Self> {
        // Its own for each process: the compilers of one that was killed may still write to theirs.
        let path = cache.folder().join(format!("{}{}", Cache::work_prefix(), std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes what builds left that were killed. Only to be called with the lock held.
fn remove_leftovers(cache: &Cache) -> Result<()> {
    let entries = cache
        .folder()
        .read_dir()
        .with_context(|| format!("cannot list {}", cache.folder().display()))?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&Cache::work_prefix()) {
            println!("removing what an interrupted build left: {}", entry.path().display());
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn leftovers_go_and_the_rest_stays() {
        let temp = TempDir::new();
        let cache = Cache::at(temp.path().to_path_buf());
        let leftover = temp.folder(&format!("{}123", Cache::work_prefix()));
        fs::create_dir_all(cache.prefix()).unwrap();
        remove_leftovers(&cache).unwrap();
        assert!(!leftover.exists() && cache.prefix().exists());
    }

    #[test]
    fn a_build_replaces_a_broken_one_at_once() {
        let temp = TempDir::new();
        let (staged, place, work) =
            (temp.folder("work/root/x"), temp.folder("place"), temp.folder("work"));
        fs::write(staged.join("new"), "").unwrap();
        fs::write(place.join("old"), "").unwrap();
        put_in_place(&staged, &place, &work).unwrap();
        assert!(place.join("new").exists() && !place.join("old").exists() && !staged.exists());
    }

    #[test]
    fn a_working_folder_goes_with_its_owner() {
        let temp = TempDir::new();
        let work = WorkFolder::create(&Cache::at(temp.path().to_path_buf())).unwrap();
        let path = work.0.clone();
        assert!(path.is_dir());
        drop(work);
        assert!(!path.exists());
    }
}
