//! The Python tests, in one flavour after another.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Result;

use super::prepare::Prepared;
use super::pytest;
use crate::interrupt::Interrupted;
use crate::process;
use crate::project::Project;
use crate::python::{self, Interpreter, Wanted};
use crate::steps::Steps;
use crate::venv::{Environment, Group};
use crate::wheel;

/// Those that `cargo xtask test --every-flavour` runs after the plain one, each as pytest's `--flavour` takes it. Every one that
/// `bindings-python/tests/flavours.py` knows is in one of them.
const EACH: [&str; 3] = ["debug,queue", "eager,least-loaded,tasks", "uvloop,queue"];

/// What the tests run in when none is chosen.
const PLAIN: &str = "plain";

/// Leaves out the programs that end and are interrupted in one way or another, and other tests that take long: most
/// of the time, and little in them depends on a flavour. The plain tests have them, and so has a flavour that is
/// asked for.
const QUICK: [&str; 4] = ["-m", "not process and not slow", IN_TWO[0], IN_TWO[1]];

/// What else the flavours leave out: code on threads, traces and types are the same in each of them.
const THE_SAME: [&str; 4] = ["bridge", "bridge_readmes", "tracing", "typed"];

/// In two processes, since most of the tests wait for something most of the time.
const IN_TWO: [&str; 2] = ["-n", "2"];

const STEP: &str = "Python tests";

/// Some minutes are usual; a machine may be slow, and busy. A test that hangs ends by itself.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// The plain one, and all of its tests.
pub(super) fn plain(
    steps: &mut Steps,
    project: &Project,
    prepared: &Prepared,
    args: &[OsString],
) -> Result<()> {
    let Some((_, environment)) = ready(prepared) else {
        steps.skip(STEP, "the wheel is not installed");
        return Ok(());
    };
    steps.run(STEP, || run(project, environment, PLAIN, &IN_TWO, args))?;
    Ok(())
}

/// The others, and the plain one on an interpreter that has the GIL.
pub(super) fn others(
    steps: &mut Steps,
    project: &Project,
    prepared: &Prepared,
    args: &[OsString],
) -> Result<()> {
    // The plain one has said why there are none.
    let Some((interpreter, environment)) = ready(prepared) else { return Ok(()) };
    for flavour in EACH {
        let step = format!("{STEP}, {flavour}");
        if let Some(why) = objection(flavour, interpreter) {
            steps.skip(&step, why);
        } else {
            let ignored = THE_SAME.map(|folder| {
                let mut option = OsString::from("--ignore=");
                option.push(pytest::tests(project).join(folder));
                option
            });
            let args: Vec<_> = ignored.into_iter().chain(args.iter().cloned()).collect();
            steps.run(&step, || run(project, environment, flavour, &QUICK, &args))?;
        }
    }
    if interpreter.free_threaded {
        with_gil(steps, project, args)?;
    }
    Ok(())
}

/// One, and all of its tests.
pub(super) fn one(
    steps: &mut Steps,
    project: &Project,
    prepared: &Prepared,
    flavour: &str,
    args: &[OsString],
) -> Result<()> {
    let step = format!("{STEP}, {flavour}");
    if let Some((_, environment)) = ready(prepared) {
        steps.run(&step, || run(project, environment, flavour, &[], args))?;
    } else {
        steps.skip(&step, "the wheel is not installed");
    }
    Ok(())
}

fn ready(prepared: &Prepared) -> Option<(&Interpreter, &Environment)> {
    prepared.interpreter.as_ref().zip(prepared.installed())
}

/// Why a flavour cannot be had with this interpreter, if it cannot.
fn objection(flavour: &str, interpreter: &Interpreter) -> Option<&'static str> {
    let has = |name| flavour.split(',').any(|each| each == name);
    if has("eager") && !interpreter.version.is_at_least(3, 12) {
        Some("eager tasks are new in CPython 3.12")
    } else if has("uvloop") && cfg!(windows) {
        Some("there is no uvloop for Windows")
    } else {
        None
    }
}

fn with_gil(steps: &mut Steps, project: &Project, args: &[OsString]) -> Result<()> {
    let step = format!("{STEP}, with the GIL");
    let interpreter = match python::ensure(Wanted::WithGil) {
        Ok(interpreter) => interpreter,
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(_) => {
            steps.skip(
                &step,
                "none was found; `cargo xtask python --gil` says where it was looked for",
            );
            return Ok(());
        }
    };
    steps.run(&step, || {
        let environment = Environment::ensure(project, &interpreter, &[Group::Build, Group::Test])?;
        wheel::ensure(project, &environment)?;
        run(project, &environment, PLAIN, &QUICK, args)
    })?;
    Ok(())
}

fn run(
    project: &Project,
    environment: &Environment,
    flavour: &str,
    selection: &[&str],
    args: &[OsString],
) -> Result<()> {
    let mut command = pytest::command(project, environment);
    command.arg("-o");
    command.arg(format!("cache_dir={}", environment.folder().join("pytest-cache").display()));
    command.arg(pytest::tests(project));
    if flavour != PLAIN {
        command.args(["--flavour", flavour]);
    }
    // What the user says comes last, and holds.
    process::run_within(command.args(selection).args(args), LIMIT)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::python::Version;

    /// The names in `flavours.py`.
    fn known() -> Vec<String> {
        let file = Project::locate().unwrap().path("bindings-python/tests/flavours.py");
        let text = fs::read_to_string(file).unwrap();
        let (_, table) = text.split_once("FLAVOURS: ").unwrap();
        let (table, _) = table.split_once("\n}").unwrap();
        let names =
            table.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next());
        names.map(str::to_owned).collect()
    }

    #[test]
    fn each_flavour_there_is_is_run() {
        let mut run: Vec<_> = EACH.iter().flat_map(|names| names.split(',')).collect();
        run.sort_unstable();
        run.dedup();
        let mut known = known();
        known.sort_unstable();
        assert_eq!(run, known);
    }

    #[test]
    fn eager_tasks_need_a_newer_python() {
        let interpreter = |minor| Interpreter {
            path: PathBuf::from("/a"),
            implementation: "cpython".to_owned(),
            version: Version { major: 3, minor, micro: 0 },
            free_threaded: false,
            gil_enabled: true,
            makes_venvs: true,
        };
        assert_eq!(objection("debug,queue", &interpreter(11)), None);
        assert!(objection("queue,eager", &interpreter(11)).is_some());
        assert_eq!(objection("queue,eager", &interpreter(12)), None);
    }
}
