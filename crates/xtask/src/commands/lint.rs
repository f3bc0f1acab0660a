//! `cargo xtask lint`: everything that can be said about the code without running it.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use super::Parts;
use super::prepare::Prepared;
use crate::documented;
use crate::process;
use crate::project::Project;
use crate::python::Wanted;
use crate::steps::Steps;
use crate::venv::{Environment, Group};

/// The command.
pub(crate) fn run(wanted: Wanted) -> Result<ExitCode> {
    let project = Project::locate()?;
    let mut steps = Steps::default();
    rust(&mut steps, &project)?;
    let prepared = Prepared::in_steps(
        &mut steps,
        &project,
        wanted,
        &[Group::Build, Group::Test, Group::Lint],
    )?;
    python(&mut steps, &project, &prepared)?;
    Ok(steps.finish())
}

/// The packages that every check needs, the Python lints among them.
pub(super) fn groups(parts: Parts) -> &'static [Group] {
    if parts.python { &[Group::Build, Group::Test, Group::Lint, Group::Docs] } else { &[] }
}

/// What needs no Python.
pub(super) fn rust(steps: &mut Steps, project: &Project) -> Result<()> {
    steps.run("rustfmt", || {
        ensure_component(project, "fmt", "rustfmt")?;
        process::run(project.cargo().args(["fmt", "--all", "--check"]))?;
        let outside = project.path(super::outside::TEMPLATE).join("Cargo.toml");
        if outside.is_file() {
            process::run(project.cargo().args(["fmt", "--check", "--manifest-path"]).arg(outside))?;
        }
        Ok(())
    })?;
    steps.run("clippy", || {
        ensure_component(project, "clippy", "clippy")?;
        let mut cargo = project.cargo();
        cargo.args([
            "clippy",
            "--workspace",
            "--exclude",
            "thrasks-python",
            "--all-targets",
            "--all-features",
        ]);
        process::run(cargo.args(["--", "-D", "warnings"]))
    })?;
    steps.run("rustdoc", || {
        let mut cargo = project.cargo();
        cargo.args(["doc", "--no-deps", "--all-features"]).env("RUSTDOCFLAGS", "-Dwarnings");
        for name in project.public_crates()? {
            cargo.args(["--package", &name]);
        }
        process::run(&mut cargo)
    })?;
    steps.run("Rust docs of every item", || every_item_is_documented(project))?;
    Ok(())
}

/// Asks rustdoc what there is, as JSON, which only an unstable option of it gives: a compiler that does not know it, or
/// gives something else, fails here.
fn every_item_is_documented(project: &Project) -> Result<()> {
    let names = project.public_crates()?;
    // Its own, or the flags would have everything else compiled anew.
    let target = project.target().join("xtask/docs");
    let mut cargo = project.cargo();
    cargo.args(["doc", "--quiet", "--no-deps", "--all-features", "--target-dir"]).arg(&target);
    for name in &names {
        cargo.args(["--package", name]);
    }
    cargo.env("RUSTC_BOOTSTRAP", "1");
    process::run(cargo.env("RUSTDOCFLAGS", "-Zunstable-options --output-format=json"))?;
    let mut items = 0;
    let mut faults = Vec::new();
    for name in &names {
        let file = target.join("doc").join(name.replace('-', "_")).with_extension("json");
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let found = documented::look(&text).with_context(|| format!("the docs of {name}"))?;
        items += found.items;
        faults.extend(found.faults);
    }
    if !faults.is_empty() {
        bail!("{} faults in the docs of {items} items\n{}", faults.len(), faults.join("\n"));
    }
    println!("{items} items, each with an example, and what they have to say is in order");
    Ok(())
}

