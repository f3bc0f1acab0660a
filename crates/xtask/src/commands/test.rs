//! `cargo xtask test`: every check there is, in one run that shows all of them. What the checks are made with other
//! defaults for is asked for.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use super::prepare::Prepared;
use super::{Parts, docs, flavours, lint, outside};
use crate::process;
use crate::project::Project;
use crate::python::Wanted;
use crate::steps::Steps;
use crate::venv::{Environment, Group};

/// An example that takes longer hangs.
const EXAMPLE_LIMIT: Duration = Duration::from_secs(180);

/// The Python tests alone, in one flavour.
pub(crate) fn run_flavour(
    wanted: Wanted,
    flavour: &str,
    pytest_args: &[OsString],
) -> Result<ExitCode> {
    let project = Project::locate()?;
    let mut steps = Steps::default();
    let groups = [Group::Build, Group::Test];
    let prepared = Prepared::in_steps(&mut steps, &project, wanted, &groups)?;
    flavours::one(&mut steps, &project, &prepared, flavour, pytest_args)?;
    Ok(steps.finish())
}

/// The command.
pub(crate) fn run(
    wanted: Wanted,
    parts: Parts,
    every_flavour: bool,
    pytest_args: &[OsString],
) -> Result<ExitCode> {
    let project = Project::locate()?;
    let mut steps = Steps::default();
    if parts.rust {
        lint::rust(&mut steps, &project)?;
    }
    let mut prepared = Prepared::default();
    if parts.python {
        prepared = Prepared::in_steps(&mut steps, &project, wanted, lint::groups(parts))?;
        lint::python(&mut steps, &project, &prepared)?;
    }
    if parts.rust {
        rust(&mut steps, &project)?;
    }
    if parts.python {
        python(&mut steps, &project, &prepared, every_flavour, pytest_args)?;
    }
    Ok(steps.finish())
}

fn rust(steps: &mut Steps, project: &Project) -> Result<()> {
    steps.run("Rust tests", || {
        let mut cargo = project.cargo();
        process::run(cargo.args([
            "test",
            "--workspace",
            "--exclude",
            "thrasks-python",
            "--all-features",
        ]))
    })?;

    let mut modelled = project.public_crates()?;
    modelled.retain(|name| project.path("crates").join(name).join("tests/loom.rs").is_file());
    if modelled.is_empty() {
        steps.skip("loom models", "no crate has any");
    } else {
        steps.run("loom models", || {
            let mut cargo = project.cargo();
            cargo.args(["test", "--release", "--test", "loom"]);
            for name in &modelled {
                cargo.args(["--package", name]);
            }
            let flags = env::var("RUSTFLAGS").unwrap_or_default();
            cargo.env("RUSTFLAGS", format!("{flags} --cfg thrasks_loom").trim_start());
            // Its own, or the flags would have everything else compiled anew.
            process::run(cargo.arg("--target-dir").arg(project.target().join("xtask/loom")))
        })?;
    }

    if project.path(outside::TEMPLATE).join("Cargo.toml").is_file() {
        steps.run("program outside the workspace", || outside::run(project))?;
    } else {
        steps.skip("program outside the workspace", &format!("there is no {}", outside::TEMPLATE));
    }
    Ok(())
}

fn python(
    steps: &mut Steps,
    project: &Project,
    prepared: &Prepared,
    every_flavour: bool,
    pytest_args: &[OsString],
) -> Result<()> {
    flavours::plain(steps, project, prepared, pytest_args)?;
    if every_flavour {
        flavours::others(steps, project, prepared, pytest_args)?;
    }
    docs::in_steps(steps, project, prepared.installed())?;
    let Some(environment) = prepared.installed() else {
        steps.skip("Python examples", "the wheel is not installed");
        return Ok(());
    };
    let examples = examples(project)?;
    if examples.is_empty() {
        steps.skip("Python examples", "there are none");
    } else {
        steps.run("Python examples", || run_examples(environment, &examples))?;
    }
    Ok(())
}

fn examples(project: &Project) -> Result<Vec<PathBuf>> {
    let folder = project.path("examples/python");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<_> = folder.read_dir()?.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ext| ext == "py"));
    files.sort();
    Ok(files)
}

/// Each by itself and all of them, whichever fails.
fn run_examples(environment: &Environment, files: &[PathBuf]) -> Result<()> {
    let mut failures = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default();
        println!("\n$ python {}", name.to_string_lossy());
        let mut command = environment.command([file]);
        // A warning in an example is a fault in it, or in us.
        command.current_dir(environment.run_folder()).env("PYTHONWARNINGS", "error");
        if name == "demo.py" {
            // The whole of its default input belongs to `cargo xtask demo`.
            command.args(["--limit", "40"]);
        }
        if let Err(error) = process::run_within(&mut command, EXAMPLE_LIMIT) {
            println!("{error}");
            failures.push(name.to_string_lossy().into_owned());
        }
    }
    if !failures.is_empty() {
        bail!("{} of {} examples failed: {}", failures.len(), files.len(), failures.join(", "));
    }
    Ok(())
}
