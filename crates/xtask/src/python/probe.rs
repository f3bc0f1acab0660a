//! Asking an interpreter what it is, by running it: names and version files lie, shims most of all.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::version::Version;
use crate::process;

/// Runs on any Python, however old, so that one that does not fit can be told by its version.
const SCRIPT: &str = r#"
import sys
import sysconfig
try:
    from importlib.util import find_spec
    venvs = bool(find_spec("venv") and find_spec("ensurepip"))
except Exception:
    venvs = False
print("thrasks-probe")
print("executable=" + sys.executable)
print("implementation=" + getattr(getattr(sys, "implementation", None), "name", "an unknown implementation"))
print("version=%d.%d.%d" % sys.version_info[:3])
print("free_threaded=%d" % bool(sysconfig.get_config_var("Py_GIL_DISABLED")))
print("gil=%d" % getattr(sys, "_is_gil_enabled", lambda: True)())
print("venvs=%d" % venvs)
"#;

/// An interpreter that was run and said what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interpreter {
    pub(crate) path: PathBuf,
    pub(crate) implementation: String,
    pub(crate) version: Version,
    pub(crate) free_threaded: bool,
    pub(crate) gil_enabled: bool,
    pub(crate) makes_venvs: bool,
}

impl fmt::Display for Interpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            self.version,
            if self.free_threaded { "free-threaded" } else { "with the GIL" }
        )
    }
}

/// Runs the file and reads what it says; otherwise the reason why it cannot be used.
pub(super) fn probe(file: &Path) -> Result<Interpreter, String> {
    if !file.exists() {
        return Err("there is no such file".to_owned());
    }
    let output = Command::new(file)
        .args(["-c", SCRIPT])
        .env_remove("PYTHONHOME")
        .env_remove("PYTHONPATH")
        .env("PYTHONSAFEPATH", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("it cannot be run: {error}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "it cannot be run ({}): {}",
            output.status,
            process::tail(complaint.trim(), 1)
        ));
    }
    parse(&String::from_utf8_lossy(&output.stdout))
}

fn parse(answer: &str) -> Result<Interpreter, String> {
    let (_, facts) =
        answer.split_once("thrasks-probe").ok_or("it does not answer like a Python interpreter")?;
    let fact = |key: &str| {
        let found = facts.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        found.ok_or_else(|| format!("it does not say its {key}"))
    };
    Ok(Interpreter {
        path: PathBuf::from(fact("executable")?),
        implementation: fact("implementation")?.to_owned(),
        version: fact("version")?.parse()?,
        free_threaded: fact("free_threaded")? == "1",
        gil_enabled: fact("gil")? == "1",
        makes_venvs: fact("venvs")? == "1",
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What an interpreter would print.
    pub(in super::super) fn answer(path: &Path, version: &str, free_threaded: bool) -> String {
        format!(
            "thrasks-probe\nexecutable={}\nimplementation=cpython\nversion={version}\nfree_threaded={}\ngil={}\nvenvs=1\n",
            path.display(),
            u8::from(free_threaded),
            u8::from(!free_threaded),
        )
    }

    #[test]
    fn an_answer_is_read() {
        let answer = format!(
            "a greeting from sitecustomize\n{}",
            answer(Path::new("/bin/py"), "3.14.7", true)
        );
        let found = parse(&answer).unwrap();
        assert_eq!(found.path, Path::new("/bin/py"));
        assert_eq!(found.version, Version { major: 3, minor: 14, micro: 7 });
        assert!(found.free_threaded && !found.gil_enabled && found.makes_venvs);
        assert_eq!(found.to_string(), "3.14.7 free-threaded");
    }

    #[test]
    fn what_is_no_answer_is_no_interpreter() {
        assert!(parse("hello").unwrap_err().contains("does not answer"));
        assert!(parse("thrasks-probe\nexecutable=/x\n").unwrap_err().contains("implementation"));
    }
}
