//! `cargo xtask bench`: numbers against asyncio and the peers, in one run.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::prepare;
use crate::process;
use crate::project::Project;
use crate::python::Wanted;
use crate::stamp::Fingerprint;
use crate::steps::Steps;
use crate::venv::{Environment, Group};

/// Packages that are installed apart, where only the benchmark's own processes find them.
struct Apart {
    /// The option that says where they are.
    option: &'static str,
    folder: &'static str,
    stamp: &'static str,
    packages: &'static [&'static str],
    /// Those that only a free-threaded Python can have.
    free_threaded: &'static [&'static str],
}

const APART: [Apart; 2] = [
    // Of our own name: the two cannot be in one environment.
    Apart {
        option: "--thrasks01",
        folder: "thrasks-0.1",
        stamp: "peer",
        packages: &["thrasks==0.1.0.post1"],
        free_threaded: &[],
    },
    Apart {
        option: "--peers",
        folder: "peers",
        stamp: "peers",
        packages: &["aiothreads==1.1.4", "athreading==0.3.1", "cf-taskpool==0.2.0"],
        free_threaded: &["tonio==0.10.5"],
    },
];

/// The command.
pub(crate) fn run(wanted: Wanted, quick: bool) -> Result<ExitCode> {
    let project = Project::locate()?;
    let environment = prepare::all(&project, wanted, &[Group::Build, Group::Bench])?;
    let folders = APART
        .iter()
        .map(|apart| Ok((apart.option, apart.ensure(&environment)?)))
        .collect::<Result<Vec<_>>>()?;
    let results = project.target().join("bench");
    fs::create_dir_all(&results).with_context(|| format!("cannot make {}", results.display()))?;
    let mut steps = Steps::default();
    steps.run("Python, side by side", || {
        // What is there after a failure is not of an earlier run.
        let files = [("--json", "figures.json"), ("--image", "comparison.svg")]
            .map(|(option, name)| (option, results.join(name)));
        for (_, file) in &files {
            if file.exists() {
                fs::remove_file(file)
                    .with_context(|| format!("cannot remove {}", file.display()))?;
            }
        }
        let mut command = environment.command([project.path("benches/python/side_by_side.py")]);
        command.current_dir(environment.run_folder());
        for (option, folder) in &folders {
            command.arg(option).arg(folder);
        }
        for (option, file) in &files {
            command.arg(option).arg(file);
        }
        if quick {
            command.arg("--quick");
        }
        process::run(&mut command)
    })?;
    steps.run("Python, memory", || {
        let mut command = environment.command([project.path("benches/python/memory.py")]);
        command.current_dir(environment.run_folder());
        for (option, folder) in folders.iter().filter(|(option, _)| *option == "--peers") {
            command.arg(option).arg(folder);
        }
        if quick {
            command.args(["--inputs", "100000", "--tasks", "10000"]);
        }
        process::run(&mut command)
    })?;
    for (name, program) in [("Python, growth", "growth.py"), ("Python, echo server", "echo.py")] {
        steps.run(name, || {
            let mut command = environment.command([project.path("benches/python").join(program)]);
            command.current_dir(environment.run_folder());
            if quick {
                command.arg("--quick");
            }
            process::run(&mut command)
        })?;
    }
    steps.run("Rust, criterion", || {
        let mut cargo = project.cargo();
        // Not the library's own, whose harness does not know criterion's options.
        cargo.args(["bench", "--package", "thrasks-benches", "--bench", "*"]);
        if quick {
            cargo.args(["--", "--quick"]);
        }
        process::run(&mut cargo)
    })?;
    Ok(steps.finish())
}

impl Apart {
    /// Installs them into a folder that a program can put in front of its path.
    fn ensure(&self, environment: &Environment) -> Result<PathBuf> {
        let _lock = environment.lock()?;
        let folder = environment.folder().join(self.folder);
        let stamp = environment.stamp(self.stamp);
        let mut packages = self.packages.to_vec();
        if environment.free_threaded() {
            packages.extend(self.free_threaded);
        }
        let names = packages.join(" ");
        let fingerprint = Fingerprint::default().text("peer", &names).finish();
        if stamp.matches(&fingerprint) && folder.is_dir() {
            return Ok(folder);
        }
        println!("installing {names} apart");
        stamp.clear()?;
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let mut pip = environment.pip();
        pip.args(["install", "--no-deps", "--target"]).arg(&folder).args(&packages);
        process::run(&mut pip).with_context(|| format!("{names} could not be installed"))?;
        stamp.set(&fingerprint)?;
        Ok(folder)
    }
}
