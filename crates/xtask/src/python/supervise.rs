//! Running the programs of a build: out of the terminal's way, into a log, and ended with the build.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::interrupt::Guard;
use crate::process;

/// What is told while a program runs.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// It printed this line.
    Line(&'a str),
    /// Nothing; some time has passed.
    Tick,
}

/// Runs a command in a process group of its own. Its output goes into the log and, line by line, to `watch`.
///
/// When a signal asks us to end, the whole group is ended first, compilers of `make` and all.
pub(super) fn supervise(
    mut command: Command,
    log: &mut File,
    guard: &Guard,
    mut watch: impl FnMut(Event<'_>),
) -> Result<()> {
    let shown = process::display(&command);
    writeln!(log, "$ {shown}")?;
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    own_group(&mut command);
    let mut child = Group(command.spawn().with_context(|| format!("cannot run `{shown}`"))?);
    // It holds the writing end of the pipe, which must close for the lines to end.
    drop(command);

    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                break;
            }
            line.clear();
        }
    });
    let mut last = String::new();
    loop {
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => {
                writeln!(log, "{line}")?;
                watch(Event::Line(&line));
                if !line.is_empty() {
                    last = line;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                watch(Event::Tick);
                // Something it left in the background may hold the pipe open for ever.
                if child.0.try_wait()?.is_some() {
                    break;
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
        guard.check()?;
    }
    let status = child.0.wait()?;
    if !status.success() {
        guard.check()?;
        // The whole command, and all it said, is in the log.
        let name = shown.split(' ').next().unwrap_or_default();
        bail!(
            "{name} failed ({status}): {}",
            if last.is_empty() { "it says nothing" } else { &last }
        );
    }
    Ok(())
}

/// A child that is ended together with its process group when it is dropped while it runs.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        end_group(&mut self.0, false);
        let start = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(3) {
            thread::sleep(Duration::from_millis(20));
        }
        end_group(&mut self.0, true);
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(unix)]
fn end_group(child: &mut Child, at_once: bool) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let signal = if at_once { Signal::KILL } else { Signal::TERM };
    let _ = kill_process_group(Pid::from_child(child), signal);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

#[cfg(not(unix))]
fn end_group(child: &mut Child, _: bool) {
    let _ = child.kill();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    fn shell(body: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", body]);
        command
    }

    #[test]
    fn lines_of_both_streams_are_watched_and_logged() {
        let temp = TempDir::new();
        let path = temp.path().join("log");
        let guard = Guard::begin().unwrap();
        let mut seen = Vec::new();
        let mut log = File::create(&path).unwrap();
        supervise(shell("echo one; echo two >&2"), &mut log, &guard, |event| {
            if let Event::Line(line) = event {
                seen.push(line.to_owned());
            }
        })
        .unwrap();
        assert_eq!(seen, ["one", "two"]);
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "$ sh -c 'echo one; echo two >&2'\none\ntwo\n"
        );
        let error = supervise(shell("echo no luck; echo; exit 4"), &mut log, &guard, |_| ())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("sh failed (") && error.ends_with("4): no luck"), "{error}");
    }

    #[test]
    fn ending_a_group_ends_the_children_of_the_child() {
        let mut command = shell("sleep 1000 & echo $!; wait");
        command.stdout(Stdio::piped());
        own_group(&mut command);
        let mut child = command.spawn().unwrap();
        let mut pid = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        drop(Group(child));
        // The orphan is reaped by whoever adopts it; until then it is a zombie, which `kill -0` still finds.
        let start = Instant::now();
        let alive = format!("ps -o stat= -p {} | grep -qv Z", pid.trim());
        while shell(&alive).status().unwrap().success() {
            assert!(start.elapsed() < Duration::from_secs(10), "it still runs");
            thread::sleep(Duration::from_millis(20));
        }
    }
}
