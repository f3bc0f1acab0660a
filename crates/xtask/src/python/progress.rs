//! How far a build of CPython is, from the lines it prints.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::supervise::Event;
use crate::steps::seconds;

/// The parts of a build that take time, with how many of its telling lines each prints and its share of the
/// whole time. Measured on Linux; elsewhere they are near enough for a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Configure,
    Compile,
    Install,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Configure => "configuring",
            Self::Compile => "compiling",
            Self::Install => "installing",
        }
    }

    /// Whether a line stands for a piece of work done.
    fn counts(self, line: &str) -> bool {
        match self {
            Self::Configure => line.starts_with("checking "),
            Self::Compile => {
                let mut words = line.split_ascii_whitespace();
                words.next().is_some_and(|word| !word.starts_with('-'))
                    && words.any(|word| word == "-c")
            }
            Self::Install => !line.is_empty(),
        }
    }

    fn lines(self) -> u32 {
        match self {
            Self::Configure => 800,
            Self::Compile => 380,
            Self::Install => 5190,
        }
    }

    /// In thousandths: where it begins, and how much it is.
    fn share(self) -> (u32, u32) {
        match self {
            Self::Configure => (0, 140),
            Self::Compile => (140, 710),
            Self::Install => (850, 150),
        }
    }
}

/// The position in thousandths after so many telling lines of a phase; never past its end.
fn position(phase: Phase, lines: u32) -> u32 {
    let (start, size) = phase.share();
    start + size * lines.min(phase.lines()) / phase.lines()
}

/// A bar on a terminal, otherwise a line every now and then.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    start: Instant,
    said: Instant,
    lines: u32,
}

const SILENCE: Duration = Duration::from_secs(15);

impl Progress {
    /// Begins to show it.
    pub(super) fn start() -> Self {
        let bar = ProgressBar::new(1000);
        if let Ok(style) =
            ProgressStyle::with_template("{msg:12} [{bar:40}] {percent:>3} %  {elapsed}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        let now = Instant::now();
        Self { bar, start: now, said: now, lines: 0 }
    }

    /// Begins a phase.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.lines = 0;
        self.bar.set_message(phase.name());
        self.show(phase);
        self.say(phase);
    }

    /// Takes in what the running program printed, or that time has passed.
    pub(super) fn see(&mut self, phase: Phase, event: &Event<'_>) {
        if let Event::Line(line) = event {
            self.lines += u32::from(phase.counts(line));
        }
        self.show(phase);
        if self.said.elapsed() >= SILENCE {
            self.say(phase);
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(self) -> Duration {
        self.bar.finish_and_clear();
        self.start.elapsed()
    }

    fn show(&self, phase: Phase) {
        self.bar.set_position(position(phase, self.lines).into());
        self.bar.tick();
    }

    fn say(&mut self, phase: Phase) {
        self.said = Instant::now();
        if self.bar.is_hidden() {
            let percent = position(phase, self.lines) / 10;
            println!("  {}, {percent} %, after {}", phase.name(), seconds(self.start.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telling_lines_are_told_from_others() {
        let compile =
            "gcc -pthread -c -fno-strict-overflow -Wall -o Objects/object.o Objects/object.c";
        assert!(Phase::Compile.counts(compile));
        assert!(!Phase::Compile.counts("gcc -pthread -shared -o Modules/_ssl.so Modules/_ssl.o"));
        assert!(!Phase::Compile.counts("-c is an option"));
        assert!(!Phase::Compile.counts(""));
        assert!(Phase::Configure.counts("checking for --enable-universalsdk... no"));
        assert!(!Phase::Configure.counts("configure: creating ./config.status"));
        assert!(Phase::Install.counts("Compiling '/x/lib/python3.14t/ast.py'..."));
    }

    #[test]
    fn the_position_only_grows_and_ends_at_the_end() {
        let mut last = 0;
        for phase in [Phase::Configure, Phase::Compile, Phase::Install] {
            for lines in [0, 1, 100, phase.lines(), phase.lines() * 3] {
                let now = position(phase, lines);
                assert!(now >= last, "{phase:?} {lines}");
                last = now;
            }
        }
        assert_eq!(last, 1000);
    }
}
