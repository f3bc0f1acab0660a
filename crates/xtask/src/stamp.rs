//! Doing nothing twice: a fingerprint of everything a result was made from, stored beside the result.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A hash over labelled texts and files. Equal fingerprints mean equal inputs.
#[derive(Debug, Default)]
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Adds a labelled value.
    pub(crate) fn text(mut self, label: &str, value: &str) -> Self {
        self.add(label, value.as_bytes());
        self
    }

    /// Adds the content of a file; one that is missing differs from an empty one.
    pub(crate) fn file(mut self, label: &str, path: &Path) -> Result<Self> {
        match fs::read(path) {
            Ok(content) => self.add(label, &content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.add("missing", label.as_bytes());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        }
        Ok(self)
    }

    /// Adds the names and contents of the files under `folder`, except hidden ones, what tools leave behind,
    /// and those whose path relative to `folder` is named in `except`.
    pub(crate) fn tree(mut self, folder: &Path, except: &[&str]) -> Result<Self> {
        let mut files = Vec::new();
        collect(folder, Path::new(""), except, &mut files)?;
        files.sort();
        for file in files {
            let label = file.to_string_lossy().into_owned();
            self = self.file(&label, &folder.join(&file))?;
        }
        Ok(self)
    }

    /// The fingerprint as hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize())
    }

    // Lengths first, so that no two different sequences of parts run together into the same bytes.
    fn add(&mut self, label: &str, value: &[u8]) {
        for part in [label.as_bytes(), value] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }
}

fn collect(root: &Path, relative: &Path, except: &[&str], files: &mut Vec<PathBuf>) -> Result<()> {
    let folder = root.join(relative);
    for entry in folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = relative.join(entry.file_name());
        let leftover = name == "__pycache__"
            || name == "target"
            || name.ends_with(".pyc")
            || name.ends_with(".so");
        if name.starts_with('.')
            || leftover
            || except.iter().any(|except| path == Path::new(except))
        {
            continue;
        }
        if entry.path().is_dir() {
            collect(root, &path, except, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The SHA-256 of a file, as hexadecimal digits.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let mut file =
        fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut hasher).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hex(&hasher.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file beside a result that says what it was made from.
#[derive(Debug)]
pub(crate) struct Stamp(PathBuf);

impl Stamp {
    /// The stamp in this file.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Whether the result was finished and made from just this.
    pub(crate) fn matches(&self, fingerprint: &str) -> bool {
        fs::read_to_string(&self.0).is_ok_and(|stored| stored == fingerprint)
    }

    /// Forgets the result: to be called before it is touched.
    pub(crate) fn clear(&self) -> Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.0.display()))
            }
            _ => Ok(()),
        }
    }

    /// Says that the result is finished: to be called last.
    pub(crate) fn set(&self, fingerprint: &str) -> Result<()> {
        fs::write(&self.0, fingerprint)
            .with_context(|| format!("cannot write {}", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    fn text(parts: &[(&str, &str)]) -> String {
        parts
            .iter()
            .fold(Fingerprint::default(), |print, (label, value)| print.text(label, value))
            .finish()
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_eq!(text(&[("a", "b")]), text(&[("a", "b")]));
        assert_ne!(text(&[("a", "bc")]), text(&[("ab", "c")]));
        assert_ne!(text(&[("a", "b"), ("c", "d")]), text(&[("c", "d"), ("a", "b")]));
    }

    #[test]
    fn a_tree_changes_with_contents_names_and_additions_only() {
        let temp = TempDir::new();
        let print =
            || Fingerprint::default().tree(temp.path(), &["tests", "a/skipped"]).unwrap().finish();
        fs::write(temp.folder("a").join("one.rs"), "1").unwrap();
        let first = print();
        assert_eq!(print(), first);

        fs::write(temp.folder("tests").join("test_one.py"), "").unwrap();
        fs::write(temp.folder("a/skipped").join("x"), "").unwrap();
        fs::write(temp.folder("a/__pycache__").join("x.pyc"), "").unwrap();
        fs::write(temp.folder(".cache").join("x"), "").unwrap();
        assert_eq!(print(), first, "these are no inputs");

        fs::write(temp.path().join("a/one.rs"), "2").unwrap();
        let changed = print();
        assert_ne!(changed, first);
        fs::rename(temp.path().join("a/one.rs"), temp.path().join("a/two.rs")).unwrap();
        assert_ne!(print(), changed);
        fs::rename(temp.path().join("a/two.rs"), temp.path().join("a/one.rs")).unwrap();
        assert_eq!(print(), changed);
        fs::write(temp.path().join("a/empty"), "").unwrap();
        assert_ne!(print(), changed);
    }

    #[test]
    fn a_missing_file_is_not_an_empty_one() {
        let temp = TempDir::new();
        let file = temp.path().join("file");
        let missing = Fingerprint::default().file("f", &file).unwrap().finish();
        fs::write(&file, "").unwrap();
        assert_ne!(Fingerprint::default().file("f", &file).unwrap().finish(), missing);
    }

    #[test]
    fn sha256_is_the_usual_one() {
        let temp = TempDir::new();
        let file = temp.path().join("file");
        fs::write(&file, "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&file).unwrap(), expected);
    }

    #[test]
    fn a_stamp_holds_until_it_is_cleared() {
        let temp = TempDir::new();
        let stamp = Stamp::at(temp.path().join("stamp"));
        assert!(!stamp.matches("x"));
        stamp.clear().unwrap();
        stamp.set("x").unwrap();
        assert!(stamp.matches("x") && !stamp.matches("y"));
        stamp.clear().unwrap();
        assert!(!stamp.matches("x"));
    }
}