/// What needs an interpreter, the packages, or the wheel.
pub(super) fn python(steps: &mut Steps, project: &Project, prepared: &Prepared) -> Result<()> {
    match &prepared.interpreter {
        None => steps.skip("clippy of the wheel", "there is no interpreter"),
        Some(interpreter) => {
            steps.run("clippy of the wheel", || {
                ensure_component(project, "clippy", "clippy")?;
                let mut cargo = project.cargo();
                cargo.args([
                    "clippy",
                    "--package",
                    "thrasks-python",
                    "--all-targets",
                    "--",
                    "-D",
                    "warnings",
                ]);
                process::run(cargo.env("PYO3_PYTHON", &interpreter.path))
            })?;
        }
    }
    let Some(environment) = &prepared.environment else {
        for name in ["ruff check", "ruff format"] {
            steps.skip(name, "there is no environment");
        }
        for name in ["mypy", "pyright", "stubtest"] {
            steps.skip(name, "the wheel is not installed");
        }
        return Ok(());
    };
    steps.run("ruff check", || process::run(&mut ruff(project, environment, &["check"])))?;
    steps.run("ruff format", || {
        process::run(&mut ruff(project, environment, &["format", "--check"]))
    })?;

    let Some(environment) = prepared.installed() else {
        for name in ["mypy", "pyright", "stubtest"] {
            steps.skip(name, "the wheel is not installed");
        }
        return Ok(());
    };
    for (what, folder) in [
        ("package", "bindings-python/python"),
        ("tests", "bindings-python/tests"),
        ("packaging", "bindings-python/packaging"),
        ("examples", "examples/python"),
        ("programs of the site", "docs/programs"),
    ] {
        let name = format!("mypy of the {what}");
        if has_python_files(&project.path(folder)) {
            steps.run(&name, || {
                process::run(mypy(project, environment, "mypy").arg("--strict").arg(folder))
            })?;
        } else {
            steps.skip(&name, &format!("there are no Python files in {folder}"));
        }
    }
    steps.run("pyright of the package", || process::run(&mut pyright(project, environment)))?;
    steps.run("pyright of what users see", || process::run(&mut verify_types(environment)))?;
    steps.run("stubtest", || {
        // Of the whole package, the native module included; from where only the installed one can be imported.
        let mut stubtest = mypy(project, environment, "mypy.stubtest");
        process::run(stubtest.arg("thrasks").current_dir(environment.run_folder()))
    })?;
    Ok(())
}

fn ruff(project: &Project, environment: &Environment, command: &[&str]) -> Command {
    let mut ruff = Command::new(environment.program("ruff"));
    ruff.current_dir(project.root()).args(command).arg("--config").arg(settings(project));
    ruff.arg("--cache-dir").arg(environment.folder().join("ruff-cache"));
    ruff.args(["bindings-python", "examples", "benches", "docs"]);
    ruff
}

fn mypy(project: &Project, environment: &Environment, module: &str) -> Command {
    let mut mypy = environment.command(["-m", module]);
    // The type checker is the one program that may be told to look into the source folder.
    mypy.current_dir(project.root()).env_remove("MYPYPATH");
    if module == "mypy" {
        mypy.arg("--config-file").arg(settings(project));
        mypy.arg("--cache-dir").arg(environment.folder().join("mypy-cache"));
    } else {
        mypy.arg("--mypy-config-file").arg(settings(project));
    }
    mypy
}

/// Of the package, and of the tests of what users see of it: so say the settings.
fn pyright(project: &Project, environment: &Environment) -> Command {
    let mut pyright = Command::new(environment.program("basedpyright"));
    pyright.current_dir(project.root()).arg("--project").arg(settings(project));
    pyright.arg("--pythonpath").arg(environment.python());
    pyright
}

/// Whether each type of the installed package is known, by its annotations and not by inference: all of it, or this
/// fails.
fn verify_types(environment: &Environment) -> Command {
    let mut pyright = Command::new(environment.program("basedpyright"));
    pyright.args(["--verifytypes", "thrasks", "--ignoreexternal"]);
    pyright.current_dir(environment.run_folder());
    // It looks for the package where the first `python` has its own.
    let mut path = vec![environment.program("python").with_file_name("")];
    path.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    pyright.env("PATH", env::join_paths(path).unwrap_or_default());
    pyright
}

fn settings(project: &Project) -> PathBuf {
    project.path("bindings-python/pyproject.toml")
}

fn has_python_files(folder: &std::path::Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        path.extension().is_some_and(|ext| ext == "py" || ext == "pyi")
            || (path.is_dir() && has_python_files(&path))
    })
}

/// A minimal toolchain lacks rustfmt and clippy; rustup, if there, adds them.
fn ensure_component(project: &Project, command: &str, component: &str) -> Result<()> {
    let present = || process::output(project.cargo().args([command, "--version"])).is_ok();
    if present() {
        return Ok(());
    }
    if process::which("rustup").is_some() {
        println!("adding {component} to the toolchain");
        process::run(Command::new("rustup").current_dir(project.root()).args([
            "component",
            "add",
            component,
        ]))?;
    }
    if !present() {
        bail!(
            "`cargo {command}` is missing: install the component {component} of the Rust toolchain"
        );
    }
    Ok(())
}
