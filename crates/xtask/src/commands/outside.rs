//! A program outside of this workspace: proof that the crates are useful by themselves.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::copy::Copy;
use crate::process;
use crate::project::Project;

/// The program; its manifest names the crates by paths relative to this folder.
pub(super) const TEMPLATE: &str = "examples/outside-workspace";

/// Copies the program to a place outside of the workspace, and runs it there.
pub(super) fn run(project: &Project) -> Result<()> {
    let template = project.path(TEMPLATE);
    let copy = Copy::empty("outside")?;
    copy.add(&template, Path::new(""))?;
    if copy.folder().starts_with(project.root()) {
        bail!(
            "{} is in the workspace; set TMPDIR to a place outside of it",
            copy.folder().display()
        );
    }
    let manifest = copy.folder().join("Cargo.toml");
    let text = fs::read_to_string(&manifest)
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    fs::write(&manifest, with_absolute_paths(&text, &template))?;
    // The versions that everything else was tested with.
    fs::copy(project.path("Cargo.lock"), copy.folder().join("Cargo.lock"))?;

    let mut cargo = project.cargo();
    cargo.current_dir(copy.folder()).args(["run", "--quiet", "--manifest-path"]).arg(&manifest);
    // Kept, so that the dependencies are compiled once; not shared, since another workspace resolves differently.
    process::run(cargo.arg("--target-dir").arg(project.target().join("xtask/outside-workspace")))
}

/// The manifest with every `path = "../..."` resolved from where it stood.
fn with_absolute_paths(manifest: &str, folder: &Path) -> String {
    let mut result = String::new();
    let mut rest = manifest;
    while let Some((before, after)) = rest.split_once("path = \"..") {
        let Some((relative, behind)) = after.split_once('"') else { break };
        let path = folder.join(format!("..{relative}"));
        let path = path.canonicalize().unwrap_or(path);
        // A literal string: no backslash means anything.
        result += &format!("{before}path = '{}'", path.display());
        rest = behind;
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn paths_upwards_become_absolute_and_others_stay() {
        let temp = TempDir::new();
        let (one, here) = (temp.folder("crates/one"), temp.folder("examples/outside"));
        let manifest = "[dependencies]\none = { path = \"../../crates/one\", version = \"1\" }\n[[bin]]\npath = \"main.rs\"\n";
        let expected = format!(
            "[dependencies]\none = {{ path = '{}', version = \"1\" }}\n[[bin]]\npath = \"main.rs\"\n",
            one.canonicalize().unwrap().display()
        );
        assert_eq!(with_absolute_paths(manifest, &here), expected);
    }
}
