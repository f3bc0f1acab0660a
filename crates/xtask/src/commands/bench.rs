//! `cargo xtask bench`: numbers against asyncio and the peers, in one run.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::prepare;
use crate::process;
use crate::project::Project;
use crate::python::Wanted;
use crate::stamp::Fingerprint;
use crate::steps::Steps;
use crate::venv::{Environment, Group};

/// The peer of our own name: installed apart, since the two cannot be in one environment.
const PEER: &str = "thrasks==0.1.0.post1";

/// The command.
pub(crate) fn run(wanted: Wanted, quick: bool) -> Result<ExitCode> {
    let project = Project::locate()?;
    let environment = prepare::all(&project, wanted, &[Group::Build, Group::Bench])?;
    let peer = ensure_peer(&environment)?;
    let mut steps = Steps::default();
    steps.run("Python, side by side", || {
        let mut command = environment.command([project.path("benches/python/side_by_side.py")]);
        command.current_dir(environment.run_folder()).arg("--thrasks01").arg(&peer);
        if quick {
            command.arg("--quick");
        }
        process::run(&mut command)
    })?;
    steps.run("Rust, criterion", || {
        let mut cargo = project.cargo();
        // Not the library's own, whose harness does not know criterion's options.
        cargo.args(["bench", "--package", "thrasks-benches", "--bench", "*"]);
        if quick {
            cargo.args(["--", "--quick"]);
        }
        process::run(&mut cargo)
    })?;
    Ok(steps.finish())
}

/// Installs the peer into a folder that a program can put in front of its path.
fn ensure_peer(environment: &Environment) -> Result<PathBuf> {
    let _lock = environment.lock()?;
    let folder = environment.folder().join("thrasks-0.1");
    let stamp = environment.stamp("peer");
    let fingerprint = Fingerprint::default().text("peer", PEER).finish();
    if stamp.matches(&fingerprint) && folder.is_dir() {
        return Ok(folder);
    }
    println!("installing {PEER} apart");
    stamp.clear()?;
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    process::run(
        environment.pip().args(["install", "--no-deps", "--target"]).arg(&folder).arg(PEER),
    )
    .with_context(|| format!("{PEER} could not be installed"))?;
    stamp.set(&fingerprint)?;
    Ok(folder)
}
