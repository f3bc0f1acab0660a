//! One at a time: an exclusive lock on a file, released when the holder ends, however it ends.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use fs4::fs_std::FileExt;

/// Held until dropped.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, waiting for whoever has it. `holder` is how to call them in the message that says so.
    pub(crate) fn acquire(
        path: &Path,
        holder: &str,
        mut keep_waiting: impl FnMut() -> Result<()>,
    ) -> Result<Self> {
        let folder = path.parent().context("a lock needs a folder")?;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        let mut said = false;
        while !file
            .try_lock_exclusive()
            .with_context(|| format!("cannot lock {}", path.display()))?
        {
            if !said {
                println!("waiting for {holder} (it holds {})", path.display());
                said = true;
            }
            keep_waiting()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn the_second_waits_for_the_first() {
        let temp = TempDir::new();
        let path = temp.path().join("folder/lock");
        let mut first = Some(Lock::acquire(&path, "another", || unreachable!()).unwrap());
        let mut waits = 0;
        let second = Lock::acquire(&path, "another", || {
            waits += 1;
            if waits == 2 {
                first = None;
            }
            Ok(())
        });
        assert!(second.is_ok());
        assert_eq!(waits, 2);
    }

    #[test]
    fn waiting_can_be_given_up() {
        let temp = TempDir::new();
        let path = temp.path().join("lock");
        let _first = Lock::acquire(&path, "another", || unreachable!()).unwrap();
        let second = Lock::acquire(&path, "another", || anyhow::bail!("enough"));
        assert_eq!(second.unwrap_err().to_string(), "enough");
    }
}
