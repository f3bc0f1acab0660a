//! What the Python side of every command begins with: interpreter, environment, wheel.

use anyhow::Result;

use crate::project::Project;
use crate::python::{self, Interpreter, Wanted};
use crate::steps::Steps;
use crate::venv::{Environment, Group};
use crate::wheel;

/// All three, for a command that does one thing.
pub(super) fn all(project: &Project, wanted: Wanted, groups: &[Group]) -> Result<Environment> {
    let interpreter = python::ensure(wanted)?;
    let environment = Environment::ensure(project, &interpreter, groups)?;
    wheel::ensure(project, &environment)?;
    Ok(environment)
}

/// How far the preparation came, for a command of many steps.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// The interpreter.
    pub(super) interpreter: Option<Interpreter>,
    /// Its environment, with the packages.
    pub(super) environment: Option<Environment>,
    /// Whether the wheel is installed in the environment.
    pub(super) wheel: bool,
}

impl Prepared {
    /// All three, as steps.
    pub(super) fn in_steps(
        steps: &mut Steps,
        project: &Project,
        wanted: Wanted,
        groups: &[Group],
    ) -> Result<Self> {
        let interpreter = steps.run("interpreter", || python::ensure(wanted))?;
        let environment = match &interpreter {
            Some(interpreter) => {
                steps.run("environment", || Environment::ensure(project, interpreter, groups))?
            }
            None => {
                steps.skip("environment", "there is no interpreter");
                None
            }
        };
        let made = match &environment {
            Some(environment) => steps.run("wheel", || {
                wheel::ensure(project, environment)?;
                wheel::check(environment)
            })?,
            None => {
                steps.skip("wheel", "there is no environment");
                None
            }
        };
        Ok(Self { interpreter, environment, wheel: made.is_some() })
    }

    /// The environment, if the wheel is installed in it.
    pub(super) fn installed(&self) -> Option<&Environment> {
        self.environment.as_ref().filter(|_| self.wheel)
    }
}
