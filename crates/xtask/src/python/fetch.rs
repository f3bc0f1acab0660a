//! The source of CPython: one tarball, from python.org or from the mirror that apt is set up with.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache::{Cache, RELEASE};
use super::supervise::supervise;
use crate::interrupt::Guard;
use crate::{process, stamp};

/// Of the tarball, the same from either place.
const SHA256: &str = "3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81";

const APT_HELPER: &str = "/usr/lib/apt/apt-helper";

/// Downloads with nothing but the standard library: address, file.
const PYTHON_DOWNLOAD: &str = "\
import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=20) as page, open(sys.argv[2], 'wb') as file:
    shutil.copyfileobj(page, file)
";

/// Unpacks an xz tarball with nothing but the standard library: tarball, folder.
const PYTHON_UNPACK: &str = "\
import sys, tarfile
with tarfile.open(sys.argv[1]) as tar:
    tar.extractall(sys.argv[2])
";

/// Downloads the tarball into the cache, unless it is there, and checks it in either case.
pub(super) fn tarball(cache: &Cache, log: &mut File, guard: &Guard) -> Result<PathBuf> {
    let file = cache.folder().join(format!("Python-{RELEASE}.tar.xz"));
    if file.exists() {
        match verify(&file) {
            Ok(()) => return Ok(file),
            Err(error) => println!("{error}; fetching it anew"),
        }
    }
    let part = file.with_extension("part");
    let mut reasons = Vec::new();
    for (place, download) in downloads(&part) {
        println!("fetching the source of CPython {RELEASE} from {place}");
        let _ = fs::remove_file(&part);
        let fetched = download
            .and_then(|command| supervise(command, log, guard, |_| ()))
            .and_then(|()| verify(&part));
        guard.check()?;
        match fetched {
            Ok(()) => {
                fs::rename(&part, &file)
                    .with_context(|| format!("cannot write {}", file.display()))?;
                return Ok(file);
            }
            Err(error) => {
                println!("  that did not work: {error}");
                reasons.push(format!("{place}: {error}"));
            }
        }
    }
    let _ = fs::remove_file(&part);
    bail!(
        "the source of CPython {RELEASE} could not be fetched:\n{}\nYou can put Python-{RELEASE}.tar.xz at {} yourself.",
        reasons.join("\n"),
        file.display()
    )
}

/// Unpacks the tarball into a folder.
pub(super) fn unpack(tarball: &Path, folder: &Path, log: &mut File, guard: &Guard) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(tarball).arg("-C").arg(folder);
    let Err(error) = supervise(tar, log, guard, |_| ()) else { return Ok(()) };
    guard.check()?;
    // Often only the program xz is missing.
    let Some(python) = process::which("python3") else {
        return Err(
            error.context("the source could not be unpacked: install tar and xz, or python3")
        );
    };
    let mut command = Command::new(python);
    command.args(["-c", PYTHON_UNPACK]).arg(tarball).arg(folder);
    supervise(command, log, guard, |_| ()).map_err(|other| {
        error.context(other).context("the source could not be unpacked: install tar and xz")
    })
}

fn verify(file: &Path) -> Result<()> {
    let found = stamp::sha256(file)?;
    if found != SHA256 {
        bail!("{} is not the tarball it should be: its SHA-256 is {found}", file.display());
    }
    Ok(())
}

/// Every way to get the tarball, with the name of the place; lazily, since the later ones are rarely needed.
fn downloads(file: &Path) -> impl Iterator<Item = (String, Result<Command>)> + '_ {
    let address = format!("https://www.python.org/ftp/python/{RELEASE}/Python-{RELEASE}.tar.xz");
    let first = std::iter::once_with(move || ("python.org".to_owned(), downloader(&address, file)));
    first.chain(std::iter::once_with(move || apt_downloads(file)).flatten())
}

/// The first downloader that is there.
fn downloader(address: &str, file: &Path) -> Result<Command> {
    if let Some(curl) = process::which("curl") {
        let mut command = Command::new(curl);
        command.args([
            "--fail",
            "--location",
            "--silent",
            "--show-error",
            "--connect-timeout",
            "10",
        ]);
        // An end for one that stalls, not for one that is slow.
        command
            .args(["--speed-limit", "1000", "--speed-time", "30", "--output"])
            .arg(file)
            .arg(address);
        return Ok(command);
    }
    if let Some(wget) = process::which("wget") {
        let mut command = Command::new(wget);
        command
            .args(["--quiet", "--tries=1", "--timeout=20", "--output-document"])
            .arg(file)
            .arg(address);
        return Ok(command);
    }
    if let Some(python) = process::which("python3") {
        let mut command = Command::new(python);
        command.args(["-c", PYTHON_DOWNLOAD, address]).arg(file);
        return Ok(command);
    }
    bail!("there is no curl, wget or python3 to download with")
}

/// Debian's source package has the same tarball, byte for byte.
fn apt_downloads(file: &Path) -> Vec<(String, Result<Command>)> {
    let name = "apt's mirror".to_owned();
    if process::which("apt-get").is_none() || !Path::new(APT_HELPER).exists() {
        return vec![(name, Err(anyhow::anyhow!("apt is not there")))];
    }
    let mut list = Command::new("apt-get");
    list.args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);
    let listing = match process::output(&mut list) {
        Ok(listing) => listing,
        Err(error) => return vec![(name, Err(error))],
    };
    let mirrors = mirrors(&listing);
    if mirrors.is_empty() {
        return vec![(
            name,
            Err(anyhow::anyhow!("apt has no mirror (or its lists are empty: run apt-get update)")),
        )];
    }
    let command = |mirror: &str| {
        let address = format!("{mirror}pool/main/p/python3.14/python3.14_{RELEASE}.orig.tar.xz");
        let mut command = Command::new(APT_HELPER);
        command.arg("download-file").arg(address).arg(file).arg(format!("SHA256:{SHA256}"));
        command
    };
    mirrors.iter().map(|mirror| (format!("apt's mirror {mirror}"), Ok(command(mirror)))).collect()
}

/// The addresses in apt's listing, each once and with a slash at its end.
fn mirrors(listing: &str) -> Vec<String> {
    let mut mirrors: Vec<String> = Vec::new();
    for line in listing.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mirror = format!("{}/", line.trim_end_matches('/'));
        if !mirrors.contains(&mirror) {
            mirrors.push(mirror);
        }
    }
    mirrors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn each_mirror_is_tried_once() {
        let listing =
            "http://one.test/debian/\nhttp://one.test/debian/\n\nhttp://two.test/debian-security\n";
        assert_eq!(
            mirrors(listing),
            ["http://one.test/debian/", "http://two.test/debian-security/"]
        );
    }

    #[test]
    fn a_wrong_tarball_is_refused_with_its_hash() {
        let temp = TempDir::new();
        let file = temp.path().join("file");
        fs::write(&file, "abc").unwrap();
        let error = verify(&file).unwrap_err().to_string();
        assert!(error.contains("ba7816bf8f01cfea"), "{error}");
    }
}
