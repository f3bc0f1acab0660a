//! A program outside of this workspace: proof that the crates are useful by themselves.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::project::Project;

/// The program; its manifest names the crates by paths relative to this folder.
pub(super) const TEMPLATE: &str = "examples/outside-workspace";

/// Copies the program to a place outside of the workspace, and runs it there.
pub(super) fn run(project: &Project) -> Result<()> {
    let template = project.path(TEMPLATE);
    let copy = Copy::of(&template)?;
    if copy.0.starts_with(project.root()) {
        bail!("{} is in the workspace; set TMPDIR to a place outside of it", copy.0.display());
    }
    let manifest = copy.0.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    fs::write(&manifest, with_absolute_paths(&text, &template))?;
    // The versions that everything else was tested with.
    fs::copy(project.path("Cargo.lock"), copy.0.join("Cargo.lock"))?;

    let mut cargo = project.cargo();
    cargo.current_dir(&copy.0).args(["run", "--quiet", "--manifest-path"]).arg(&manifest);
    // Kept, so that the dependencies are compiled once; not shared, since another workspace resolves differently.
    process::run(cargo.arg("--target-dir").arg(project.target().join("xtask/outside-workspace")))
}

/// A copy of a folder, removed with the value.
struct Copy(PathBuf);

impl Copy {
    fn of(template: &Path) -> Result<Self> {
        let folder = env::temp_dir().join(format!("thrasks-outside-{}", std::process::id()));
        let copy = Self(folder);
        copy_folder(template, &copy.0)?;
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in from.read_dir().with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        if !source.is_dir() {
            fs::copy(&source, &copy)
                .with_context(|| format!("cannot copy {}", source.display()))?;
        } else if entry.file_name() != "target" {
            copy_folder(&source, &copy)?;
        }
    }
    Ok(())
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

    #[test]
    fn a_copy_has_the_sources_but_not_the_target_and_goes_away() {
        let temp = TempDir::new();
        fs::write(temp.folder("src").join("main.rs"), "fn main() {}").unwrap();
        fs::write(temp.folder("target").join("big"), "").unwrap();
        let copy = Copy::of(temp.path()).unwrap();
        let folder = copy.0.clone();
        assert!(folder.join("src/main.rs").exists() && !folder.join("target").exists());
        drop(copy);
        assert!(!folder.exists());
    }
}
