//! Calling pytest.

use std::path::PathBuf;
use std::process::Command;

use crate::project::Project;
use crate::venv::Environment;

/// On the installed package: from a folder that holds nothing that could be imported.
pub(super) fn command(project: &Project, environment: &Environment) -> Command {
    let bindings = project.path("bindings-python");
    let mut command = environment.command(["-m", "pytest"]);
    command.current_dir(environment.run_folder());
    command.arg("-c").arg(bindings.join("pyproject.toml")).arg("--rootdir").arg(&bindings);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Where the tests are.
pub(super) fn tests(project: &Project) -> PathBuf {
    project.path("bindings-python/tests")
}
