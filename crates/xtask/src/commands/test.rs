//! `cargo xtask test`: every check there is, in one run that shows all of them. What the checks are made with other
//! defaults for is asked for.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use super::prepare::Prepared;
use super::{Parts, docs, first_programs, flavours, lint, outside};
use crate::process;
use crate::project::Project;
use crate::python::Wanted;
use crate::steps::Steps;
use crate::venv::Group;

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

    steps.run("first programs of the crates", || first_programs::run(project))?;
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
    Ok(())
}
