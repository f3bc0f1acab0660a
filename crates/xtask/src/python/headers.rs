//! What a build of CPython needs from the system, where packages can be asked for: Debian and its kin.

use std::fs::File;
use std::process::Command;

use anyhow::{Result, bail};

use super::supervise::supervise;
use crate::interrupt::Guard;
use crate::process;

/// Without these, modules that everything relies on would be left out of the build without a word.
const PACKAGES: [&str; 8] = [
    "libffi-dev",
    "libssl-dev",
    "zlib1g-dev",
    "libbz2-dev",
    "liblzma-dev",
    "libsqlite3-dev",
    "libreadline-dev",
    "uuid-dev",
];

/// Makes sure of the headers and of `make`; as root by installing what is missing.
pub(super) fn ensure(log: &mut File, guard: &Guard) -> Result<()> {
    let Some(mut missing) = missing_packages() else {
        println!(
            "this is no Debian: whether the headers of OpenSSL, libffi, SQLite and others are there shows in the end"
        );
        return Ok(());
    };
    if process::which("make").is_none() {
        missing.push("make");
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() || process::which("apt-get").is_none() {
        bail!(complaint(&missing));
    }
    println!("installing with apt-get: {}", missing.join(" "));
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    // Without fresh lists the old ones may still do.
    if let Err(error) = supervise(apt(&["update"]), log, guard, |_| ()) {
        guard.check()?;
        println!("{error}; going on with the package lists that are there");
    }
    let mut install = apt(&["install", "-y", "--no-install-recommends"]);
    install.args(&missing);
    supervise(install, log, guard, |_| ()).map_err(|error| error.context(complaint(&missing)))
}

fn complaint(missing: &[&str]) -> String {
    let list = missing.join(" ");
    format!(
        "a build from source needs packages that are not installed: {list}\nInstall them as root: apt-get install {list}"
    )
}

/// The packages that are not installed; `None` where there is no dpkg to ask.
fn missing_packages() -> Option<Vec<&'static str>> {
    let dpkg = process::which("dpkg-query")?;
    // It fails if any is unknown, and still prints the others.
    let output = Command::new(dpkg)
        .args(["-W", "-f", "${Package} ${db:Status-Status}\\n"])
        .args(PACKAGES)
        .output()
        .ok()?;
    Some(not_installed(&String::from_utf8_lossy(&output.stdout)))
}

fn not_installed(listing: &str) -> Vec<&'static str> {
    let installed = |package: &str| {
        listing.lines().any(|line| line.split_once(' ') == Some((package, "installed")))
    };
    PACKAGES.into_iter().filter(|package| !installed(package)).collect()
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_fully_installed_counts() {
        let listing = "libffi-dev installed\nlibssl-dev config-files\nzlib1g-dev installed\nuuid-dev installed\n";
        let expected =
            ["libssl-dev", "libbz2-dev", "liblzma-dev", "libsqlite3-dev", "libreadline-dev"];
        assert_eq!(not_installed(listing), expected);
    }

    #[test]
    fn the_complaint_has_the_command_to_run() {
        assert!(complaint(&["libffi-dev", "make"]).ends_with("apt-get install libffi-dev make"));
    }
}
