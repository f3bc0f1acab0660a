//! uv, if the user has it: it finds and fetches interpreters.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;

const REQUEST: &str = "3.14t";

/// Has uv install a free-threaded interpreter and returns where it is; otherwise the reason why not.
pub(super) fn install(uv: &Path) -> Result<PathBuf, String> {
    // Having one already spares the network.
    if let Ok(found) = find(uv) {
        return Ok(found);
    }
    println!("asking uv for a free-threaded CPython (uv python install {REQUEST})");
    process::output(Command::new(uv).args(["python", "install", REQUEST]))
        .map_err(|error| error.to_string())?;
    find(uv)
}

fn find(uv: &Path) -> Result<PathBuf, String> {
    // Not of an environment that happens to be active.
    let mut command = Command::new(uv);
    command.args(["python", "find", "--system", REQUEST]);
    let found = process::output(&mut command).map_err(|error| error.to_string())?;
    match found.trim() {
        "" => Err(format!("`{}` prints nothing", process::display(&command))),
        found => Ok(PathBuf::from(found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TempDir, script};

    #[test]
    fn what_is_there_is_found_without_an_install() {
        let temp = TempDir::new();
        let uv = temp.path().join("uv");
        script(&uv, "test \"$2\" = find && echo /somewhere/python3.14t");
        assert_eq!(install(&uv).unwrap(), Path::new("/somewhere/python3.14t"));
    }

    #[test]
    fn what_is_missing_is_installed_and_found() {
        let temp = TempDir::new();
        let uv = temp.path().join("uv");
        let mark = temp.path().join("installed");
        let body = format!(
            "case $2 in install) touch {0};; find) test -e {0} && echo /somewhere/python3.14t;; esac",
            mark.display()
        );
        script(&uv, &body);
        assert_eq!(install(&uv).unwrap(), Path::new("/somewhere/python3.14t"));
    }

    #[test]
    fn a_failure_is_told_with_uvs_complaint() {
        let temp = TempDir::new();
        let uv = temp.path().join("uv");
        script(&uv, "echo 'error: no network' >&2; exit 2");
        let reason = install(&uv).unwrap_err();
        assert!(
            reason.contains("python install 3.14t") && reason.contains("error: no network"),
            "{reason}"
        );
    }
}
