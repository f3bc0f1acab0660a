//! Copies of parts of the project, to be changed and built elsewhere.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A folder outside of the project, removed with the value.
#[derive(Debug)]
pub(super) struct Copy(PathBuf);

impl Copy {
    /// A folder with nothing in it yet. `name` tells it from others of this process.
    pub(super) fn empty(name: &str) -> Result<Self> {
        let folder = env::temp_dir().join(format!("thrasks-{name}-{}", std::process::id()));
        let copy = Self(folder);
        fs::create_dir_all(&copy.0).with_context(|| format!("cannot make {}", copy.0.display()))?;
        Ok(copy)
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    /// Adds what is in a folder, but for what is built there, under a path in the copy.
    pub(super) fn add(&self, from: &Path, to: &Path) -> Result<()> {
        copy_folder(from, &self.0.join(to))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn a_copy_has_the_sources_but_not_the_target_and_goes_away() {
        let temp = TempDir::new();
        fs::write(temp.folder("src").join("main.rs"), "fn main() {}").unwrap();
        fs::write(temp.folder("target").join("big"), "").unwrap();
        let copy = Copy::empty("test").unwrap();
        copy.add(temp.path(), Path::new("there")).unwrap();
        let folder = copy.folder().to_path_buf();
        assert!(folder.join("there/src/main.rs").exists() && !folder.join("there/target").exists());
        drop(copy);
        assert!(!folder.exists());
    }
}
