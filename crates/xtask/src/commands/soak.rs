//! `cargo xtask soak`: random programs, loads and misuse, for as long as one likes.

use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::prepare::Prepared;
use super::pytest;
use crate::process;
use crate::project::Project;
use crate::python::Wanted;
use crate::steps::Steps;
use crate::venv::{Environment, Group};

/// What the tests of the soak are told by. Without it they do a little of everything.
const MINUTES: &str = "THRASKS_SOAK_MINUTES";
/// Where the random ones among them begin.
const SEED: &str = "THRASKS_SOAK_SEED";
/// Where they are, under `bindings-python/tests`.
const TESTS: [&str; 2] = ["soak", "fuzz"];

/// Those of the crates that are of many random cases, or of many threads.
const RUST_TESTS: [&str; 10] = [
    "stress",
    "properties",
    "model",
    "limit_model",
    "cache_model",
    "state",
    "trees",
    "drops",
    "faults",
    "memory",
];

/// How many cases a property test of the crates has at least, and for each minute.
const CASES: (u64, u64) = (256, 512);

/// What a soak does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// How long the random programs go on, in minutes. The loads and the rest come on top.
    pub(crate) minutes: f64,
    /// The seed of the first programs; the next ones have the next numbers.
    pub(crate) seed: u64,
    /// Whether the seed was given: then this run is to repeat another one.
    pub(crate) repeats: bool,
}

impl Plan {
    /// A plan; without a seed, one from the clock.
    pub(crate) fn new(minutes: f64, seed: Option<u64>) -> Self {
        Self { minutes, seed: seed.unwrap_or_else(seed_of_now), repeats: seed.is_some() }
    }

    fn cases(&self) -> u64 {
        let whole_minutes = Duration::from_secs_f64(self.minutes * 60.0).as_secs() / 60;
        CASES.0 + CASES.1 * whole_minutes
    }
}

fn seed_of_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // A number that one can type.
    u64::from(now.subsec_nanos()) ^ (now.as_secs() & 0xFFFF)
}

/// The command.
pub(crate) fn run(wanted: Wanted, plan: Plan) -> Result<ExitCode> {
    let project = Project::locate()?;
    println!("{}", announce(wanted, &plan));
    let mut steps = Steps::default();
    let groups = [Group::Build, Group::Test];
    let prepared = Prepared::in_steps(&mut steps, &project, wanted, &groups)?;
    match prepared.installed() {
        Some(environment) => {
            steps.run("soak, Python", || {
                process::run(&mut python_tests(&project, environment, &plan))
            })?;
        }
        None => steps.skip("soak, Python", "the wheel is not installed"),
    }
    steps.run("soak, Rust", || process::run(&mut cargo_test(&project, &plan)))?;
    println!("\n{}", announce(wanted, &plan));
    Ok(steps.finish())
}

/// Says what runs, and how to have it run again.
fn announce(wanted: Wanted, plan: &Plan) -> String {
    let gil = if matches!(wanted, Wanted::WithGil) { " --gil" } else { "" };
    let again = if plan.repeats { "this repeats" } else { "to repeat it" };
    format!(
        "soak of {} minutes from seed {}; {again}: cargo xtask soak --minutes {} --seed {}{gil}",
        plan.minutes, plan.seed, plan.minutes, plan.seed
    )
}

/// On the installed package, and without capture: the tests tell how far they are.
fn python_tests(project: &Project, environment: &Environment, plan: &Plan) -> Command {
    let mut command = pytest::command(project, environment);
    command.args(["-p", "no:cacheprovider", "--capture=no"]);
    command.args(TESTS.map(|folder| pytest::tests(project).join(folder)));
    command.envs(settings(plan));
    command
}

fn settings(plan: &Plan) -> [(&'static str, OsString); 2] {
    [(MINUTES, plan.minutes.to_string().into()), (SEED, plan.seed.to_string().into())]
}

/// The stress and the property tests of the crates, with more cases.
fn cargo_test(project: &Project, plan: &Plan) -> Command {
    let mut cargo = project.cargo();
    cargo.args(["test", "--workspace", "--exclude", "thrasks-python"]);
    cargo.arg("--all-features");
    for test in RUST_TESTS {
        cargo.args(["--test", test]);
    }
    cargo.env("PROPTEST_CASES", plan.cases().to_string());
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_that_is_given_is_the_seed() {
        let plan = Plan::new(1.5, Some(7));
        assert_eq!((plan.seed, plan.repeats), (7, true));
        assert_eq!(
            settings(&plan),
            [(MINUTES, OsString::from("1.5")), (SEED, OsString::from("7"))]
        );
    }

    #[test]
    fn without_one_there_is_one_and_it_is_told() {
        let plan = Plan::new(10.0, None);
        assert!(!plan.repeats);
        let said = announce(Wanted::WithGil, &plan);
        let again = format!("cargo xtask soak --minutes 10 --seed {} --gil", plan.seed);
        assert!(said.ends_with(&again), "{said}");
    }

    #[test]
    fn more_minutes_are_more_cases() {
        assert_eq!(Plan::new(0.1, None).cases(), 256);
        assert_eq!(Plan::new(10.0, None).cases(), 256 + 5120);
    }

    #[test]
    fn its_tests_are_there() {
        let project = Project::locate().unwrap();
        for folder in TESTS {
            assert!(project.path("bindings-python/tests").join(folder).is_dir(), "{folder}");
        }
    }
}
