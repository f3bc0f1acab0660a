//! `cargo xtask dist`: what users of Python install, and whether it works wherever it is to work.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::project::Project;
use crate::python::{self, Interpreter, Wanted};
use crate::steps::Steps;
use crate::venv::{Environment, Group};
use crate::wheel;

/// A program that uses the package, and exits with 0 if all of it does what it should.
const SMOKE: &str = "bindings-python/packaging/smoke.py";

/// Looks into the archives.
const CONTENTS: &str = "bindings-python/packaging/contents.py";

/// The command.
pub(crate) fn run() -> Result<ExitCode> {
    let project = Project::locate()?;
    let mut steps = Steps::default();
    let Some(free_threaded) = steps.run("interpreter", || python::ensure(Wanted::FreeThreaded))?
    else {
        return Ok(steps.finish());
    };
    let Some(tools) = steps.run("environment", || {
        Environment::ensure(&project, &free_threaded, &[Group::Build, Group::Dist])
    })?
    else {
        return Ok(steps.finish());
    };
    let with_gil = python::every_with_gil();
    let dist = Dist { folder: project.target().join("dist"), project: &project, tools: &tools };

    if steps.run("archives", || dist.build(&free_threaded, &with_gil))?.is_none() {
        return Ok(steps.finish());
    }
    steps.run("metadata", || dist.check_metadata())?;
    steps.run("contents", || dist.check_contents())?;
    if with_gil.is_empty() {
        let why = "there is no CPython 3.11 or newer with the GIL, on PATH or of pyenv";
        steps.skip("the wheel for builds with the GIL", why);
    } else {
        steps.run("stable ABI", || dist.check_stable_abi())?;
    }
    for interpreter in std::iter::once(&free_threaded).chain(&with_gil) {
        steps.run(&format!("CPython {interpreter}"), || dist.try_wheel(interpreter))?;
    }
    steps.run("source distribution, by pip", || dist.try_source(&free_threaded))?;
    println!("\nThe archives are in {}.", dist.folder.display());
    Ok(steps.finish())
}

/// The archives, and what they are made and looked at with.
struct Dist<'a> {
    project: &'a Project,
    tools: &'a Environment,
    folder: PathBuf,
}

impl Dist<'_> {
    /// Makes the source distribution, and the wheels from it: what it lacks, they cannot have.
    fn build(&self, free_threaded: &Interpreter, with_gil: &[Interpreter]) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .with_context(|| format!("cannot remove {}", self.folder.display()))?;
        }
        let mut maturin = Command::new(self.tools.program("maturin"));
        maturin.current_dir(self.project.root());
        maturin.args(["build", "--release", "--sdist", "--strip", "--manifest-path"]);
        maturin.arg(self.project.path("bindings-python/Cargo.toml"));
        maturin.arg("--out").arg(&self.folder);
        // One with the GIL does for all of them.
        maturin.arg("--interpreter").arg(&free_threaded.path);
        maturin.args(with_gil.first().map(|interpreter| &interpreter.path));
        process::run(self.settings(&mut maturin)).context("the archives could not be built")
    }

    /// Nothing of this machine gets into what is built: not where it has its dependencies.
    fn settings<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let cargo_home = env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(env::home_dir()?.join(".cargo")));
        let mut flags = given_flags();
        if let Some(home) = cargo_home {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.push(home.join("registry/src"));
            flag.push("=/cargo");
            flags.push(flag);
        }
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f".as_ref()));
        // Its own, or the flags would have everything else compiled anew.
        command.env("CARGO_TARGET_DIR", self.work().join("cargo"))
    }

    fn check_metadata(&self) -> Result<()> {
        let mut twine = Command::new(self.tools.program("twine"));
        process::run(twine.args(["check", "--strict"]).args(self.archives("")?))
    }

    fn check_contents(&self) -> Result<()> {
        let script = self.project.path(CONTENTS);
        process::run(&mut self.tools.command([script.as_path(), self.folder.as_path()]))
    }

    fn check_stable_abi(&self) -> Result<()> {
        let wheels = self.archives(wheel::STABLE)?;
        if wheels.len() != 1 {
            bail!("there is no wheel for all builds with the GIL, or more than one: {wheels:?}");
        }
        let mut audit = Command::new(self.tools.program("abi3audit"));
        process::run(audit.args(["--strict", "--summary"]).args(wheels))
    }

    /// Has pip choose the wheel, as a user's would, and uses it.
    fn try_wheel(&self, interpreter: &Interpreter) -> Result<()> {
        let clean = Environment::clean(&self.work(), interpreter)?;
        let mut pip = clean.pip();
        pip.args(["install", "--no-index", "--only-binary", "thrasks", "--find-links"]);
        process::run(pip.arg(&self.folder).arg("thrasks"))
            .context("pip takes none of the wheels")?;
        self.use_it(&clean)
    }

    /// Has pip build the package from its source, as a user's would for whom there is no wheel.
    fn try_source(&self, interpreter: &Interpreter) -> Result<()> {
        let clean = Environment::clean(&self.work(), interpreter)?;
        let mut pip = clean.pip();
        process::run(self.settings(pip.arg("install").args(self.archives(".tar.gz")?)))
            .context("pip cannot build the source distribution")?;
        self.use_it(&clean)
    }

    fn use_it(&self, clean: &Environment) -> Result<()> {
        wheel::check(clean)?;
        let mut smoke = clean.command(["-W", "error"]);
        process::run(smoke.arg(self.project.path(SMOKE)).current_dir(clean.run_folder()))
    }

    /// The archives in whose names this is.
    fn archives(&self, part: &str) -> Result<Vec<PathBuf>> {
        let entries = self.folder.read_dir();
        let entries = entries.with_context(|| format!("cannot list {}", self.folder.display()))?;
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| wheel::name(file).contains(part));
        files.sort();
        Ok(files)
    }

    fn work(&self) -> PathBuf {
        self.project.target().join("xtask/dist")
    }
}

/// The flags for rustc that the user has set.
fn given_flags() -> Vec<OsString> {
    let split = |flags: &OsString, at: char| {
        flags
            .to_string_lossy()
            .split(at)
            .filter(|flag| !flag.is_empty())
            .map(OsString::from)
            .collect()
    };
    let encoded = env::var_os("CARGO_ENCODED_RUSTFLAGS").map(|flags| split(&flags, '\x1f'));
    encoded.or_else(|| env::var_os("RUSTFLAGS").map(|flags| split(&flags, ' '))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_scripts_are_there() {
        let project = Project::locate().unwrap();
        for script in [SMOKE, CONTENTS] {
            assert!(project.path(script).is_file(), "{script}");
        }
    }
}
