//! `cargo xtask crates`: each crate as it is published, by itself and as a package.

mod features;
mod oldest;
mod package;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::process;
use crate::project::Project;
use crate::steps::Steps;

/// What looks at licences, at what is there twice, and at where everything comes from. To build it takes minutes.
const CARGO_DENY: &str = "cargo-deny";

/// Built unless there is one on PATH.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// The command. `quick`: without what takes minutes.
pub(crate) fn run(quick: bool) -> Result<ExitCode> {
    let project = Project::locate()?;
    let mut steps = Steps::default();
    let names = project.public_crates()?;
    steps.run("features", || features::check_each(&project, &names))?;
    steps.run("packages", || package::check_each(&project, &names))?;
    steps.run("oldest dependencies", || oldest::check(&project, None))?;
    if quick {
        return Ok(steps.finish());
    }
    steps.run("oldest Rust", || {
        let rust = oldest::install_rust(&project)?;
        oldest::check(&project, Some(&rust))
    })?;
    for name in &names {
        steps.run(&format!("{name} by itself"), || by_itself(&project, name))?;
    }
    steps.run("licences, duplicates and sources", || deny(&project))?;
    Ok(steps.finish())
}

/// Its tests and its documentation, with the features that it has by default.
fn by_itself(project: &Project, name: &str) -> Result<()> {
    process::run(strict(project).args(["test", "--package", name]))?;
    process::run(strict(project).args(["doc", "--no-deps", "--package", name]))
}

/// Cargo, to which each warning is an error.
fn strict(project: &Project) -> Command {
    let mut cargo = project.cargo();
    cargo.env("RUSTFLAGS", "-Dwarnings").env("RUSTDOCFLAGS", "-Dwarnings");
    // Its own, or the flags would have everything else compiled anew.
    cargo.env("CARGO_TARGET_DIR", project.target().join("xtask/crates"));
    cargo
}

/// As `deny.toml` says. Known vulnerabilities are looked for by others, who fetch the list of them.
fn deny(project: &Project) -> Result<()> {
    let file = if let Some(file) = process::which(CARGO_DENY) {
        file
    } else {
        let root = project.target().join("xtask/tools");
        let file = root.join("bin").join(format!("{CARGO_DENY}{}", std::env::consts::EXE_SUFFIX));
        if !file.is_file() {
            let mut cargo = project.cargo();
            cargo.args(["install", "--locked", "--version", CARGO_DENY_VERSION, CARGO_DENY]);
            cargo.arg("--root").arg(&root).arg("--target-dir").arg(root.join("build"));
            process::run(&mut cargo).context("cargo-deny could not be built")?;
        }
        file
    };
    let mut deny = Command::new(file);
    deny.current_dir(project.root()).arg("--all-features");
    process::run(deny.args(["check", "bans", "licenses", "sources"]))
}
