//! The crates as packages: what is in them, and whether they build from that.

use std::fs;

use anyhow::{Result, bail};

use super::strict;
use crate::process;
use crate::project::Project;
use crate::toml;

/// What a package begins with; the rest are its sources.
const FILES: [&str; 7] = [
    ".cargo_vcs_info.json",
    "Cargo.lock",
    "Cargo.toml",
    "Cargo.toml.orig",
    "LICENSE",
    "README.md",
    "src/lib.rs",
];

/// The folders of a package.
const FOLDERS: [&str; 4] = ["benches/", "examples/", "src/", "tests/"];

/// What a registry shows of a crate, and finds it by.
const FIELDS: [&str; 7] =
    ["description", "readme", "license", "rust-version", "keywords", "categories", "authors"];

/// Packs all of them, and builds each from its package and those of the others.
pub(super) fn check_each(project: &Project, names: &[String]) -> Result<()> {
    for name in names {
        check_manifest(project, name)?;
        // What is not committed yet is to be looked at, too.
        let listing = process::output(project.cargo().args([
            "package",
            "--list",
            "--allow-dirty",
            "--package",
            name,
        ]))?;
        check_files(name, &listing.lines().collect::<Vec<_>>())?;
    }
    let mut cargo = strict(project);
    cargo.args(["package", "--quiet", "--allow-dirty"]);
    for name in names {
        cargo.args(["--package", name]);
    }
    process::run(&mut cargo)
}

fn check_manifest(project: &Project, name: &str) -> Result<()> {
    let folder = project.path("crates").join(name);
    let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
    let package = toml::table(&manifest, "package").unwrap_or_default();
    for field in FIELDS {
        let set = |line: &str| {
            let rest = line.strip_prefix(field);
            rest.is_some_and(|rest| rest.starts_with(" =") || rest.starts_with(".workspace ="))
        };
        if !package.lines().any(set) {
            bail!("{name} says nothing of its {field}");
        }
    }
    let readme = fs::read_to_string(folder.join("README.md"))?;
    if let Some(link) = relative_link(&readme) {
        bail!("the README of {name} links to {link}, which a registry does not have");
    }
    if fs::read(folder.join("LICENSE"))? != fs::read(project.path("LICENSE"))? {
        bail!("the LICENSE of {name} is not that of the project");
    }
    Ok(())
}

fn check_files(name: &str, files: &[&str]) -> Result<()> {
    let missing = FILES.iter().filter(|file| !file.starts_with('.') && !files.contains(file));
    if let Some(missing) = missing.into_iter().next() {
        bail!("the package of {name} has no {missing}");
    }
    let belongs =
        |file: &str| FILES.contains(&file) || FOLDERS.iter().any(|folder| file.starts_with(folder));
    if let Some(stray) = files.iter().find(|file| !belongs(file)) {
        bail!("{stray} does not belong into the package of {name}");
    }
    Ok(())
}

/// The first link to another file.
fn relative_link(markdown: &str) -> Option<&str> {
    let targets = markdown.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let mut relative = targets.filter(|link| !link.starts_with('#') && !link.contains("://"));
    relative.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_another_file_is_found() {
        let fine = "[a](https://example.test/a) and [b](#b), and (c)[d]";
        assert_eq!(relative_link(fine), None);
        assert_eq!(relative_link(&format!("{fine} [e](../e) [f](g)")), Some("../e"));
    }

    #[test]
    fn a_package_has_what_it_needs_and_nothing_else() {
        let mut files = FILES.to_vec();
        files.push("tests/all.rs");
        check_files("one", &files).unwrap();
        files.push("notes.txt");
        let error = check_files("one", &files).unwrap_err().to_string();
        assert_eq!(error, "notes.txt does not belong into the package of one");
        let error = check_files("one", &files[..3]).unwrap_err().to_string();
        assert_eq!(error, "the package of one has no Cargo.toml.orig");
    }

    #[test]
    fn the_crates_say_what_they_are() {
        let project = Project::locate().unwrap();
        for name in project.public_crates().unwrap() {
            check_manifest(&project, &name).unwrap();
        }
    }
}
