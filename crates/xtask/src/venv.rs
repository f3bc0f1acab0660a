//! The virtual environment that everything Python runs in, one per interpreter.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::lock::Lock;
use crate::process;
use crate::project::Project;
use crate::python::Interpreter;
use crate::stamp::{Fingerprint, Stamp};
use crate::toml;

/// The groups of dependencies in `bindings-python/pyproject.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// Makes the wheel.
    Build,
    /// What the examples and the demo use.
    Examples,
    /// What the tests use; holds the examples' group.
    Test,
    /// Linters and type checkers.
    Lint,
    /// What the benchmarks use.
    Bench,
    /// What the documentation site is built and checked with.
    Docs,
    /// What looks at archives before they are uploaded.
    Dist,
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Examples => "examples",
            Self::Test => "test",
            Self::Lint => "lint",
            Self::Bench => "bench",
            Self::Docs => "docs",
            Self::Dist => "dist",
        }
    }
}

/// A virtual environment that is there, with the groups of packages that were asked for.
#[derive(Debug)]
pub(crate) struct Environment {
    folder: PathBuf,
    tag: String,
    free_threaded: bool,
}

impl Environment {
    /// Makes the environment for this interpreter, or what of it is missing.
    pub(crate) fn ensure(
        project: &Project,
        interpreter: &Interpreter,
        groups: &[Group],
    ) -> Result<Self> {
        let tag = tag(interpreter);
        let folder = project.target().join("xtask").join(&tag);
        let environment = Self { folder, tag, free_threaded: interpreter.free_threaded };
        let _lock = environment.lock()?;
        environment.ensure_venv(interpreter)?;
        environment.ensure_groups(project, groups)?;
        fs::create_dir_all(environment.run_folder())?;
        Ok(environment)
    }

    /// Makes an environment that holds nothing yet, where there may have been one before.
    pub(crate) fn clean(folder: &Path, interpreter: &Interpreter) -> Result<Self> {
        let tag = tag(interpreter);
        let folder = folder.join(&tag);
        let environment = Self { folder, tag, free_threaded: interpreter.free_threaded };
        environment.make_venv(interpreter)?;
        fs::create_dir_all(environment.run_folder())?;
        Ok(environment)
    }

    /// Held while something in the environment is made.
    pub(crate) fn lock(&self) -> Result<Lock> {
        Lock::acquire(
            &self.folder.join("lock"),
            "another cargo xtask that prepares the same environment",
            || Ok(()),
        )
    }

    /// The folder of everything made for this interpreter; the environment itself is in it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// An empty folder to run things from, so that nothing is imported from the working directory.
    pub(crate) fn run_folder(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// Tells interpreters apart.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// Whether the interpreter has no GIL.
    pub(crate) fn free_threaded(&self) -> bool {
        self.free_threaded
    }

    /// The environment's interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.program("python")
    }

    /// A file of the environment that vouches for something in it, and goes when it does.
    pub(crate) fn stamp(&self, name: &str) -> Stamp {
        Stamp::at(self.venv().join(format!("xtask-{name}.stamp")))
    }

    /// The environment's interpreter, with none of the settings that would make it import from elsewhere.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(self.python());
        command.args(args);
        for name in ["PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP"] {
            command.env_remove(name);
        }
        command.env("PYTHONNOUSERSITE", "1").env("VIRTUAL_ENV", self.venv());
        command
    }

    /// `python -m pip`, quiet but for what goes wrong.
    pub(crate) fn pip(&self) -> Command {
        self.command(["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"])
    }

    /// A program that a package brought.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let folder = if cfg!(windows) { "Scripts" } else { "bin" };
        self.venv().join(folder).join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    fn venv(&self) -> PathBuf {
        self.folder.join("venv")
    }

    fn ensure_venv(&self, interpreter: &Interpreter) -> Result<()> {
        let stamp = self.stamp("venv");
        let fingerprint = Fingerprint::default().text("interpreter", &self.tag).finish();
        // `exists` follows the link to the base interpreter, which may have gone.
        if stamp.matches(&fingerprint) && self.python().exists() {
            return Ok(());
        }
        println!("making a virtual environment: {}", self.venv().display());
        self.make_venv(interpreter)?;
        // The first that knows dependency groups.
        process::run(self.pip().args(["install", "pip>=25.1"]))
            .context("pip could not be brought up to date")?;
        stamp.set(&fingerprint)
    }

    fn make_venv(&self, interpreter: &Interpreter) -> Result<()> {
        let venv = self.venv();
        if venv.exists() {
            fs::remove_dir_all(&venv)
                .with_context(|| format!("cannot remove {}", venv.display()))?;
        }
        fs::create_dir_all(&self.folder)?;
        let mut command = Command::new(&interpreter.path);
        command.args(["-m", "venv"]).arg(&venv).env_remove("PYTHONHOME").env_remove("PYTHONPATH");
        process::output(&mut command)?;
        Ok(())
    }

    fn ensure_groups(&self, project: &Project, groups: &[Group]) -> Result<()> {
        let file = project.path("bindings-python/pyproject.toml");
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let Some(section) = toml::table(&text, "dependency-groups") else {
            bail!("{} has no [dependency-groups]", file.display());
        };
        let fingerprint = Fingerprint::default().text("groups", &section).finish();
        let stamp = |group: &Group| self.stamp(&format!("group-{}", group.name()));
        let missing: Vec<_> =
            groups.iter().filter(|group| !stamp(group).matches(&fingerprint)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = missing.iter().map(|group| group.name()).collect();
        println!("installing Python packages: {}", names.join(", "));
        let mut pip = self.pip();
        pip.arg("install");
        for name in &names {
            pip.arg("--group").arg(format!("{}:{name}", file.display()));
        }
        process::run(&mut pip)
            .context("the packages could not be installed; is the package index reachable?")?;
        missing.into_iter().try_for_each(|group| stamp(group).set(&fingerprint))
    }
}

/// The version for people, the path for certainty.
fn tag(interpreter: &Interpreter) -> String {
    let Interpreter { path, version, free_threaded, .. } = interpreter;
    let hash = Fingerprint::default().text("path", &path.to_string_lossy()).finish();
    format!("{version}{}-{}", if *free_threaded { "t" } else { "" }, &hash[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::Version;

    #[test]
    fn the_groups_named_here_are_in_the_project_file() {
        let project = Project::locate().unwrap();
        let text = fs::read_to_string(project.path("bindings-python/pyproject.toml")).unwrap();
        let section = toml::table(&text, "dependency-groups").unwrap();
        let groups = [
            Group::Build,
            Group::Examples,
            Group::Test,
            Group::Lint,
            Group::Bench,
            Group::Docs,
            Group::Dist,
        ];
        for group in groups {
            let begins = format!("{} = [", group.name());
            assert!(
                section.lines().any(|line| line.starts_with(&begins)),
                "{begins} in:\n{section}"
            );
        }
    }

    #[test]
    fn interpreters_have_tags_of_their_own() {
        let interpreter = |path: &str, free_threaded| Interpreter {
            path: PathBuf::from(path),
            implementation: "cpython".to_owned(),
            version: Version { major: 3, minor: 14, micro: 7 },
            free_threaded,
            gil_enabled: !free_threaded,
            makes_venvs: true,
        };
        let one = tag(&interpreter("/a", true));
        assert!(one.starts_with("3.14.7t-"), "{one}");
        assert_eq!(tag(&interpreter("/a", true)), one);
        assert_ne!(tag(&interpreter("/b", true)), one);
        assert!(tag(&interpreter("/a", false)).starts_with("3.14.7-"));
    }
}
