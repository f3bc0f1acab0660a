//! Running other programs, and saying clearly when they fail.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// Runs a command that talks to the user directly; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run `{}`", display(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", display(command));
    }
    Ok(())
}

/// Like [`run`], but ends the command when it takes longer than `limit`.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    let mut child =
        command.spawn().with_context(|| format!("cannot run `{}`", display(command)))?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!("`{}` failed: {status}", display(command));
            }
            return Ok(());
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("`{}` was ended: it ran for more than {} s", display(command), limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a command quietly and returns what it printed; its complaints are part of the error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{}`", display(command)))?;
    if !status.success() {
        let complaint = String::from_utf8_lossy(&stderr);
        let complaint = tail(complaint.trim(), 20);
        return Err(match complaint.as_str() {
            "" => anyhow!("`{}` failed: {status}", display(command)),
            complaint => anyhow!("`{}` failed: {status}\n{complaint}", display(command)),
        });
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// The command as one would type it; of the program only its name.
pub(crate) fn display(command: &Command) -> String {
    let program = command.get_program();
    let name = Path::new(program).file_name().unwrap_or(program);
    std::iter::once(name).chain(command.get_args()).map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_=+./,:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{word}'")
    }
}

/// The last `count` lines of a text.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Every file of this name in the directories of `path`, in their order: the first is not always one that works.
pub(crate) fn on_path(path: &OsStr, name: &str) -> Vec<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in env::split_paths(path) {
        let file = folder.join(&name);
        if folder.is_absolute() && is_executable(&file) && !found.contains(&file) {
            found.push(file);
        }
    }
    found
}

/// The first program of this name on the user's PATH.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    on_path(&env::var_os("PATH")?, name).into_iter().next()
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TempDir, script};

    #[test]
    fn a_failure_says_the_command_its_status_and_its_complaint() {
        let error = output(Command::new("sh").args(["-c", "echo bad luck >&2; exit 3"]))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("`sh -c 'echo bad luck >&2; exit 3'` failed"), "{error}");
        assert!(error.contains('3') && error.ends_with("bad luck"), "{error}");
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let error =
            run_within(Command::new("sleep").arg("60"), Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("more than 0 s"), "{error}");
        run_within(&mut Command::new("true"), Duration::from_secs(60)).unwrap();
    }

    #[test]
    fn the_tail_is_the_last_lines() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
    }

    #[test]
    fn all_of_a_name_on_path_are_found_in_order_and_only_executables() {
        let temp = TempDir::new();
        let [first, second, third] = ["one", "two", "three"].map(|name| temp.folder(name));
        script(&first.join("tool"), "exit 1");
        std::fs::write(second.join("tool"), "not executable").unwrap();
        script(&third.join("tool"), "exit 0");
        let path = env::join_paths([&first, &second, &third, &first]).unwrap();
        assert_eq!(on_path(&path, "tool"), [first.join("tool"), third.join("tool")]);
        assert!(on_path(&path, "other").is_empty());
    }
}
