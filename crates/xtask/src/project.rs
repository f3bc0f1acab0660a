//! Where things are: the root of the repository, cargo, and the target directory.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// The repository this command belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    root: PathBuf,
    target: PathBuf,
}

impl Project {
    /// Finds the root from this crate's own place in it, and the target directory by asking cargo.
    pub(crate) fn locate() -> Result<Self> {
        // `cargo run` sets it anew, so that a moved repository is still found.
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest_dir
            .ancestors()
            .nth(2)
            .context("crates/xtask is not where it belongs")?
            .to_path_buf();
        let metadata = process::output(
            cargo_command()
                .args(["metadata", "--format-version=1", "--no-deps", "--manifest-path"])
                .arg(root.join("Cargo.toml")),
        )?;
        let target = json_string(&metadata, "target_directory")
            .context("`cargo metadata` does not name the target directory")?;
        Ok(Self { root, target: PathBuf::from(target) })
    }

    /// The root of the repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path under the root.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Cargo's target directory; what these commands make is in `xtask` under it.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Cargo, run from the root.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = cargo_command();
        cargo.current_dir(&self.root);
        cargo
    }

    /// The names of the published crates: every folder in `crates` but this one.
    pub(crate) fn public_crates(&self) -> Result<Vec<String>> {
        let folder = self.path("crates");
        let mut names = Vec::new();
        for entry in
            folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))?
        {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "xtask" && entry.path().join("Cargo.toml").is_file() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}

fn cargo_command() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The first string stored under `key` in a JSON text: all we need of one, and no parser.
fn json_string(json: &str, key: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{key}\":\""))?;
    let mut value = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return Some(value),
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                'u' => {
                    let code: String = chars.by_ref().take(4).collect();
                    char::from_u32(u32::from_str_radix(&code, 16).ok()?)?
                }
                other => other,
            }),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_string_is_unescaped() {
        let json = r#"{"a":1,"target_directory":"C:\\code \"x\"\\t\u0061rget","version":1}"#;
        assert_eq!(json_string(json, "target_directory").unwrap(), r#"C:\code "x"\target"#);
        assert_eq!(json_string(json, "missing"), None);
    }

    #[test]
    fn this_very_repository_is_located() {
        let project = Project::locate().unwrap();
        assert!(project.path("crates/xtask/Cargo.toml").is_file());
        assert!(project.target().is_absolute());
        assert!(project.public_crates().unwrap().contains(&"thrasks".to_owned()));
    }
}
