//! A run of many steps: a heading and a time for each, a summary at the end, and no stop at the first failure.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};

use crate::interrupt::Interrupted;

/// The steps done so far.
#[derive(Debug, Default)]
pub(crate) struct Steps(Vec<Step>);

#[derive(Debug)]
struct Step {
    name: String,
    outcome: Outcome,
    time: Duration,
}

#[derive(Debug)]
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Steps {
    /// Does one step. A failure is noted and shown, and the result is `None`: what depends on it can be skipped.
    pub(crate) fn run<T>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<Option<T>> {
        println!("\n=== {name}");
        let start = Instant::now();
        let result = work();
        let time = start.elapsed();
        let (outcome, value) = match result {
            Ok(value) => {
                println!("--- {name}: passed in {}", seconds(time));
                (Outcome::Passed, Some(value))
            }
            // The user wants the whole run to end.
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => {
                let reason = explain(&error);
                println!("{reason}\n--- {name}: FAILED after {}", seconds(time));
                (Outcome::Failed(reason), None)
            }
        };
        self.0.push(Step { name: name.to_owned(), outcome, time });
        Ok(value)
    }

    /// Notes a step that cannot be done, or that there is nothing to do for.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        println!("\n=== {name}\n--- {name}: skipped, {why}");
        self.0.push(Step {
            name: name.to_owned(),
            outcome: Outcome::Skipped(why.to_owned()),
            time: Duration::ZERO,
        });
    }

    /// Shows the summary; the exit code says whether anything failed.
    pub(crate) fn finish(self) -> ExitCode {
        print!("\n{}", self.summary());
        if self.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn failed(&self) -> usize {
        self.0.iter().filter(|step| matches!(step.outcome, Outcome::Failed(_))).count()
    }

    fn summary(&self) -> String {
        let width = self.0.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
        let mut text = String::from("=== Summary\n");
        for Step { name, outcome, time } in &self.0 {
            let (word, note) = match outcome {
                Outcome::Passed => ("passed", String::new()),
                Outcome::Failed(reason) => ("FAILED", first_line(reason)),
                Outcome::Skipped(why) => ("skipped", first_line(why)),
            };
            let line = format!("{name:width$}  {word:7}  {:>8}  {note}", seconds(*time));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        let passed = self.0.iter().filter(|step| matches!(step.outcome, Outcome::Passed)).count();
        let _ = writeln!(text, "\n{passed} passed, {} failed", self.failed());
        text
    }
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let cut: String = line.chars().take(100).collect();
    if cut.len() < line.len() { cut + "..." } else { cut }
}

/// A time for people.
pub(crate) fn seconds(time: Duration) -> String {
    let all = time.as_secs();
    if all < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {:02} s", all / 60, all % 60)
    }
}

/// An error with what caused it, each on lines of its own.
pub(crate) fn explain(error: &Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let _ = write!(text, "\n  because: {}", cause.to_string().replace('\n', "\n  "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{anyhow, bail};

    #[test]
    fn the_last_line_counts_the_steps() {
        let mut steps = Steps::default();
        assert_eq!(steps.run("one", || Ok(1)).unwrap(), Some(1));
        assert_eq!(
            steps.run("two", || -> Result<()> { bail!("it broke\nin detail") }).unwrap(),
            None
        );
        steps.skip("three", "it needs two");
        steps.run("four", || Ok(())).unwrap();
        let summary = steps.summary();
        assert_eq!(summary.lines().last(), Some("2 passed, 1 failed"));
        assert!(summary.contains("two    FAILED"), "{summary}");
        assert!(summary.contains("it broke\n"), "{summary}");
        assert!(summary.contains("it needs two"), "{summary}");
    }

    #[test]
    fn times_are_for_people() {
        assert_eq!(seconds(Duration::from_millis(1234)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let error = anyhow!("no disk\nat all").context("cannot write");
        assert_eq!(explain(&error), "cannot write\n  because: no disk\n  at all");
    }
}
