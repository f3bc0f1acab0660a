//! The oldest of what the manifests allow: of the dependencies, and of Rust itself.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::commands::copy::Copy;
use crate::process;
use crate::project::Project;

/// A toolchain, as rustup calls it.
pub(super) struct Rust(String);

/// Has rustup see to the Rust that the crates say they can be built with.
pub(super) fn install_rust(project: &Project) -> Result<Rust> {
    let manifest = fs::read_to_string(project.path("Cargo.toml"))?;
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
        .context("Cargo.toml does not say which Rust the crates need")?;
    if process::which("rustup").is_none() {
        bail!("to try Rust {version} takes rustup, which is not on PATH");
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["toolchain", "install", "--profile", "minimal", "--no-self-update"]);
    process::output(rustup.arg(version))?;
    Ok(Rust(version.to_owned()))
}

/// Builds everything that is published with the oldest versions of its dependencies, and with this Rust if one is
/// given.
pub(super) fn check(project: &Project, rust: Option<&Rust>) -> Result<()> {
    let copy = copy(project)?;
    // Of what the crates name themselves: what these depend on is theirs to get right.
    let mut lock = project.cargo();
    lock.args(["-Z", "direct-minimal-versions", "generate-lockfile", "--quiet"]);
    process::run(lock.current_dir(copy.folder()).env("RUSTC_BOOTSTRAP", "1"))?;

    let (mut cargo, name) = match rust {
        None => (project.cargo(), "oldest".to_owned()),
        Some(Rust(version)) => (through_rustup(version), format!("oldest-{version}")),
    };
    cargo.current_dir(copy.folder()).args(["check", "--workspace", "--all-features", "--locked"]);
    // Of the wheel, the one for all builds with the GIL: it can be built without a Python.
    cargo.env("PYO3_NO_PYTHON", "1").env("PYO3_BUILD_EXTENSION_MODULE", "1");
    process::run(cargo.env("CARGO_TARGET_DIR", project.target().join("xtask").join(name)))
}

fn through_rustup(version: &str) -> Command {
    let mut rustup = Command::new("rustup");
    rustup.args(["run", version, "cargo"]);
    // What the cargo that runs this has set for its own sake.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"].contains(&&*name) {
            rustup.env_remove(&*name);
        }
    }
    rustup
}

/// The workspace without what is not published, and without a lock file.
fn copy(project: &Project) -> Result<Copy> {
    let copy = Copy::empty("oldest")?;
    for name in project.public_crates()? {
        copy.add(&project.path("crates").join(&name), &Path::new("crates").join(&name))?;
    }
    copy.add(&project.path("bindings-python/src"), Path::new("bindings-python/src"))?;
    for file in ["bindings-python/Cargo.toml", "bindings-python/build.rs"] {
        fs::copy(project.path(file), copy.folder().join(file))?;
    }
    let manifest: PathBuf = copy.folder().join("Cargo.toml");
    let text = fs::read_to_string(project.path("Cargo.toml"))?;
    fs::write(&manifest, published_only(&text)?)?;
    Ok(copy)
}

/// The workspace's manifest with the members that are in the copy.
fn published_only(manifest: &str) -> Result<String> {
    let (before, rest) = manifest.split_once("\nmembers = [").context("it has no members")?;
    let (_, rest) = rest.split_once("]\n").context("its members do not end")?;
    let (between, rest) =
        rest.split_once("\ndefault-members = [").context("it has no default members")?;
    let (_, after) = rest.split_once("]\n").context("its default members do not end")?;
    Ok(format!("{before}\nmembers = [\"crates/*\", \"bindings-python\"]\n{between}\n{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_of_the_copy_are_those_that_are_published() {
        let project = Project::locate().unwrap();
        let manifest = fs::read_to_string(project.path("Cargo.toml")).unwrap();
        let changed = published_only(&manifest).unwrap();
        let of = |text: &str, start: &str| {
            text.lines()
                .filter(|line| line.starts_with(start))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&changed, "members"), ["members = [\"crates/*\", \"bindings-python\"]"]);
        assert!(of(&changed, "default-members").is_empty());
        assert_eq!(of(&changed, "rust-version"), of(&manifest, "rust-version"));
        assert_eq!(of(&changed, "["), of(&manifest, "["));
    }
}
