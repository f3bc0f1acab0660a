//! The user's cache directory, and the places in it.

use std::env;
use std::path::{Path, PathBuf};

/// The release that is built.
pub(super) const RELEASE: &str = "3.14.7";

/// The folder of this project in the user's cache directory. It may not exist yet.
#[derive(Debug, Clone)]
pub(super) struct Cache(PathBuf);

impl Cache {
    /// The one that the environment says; `None` if it does not.
    pub(super) fn of_user() -> Option<Self> {
        // An XDG directory that is not absolute is to be ignored, says its specification.
        let absolute =
            |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = absolute("XDG_CACHE_HOME").or_else(|| {
            let home = absolute("HOME")?;
            Some(if cfg!(target_os = "macos") {
                home.join("Library/Caches")
            } else {
                home.join(".cache")
            })
        })?;
        Some(Self(folder.join("thrasks")))
    }

    #[cfg(test)]
    pub(super) fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    /// Where a finished build is; a build is there if and only if it is finished.
    pub(super) fn prefix(&self) -> PathBuf {
        self.0.join(format!("python-{RELEASE}t"))
    }

    /// The interpreter of a finished build.
    pub(super) fn interpreter(&self) -> PathBuf {
        self.prefix().join("bin/python3.14t")
    }

    /// Held by whoever builds.
    pub(super) fn lock(&self) -> PathBuf {
        self.0.join(format!("python-{RELEASE}t.lock"))
    }

    /// What the programs of a build printed; kept when it failed.
    pub(super) fn log(&self) -> PathBuf {
        self.0.join(format!("python-{RELEASE}t.log"))
    }

    /// How the names of the folders begin in which builds are made.
    pub(super) fn work_prefix() -> String {
        format!("building-{RELEASE}t-")
    }
}
