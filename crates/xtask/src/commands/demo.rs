//! `cargo xtask demo`: the main job, on real input.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use super::prepare;
use crate::process;
use crate::project::Project;
use crate::python::Wanted;
use crate::venv::Group;

/// Runs `examples/python/demo.py` with the user's arguments, in the user's working directory.
pub(crate) fn run(wanted: Wanted, args: &[OsString]) -> Result<ExitCode> {
    let project = Project::locate()?;
    let script = project.path("examples/python/demo.py");
    if !script.is_file() {
        bail!("{} is missing", script.display());
    }
    let environment = prepare::all(&project, wanted, &[Group::Build, Group::Examples])?;
    let mut command = environment.command([script]);
    command.args(args);
    hand_over(&mut command)
}

/// Becomes the script: its signals and its exit code are then the command's own.
#[cfg(unix)]
fn hand_over(command: &mut Command) -> Result<ExitCode> {
    let error = std::os::unix::process::CommandExt::exec(command);
    Err(error).with_context(|| format!("cannot run `{}`", process::display(command)))
}

#[cfg(not(unix))]
fn hand_over(command: &mut Command) -> Result<ExitCode> {
    let status =
        command.status().with_context(|| format!("cannot run `{}`", process::display(command)))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
