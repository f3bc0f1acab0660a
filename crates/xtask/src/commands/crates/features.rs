//! Each set of features that a user can choose, which must do without the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, bail};

use super::strict;
use crate::process;
use crate::project::Project;
use crate::toml;

/// The features of a crate, and which others of its own each of them is made of.
type Features = BTreeMap<String, Vec<String>>;

/// Builds every crate with every set.
pub(super) fn check_each(project: &Project, names: &[String]) -> Result<()> {
    for name in names {
        let file = project.path("crates").join(name).join("Cargo.toml");
        let manifest =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let sets = sets(&read(&manifest)?);
        println!("{name}: {}", if sets.len() == 1 { "no features" } else { "by its features" });
        for set in sets {
            let features: Vec<_> = set.into_iter().collect();
            let mut cargo = strict(project);
            cargo.args(["check", "--quiet", "--package", name, "--no-default-features"]);
            process::run(cargo.arg("--features").arg(features.join(",")))?;
        }
    }
    Ok(())
}

/// What a manifest says of features. Each is on a line of its own.
fn read(manifest: &str) -> Result<Features> {
    let mut features = Features::new();
    for line in toml::table(manifest, "features").unwrap_or_default().lines() {
        if line.starts_with('#') {
            continue;
        }
        let Some((name, list)) =
            line.split_once(" = [").and_then(|(name, rest)| Some((name, rest.strip_suffix(']')?)))
        else {
            bail!("{line:?} is not a feature on a line of its own");
        };
        let parts = list.split(',').map(|part| part.trim().trim_matches('"'));
        // The rest are dependencies, and features of theirs.
        let own = parts.filter(|part| !part.is_empty() && !part.contains([':', '/']));
        features.insert(name.to_owned(), own.map(str::to_owned).collect());
    }
    Ok(features)
}

/// The sets that differ, each with all that its features are made of.
fn sets(features: &Features) -> BTreeSet<BTreeSet<String>> {
    let mut sets = BTreeSet::from([BTreeSet::new()]);
    // `default` is no more than what it is made of.
    for name in features.keys().filter(|name| *name != "default") {
        let mut more: Vec<_> = sets.iter().cloned().collect();
        for set in &mut more {
            add(features, name, set);
        }
        sets.extend(more);
    }
    sets
}

fn add(features: &Features, name: &str, set: &mut BTreeSet<String>) {
    if set.insert(name.to_owned()) {
        for part in features.get(name).into_iter().flatten() {
            add(features, part, set);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "\
[features]
default = [\"b\"]
# The first.
a = []
b = [\"a\", \"dep:x\"]
c = [\"a\", \"x/y\"]

[dependencies]
";

    #[test]
    fn a_set_has_all_that_its_features_are_made_of() {
        let sets = sets(&read(MANIFEST).unwrap());
        let sets: Vec<_> = sets.into_iter().map(|set| Vec::from_iter(set).join("")).collect();
        assert_eq!(sets, ["", "a", "ab", "abc", "ac"]);
    }

    #[test]
    fn a_feature_that_is_not_understood_is_an_error() {
        let error = read("[features]\na = [\n    \"b\",\n]\n").unwrap_err();
        assert!(error.to_string().contains("on a line of its own"), "{error}");
    }

    #[test]
    fn the_crates_have_these_sets() {
        let project = Project::locate().unwrap();
        let count = |name: &str| {
            let file = project.path("crates").join(name).join("Cargo.toml");
            sets(&read(&fs::read_to_string(file).unwrap()).unwrap()).len()
        };
        assert_eq!(count("thrasks-sched"), 1);
        assert_eq!(count("thrasks-loop"), 4);
        // Nothing, the schedulers, and the loops with any of six others.
        assert_eq!(count("thrasks"), 2 + 64);
    }
}
