//! This project's wheel: built in release mode when its inputs changed, and installed like any package.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::project::Project;
use crate::stamp::Fingerprint;
use crate::steps::seconds;
use crate::venv::Environment;

/// What the name of a wheel says that is for every build with the GIL.
pub(crate) const STABLE: &str = "-abi3-";

/// Imports the package from an empty folder, and prints where it came from and whether it turned the GIL on.
const IMPORT: &str = "\
import sys, thrasks._thrasks
print(thrasks.__file__)
print(getattr(sys, '_is_gil_enabled', lambda: True)())
";

/// Variables by whose names cargo, rustc, pyo3, maturin and C compilers are told to build differently.
const ENVIRONMENT: [&str; 7] =
    ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_", "MATURIN_", "PYO3_", "RUSTC", "RUSTFLAGS"];

/// Builds the wheel and installs it into the environment, unless the same is installed already.
pub(crate) fn ensure(project: &Project, environment: &Environment) -> Result<()> {
    let _lock = environment.lock()?;
    let stamp = environment.stamp("wheel");
    let fingerprint = fingerprint(project, environment)?;
    if stamp.matches(&fingerprint) {
        return Ok(());
    }
    println!("building the wheel (release mode)");
    let start = Instant::now();
    stamp.clear()?;
    let wheel = build(project, environment)?;
    // So that the tests are of the wheel that users get.
    if name(&wheel).contains(STABLE) == environment.free_threaded() {
        bail!("{} is a wheel for other builds of Python than this one", name(&wheel));
    }
    process::run(environment.pip().args(["install", "--force-reinstall", "--no-deps"]).arg(&wheel))
        .context("the wheel could not be installed")?;
    check(environment)?;
    stamp.set(&fingerprint)?;
    println!("built and installed {} in {}", name(&wheel), seconds(start.elapsed()));
    Ok(())
}

/// Makes sure that the installed package is what Python imports, and that it leaves the GIL off.
pub(crate) fn check(environment: &Environment) -> Result<()> {
    let mut command = environment.command(["-c", IMPORT]);
    let answer = process::output(command.current_dir(environment.run_folder()))
        .context("the installed package cannot be imported")?;
    let (file, gil) =
        answer.trim().split_once('\n').context("the import check was not answered")?;
    // Both resolved: the target directory may be reached by a link.
    let [inside, file] = [environment.folder(), Path::new(file)]
        .map(|path| path.canonicalize().unwrap_or(path.into()));
    if !file.starts_with(&inside) {
        bail!("`import thrasks` takes {}, not the installed package", file.display());
    }
    if environment.free_threaded() && gil.trim() != "False" {
        bail!("`import thrasks` switches the GIL on: the module is not marked as free-threaded");
    }
    Ok(())
}

fn build(project: &Project, environment: &Environment) -> Result<PathBuf> {
    let folder = environment.folder().join("wheels");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let mut maturin = Command::new(environment.program("maturin"));
    maturin.current_dir(project.root());
    // It is for this machine, and links nothing that would have to be packed into it.
    maturin.args(["build", "--release", "--auditwheel", "skip"]);
    maturin.arg("--manifest-path").arg(project.path("bindings-python/Cargo.toml"));
    maturin.arg("--interpreter").arg(environment.python()).arg("--out").arg(&folder);
    process::run(&mut maturin).context("the wheel could not be built")?;

    let entries = folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))?;
    let wheel = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ext| ext == "whl"));
    wheel.with_context(|| format!("maturin left no wheel in {}", folder.display()))
}

/// Everything that the wheel is made from.
fn fingerprint(project: &Project, environment: &Environment) -> Result<String> {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let rustc = process::output(rustc.arg("-vV").current_dir(project.root()))?;
    // What only the crates' own tests are made from is in no wheel.
    let mut apart = vec!["xtask".to_owned()];
    for name in project.public_crates()? {
        apart.extend(["tests", "benches", "examples"].map(|folder| format!("{name}/{folder}")));
    }
    let apart: Vec<_> = apart.iter().map(String::as_str).collect();
    let print = Fingerprint::default()
        .text("interpreter", environment.tag())
        .text("rustc", &rustc)
        .file("Cargo.toml", &project.path("Cargo.toml"))?
        .file("Cargo.lock", &project.path("Cargo.lock"))?
        .file("cargo config", &project.path(".cargo/config.toml"))?
        .tree(&project.path("crates"), &apart)?
        .tree(&project.path("bindings-python"), &["tests"])?;
    Ok(variables()
        .into_iter()
        .fold(print, |print, (name, value)| print.text(&name, &value))
        .finish())
}

fn variables() -> Vec<(String, String)> {
    let lossy = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    };
    let matters = |name: &str| {
        let prefixed = ENVIRONMENT.iter().any(|prefix| name.starts_with(prefix));
        // Where the outcome is put does not change it.
        (prefixed && name != "CARGO_TARGET_DIR")
            || ["CARGO_ENCODED_RUSTFLAGS", "CC", "CFLAGS"].contains(&name)
    };
    let mut variables: Vec<_> =
        env::vars_os().map(lossy).filter(|(name, _)| matters(name)).collect();
    variables.sort();
    variables
}

/// The name of a file, without its folder.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
