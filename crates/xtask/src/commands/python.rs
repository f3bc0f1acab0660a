//! `cargo xtask python`: only the interpreter.

use std::process::ExitCode;

use anyhow::Result;

use crate::python::{self, Wanted};

/// Makes sure of the interpreter, which prints its path and where it was taken from.
pub(crate) fn run(wanted: Wanted) -> Result<ExitCode> {
    python::ensure(wanted)?;
    Ok(ExitCode::SUCCESS)
}
