//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::commands;
use crate::python::Wanted;

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Parse a whole folder of Python on all cores: the main job, timed against asyncio
    Demo(Demo),
    /// Lint, then run every test and example, Rust and Python, and sum up
    Test(Test),
    /// Check formatting, lints, docs, types and stubs of everything
    Lint(Interpreter),
    /// Run random programs, loads and misuse, for minutes or hours
    Soak(Soak),
    /// Run the benchmarks: Python side by side with asyncio and others, drawn as an image, then criterion
    Bench(Bench),
    /// Build the documentation site, and check it in a browser if asked to
    Docs(Docs),
    /// Build the source distribution and the wheels, and try them in clean environments
    Dist,
    /// Check the crates as they are published: each feature, package and oldest dependency, and licences
    Crates(Crates),
    /// Make sure of a free-threaded CPython and print where it is
    Python(Interpreter),
}

#[derive(Debug, Args)]
struct Interpreter {
    /// Use a CPython (3.11 or newer) that has the GIL: everything works, nothing runs in parallel
    #[arg(long)]
    gil: bool,
}

#[derive(Debug, Args)]
struct Demo {
    #[command(flatten)]
    interpreter: Interpreter,
    /// Passed on to examples/python/demo.py: [PATH] [--limit N] ...
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

#[derive(Debug, Args)]
struct Test {
    #[command(flatten)]
    interpreter: Interpreter,
    /// Only what needs no Python
    #[arg(long, conflicts_with = "python_only")]
    rust_only: bool,
    /// Only what needs Python
    #[arg(long)]
    python_only: bool,
    /// Only the Python tests, with other defaults: plain, or debug, eager, uvloop, queue or least-loaded, or some of
    /// these with commas between them
    #[arg(long, value_name = "NAMES", conflicts_with_all = ["rust_only", "python_only"])]
    flavour: Option<String>,
    /// The Python tests with all of these, too, and on a Python that has the GIL: two or three times as long
    #[arg(long, conflicts_with_all = ["rust_only", "flavour"])]
    every_flavour: bool,
    /// Passed on to pytest
    #[arg(value_name = "PYTEST ARGS", last = true)]
    pytest: Vec<OsString>,
}

#[derive(Debug, Args)]
struct Soak {
    #[command(flatten)]
    interpreter: Interpreter,
    /// How long the random programs go on; the loads come on top
    #[arg(long, value_name = "N", default_value_t = 10.0, value_parser = minutes)]
    minutes: f64,
    /// Begin with this seed, to repeat a failure
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

#[derive(Debug, Args)]
struct Bench {
    #[command(flatten)]
    interpreter: Interpreter,
    /// Fewer and shorter runs: rough numbers
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, Args)]
struct Docs {
    #[command(flatten)]
    interpreter: Interpreter,
    /// Open every page in Chromium, follow every link, and search
    #[arg(long)]
    check: bool,
    /// Check, and leave a picture of each page in this folder: wide, narrow and dark
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Crates {
    /// Leave out what takes minutes: the tests of each crate by itself, and cargo-deny
    #[arg(long)]
    quick: bool,
}

impl Interpreter {
    fn wanted(&self) -> Wanted {
        if self.gil { Wanted::WithGil } else { Wanted::FreeThreaded }
    }
}

/// Parses the command line and does what it says.
pub(crate) fn run() -> Result<ExitCode> {
    let cli = Cli::parse();
    let Some(command) = cli.command else {
        Cli::command().print_help()?;
        return Ok(ExitCode::SUCCESS);
    };
    match command {
        Command::Python(args) => commands::python::run(args.wanted()),
        Command::Demo(demo) => {
            let (late_gil, args) = take_gil(demo.args);
            let interpreter = Interpreter { gil: demo.interpreter.gil || late_gil };
            commands::demo::run(interpreter.wanted(), &args)
        }
        Command::Lint(args) => commands::lint::run(args.wanted()),
        Command::Test(Test { interpreter, flavour: Some(flavour), pytest, .. }) => {
            commands::test::run_flavour(interpreter.wanted(), &flavour, &pytest)
        }
        Command::Test(test) => {
            let parts = commands::Parts { rust: !test.python_only, python: !test.rust_only };
            let wanted = test.interpreter.wanted();
            commands::test::run(wanted, parts, test.every_flavour, &test.pytest)
        }
        Command::Soak(soak) => {
            let plan = commands::soak::Plan::new(soak.minutes, soak.seed);
            commands::soak::run(soak.interpreter.wanted(), plan)
        }
        Command::Docs(Docs { interpreter, check, pictures }) => {
            commands::docs::run(interpreter.wanted(), check, pictures.as_deref())
        }
        Command::Dist => commands::dist::run(),
        Command::Crates(crates) => commands::crates::run(crates.quick),
        Command::Bench(bench) => commands::bench::run(bench.interpreter.wanted(), bench.quick),
    }
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if 0.0 < minutes && minutes <= 100_000.0 => Ok(minutes),
        _ => Err("a number of minutes, above 0, is needed".to_owned()),
    }
}

/// Takes our own `--gil` out of arguments meant for the demo, so that it may stand behind them too.
fn take_gil(args: Vec<OsString>) -> (bool, Vec<OsString>) {
    let given = args.len();
    let kept: Vec<_> = args.into_iter().filter(|arg| arg != "--gil").collect();
    (kept.len() < given, kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_one_line_in_the_list() {
        let help = Cli::command().render_help().to_string();
        for command in Cli::command().get_subcommands() {
            let lines =
                help.lines().filter(|line| line.trim_start().starts_with(command.get_name()));
            assert_eq!(lines.count(), 1, "{} in:\n{help}", command.get_name());
        }
    }

    #[test]
    fn the_demo_passes_on_what_it_does_not_know() {
        let cli =
            Cli::try_parse_from(["xtask", "demo", "--limit", "5", "some/path", "--gil"]).unwrap();
        let Some(Command::Demo(demo)) = cli.command else { panic!("not the demo") };
        let (gil, args) = take_gil(demo.args);
        assert!(gil);
        assert_eq!(args, ["--limit", "5", "some/path"]);
    }

    #[test]
    fn a_flavour_is_of_the_python_tests() {
        let parse = |args: &[&str]| Cli::try_parse_from([&["xtask", "test"], args].concat());
        let cli = parse(&["--gil", "--flavour", "debug,queue", "--", "-x"]).unwrap();
        let Some(Command::Test(test)) = cli.command else { panic!("not the tests") };
        assert_eq!(test.flavour.as_deref(), Some("debug,queue"));
        assert_eq!(test.pytest, ["-x"]);
        assert!(parse(&["--rust-only", "--flavour", "eager"]).is_err());
        assert!(parse(&["--every-flavour", "--flavour", "eager"]).is_err());
        assert!(parse(&["--rust-only", "--every-flavour"]).is_err());
        let Some(Command::Test(test)) = parse(&["--every-flavour"]).unwrap().command else {
            panic!("not the tests")
        };
        assert!(test.every_flavour);
    }

    #[test]
    fn pytest_arguments_follow_two_dashes() {
        let cli =
            Cli::try_parse_from(["xtask", "test", "--python-only", "--", "-k", "gather"]).unwrap();
        let Some(Command::Test(test)) = cli.command else { panic!("not the tests") };
        assert!(test.python_only);
        assert_eq!(test.pytest, ["-k", "gather"]);
    }

    #[test]
    fn a_site_is_checked_if_it_is_asked_for() {
        let parse = |args: &[&str]| {
            let cli = Cli::try_parse_from(["xtask", "docs"].iter().chain(args)).ok()?;
            let Some(Command::Docs(docs)) = cli.command else { panic!("not the site") };
            Some((docs.check, docs.pictures, docs.interpreter.gil))
        };
        assert_eq!(parse(&[]), Some((false, None, false)));
        let pictures = Some(PathBuf::from("there"));
        assert_eq!(parse(&["--check", "--pictures", "there"]), Some((true, pictures, false)));
    }

    #[test]
    fn a_soak_takes_ten_minutes_unless_it_is_told() {
        let parse = |args: &[&str]| {
            let cli = Cli::try_parse_from(["xtask", "soak"].iter().chain(args)).ok()?;
            let Some(Command::Soak(soak)) = cli.command else { panic!("not the soak") };
            Some((soak.minutes.to_string(), soak.seed, soak.interpreter.gil))
        };
        assert_eq!(parse(&[]), Some(("10".to_owned(), None, false)));
        let given = ["--minutes", "0.5", "--seed", "7", "--gil"];
        assert_eq!(parse(&given), Some(("0.5".to_owned(), Some(7), true)));
        assert_eq!(parse(&["--minutes", "0"]), None);
        assert_eq!(parse(&["--minutes", "nan"]), None);
    }
}
