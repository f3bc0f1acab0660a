//! `cargo xtask docs`: the documentation site, built, and checked in a browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::prepare;
use crate::process;
use crate::project::Project;
use crate::python::Wanted;
use crate::steps::Steps;
use crate::venv::{Environment, Group};

/// The browser and what drives it, by the names of their programs. Debian's packages of them are called chromium
/// and chromium-driver.
const BROWSER: [&str; 2] = ["chromium", "chromedriver"];

/// The command.
pub(crate) fn run(wanted: Wanted, checked: bool, pictures: Option<&Path>) -> Result<ExitCode> {
    let project = Project::locate()?;
    let environment = prepare::all(&project, wanted, &[Group::Build, Group::Docs])?;
    let site = build(&project, &environment)?;
    if checked || pictures.is_some() {
        if let Some(objection) = no_browser() {
            bail!(objection);
        }
        // It is the user's working directory that the path is relative to.
        let pictures = pictures.map(std::path::absolute).transpose()?;
        check(&project, &environment, &site, pictures.as_deref())?;
    }
    println!("the site is {}", site.join("index.html").display());
    Ok(ExitCode::SUCCESS)
}

/// Both, as steps of a longer run, of which the second is skipped where there is no browser.
pub(super) fn in_steps(
    steps: &mut Steps,
    project: &Project,
    environment: Option<&Environment>,
) -> Result<()> {
    const NAMES: [&str; 2] = ["site", "site in a browser"];
    let Some(environment) = environment else {
        for name in NAMES {
            steps.skip(name, "the wheel is not installed");
        }
        return Ok(());
    };
    let built = steps.run(NAMES[0], || build(project, environment))?;
    match (built, no_browser()) {
        (None, _) => steps.skip(NAMES[1], "it was not built"),
        (_, Some(objection)) => steps.skip(NAMES[1], &objection),
        (Some(site), None) => {
            steps.run(NAMES[1], || check(project, environment, &site, None))?;
        }
    }
    Ok(())
}

/// Builds the site, and returns its folder. Warnings are errors.
fn build(project: &Project, environment: &Environment) -> Result<PathBuf> {
    let folder = project.target().join("docs");
    // Nothing of an earlier one: a page that is gone would stay, and be checked.
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let mut sphinx = environment.command(["-m", "sphinx", "--quiet", "--builder", "html"]);
    sphinx.args(["--fail-on-warning", "--nitpicky", "--doctree-dir"]).arg(folder.join("doctrees"));
    sphinx.arg(project.path("docs")).arg(folder.join("html"));
    // The source folder is imported from, and stays as it is.
    sphinx.current_dir(environment.run_folder()).env("PYTHONDONTWRITEBYTECODE", "1");
    process::run(&mut sphinx).context("the site could not be built")?;
    Ok(folder.join("html"))
}

fn check(
    project: &Project,
    environment: &Environment,
    site: &Path,
    pictures: Option<&Path>,
) -> Result<()> {
    let mut command = environment.command([project.path("docs/check.py")]);
    command.arg(site).current_dir(environment.run_folder());
    if let Some(folder) = pictures {
        command.arg("--pictures").arg(folder);
    }
    process::run(&mut command)
}

/// Why the site cannot be looked at.
fn no_browser() -> Option<String> {
    let missing: Vec<_> =
        BROWSER.into_iter().filter(|name| process::which(name).is_none()).collect();
    (!missing.is_empty()).then(|| {
        format!(
            "there is no {}: install Debian's packages chromium and chromium-driver",
            missing.join(", no ")
        )
    })
}
