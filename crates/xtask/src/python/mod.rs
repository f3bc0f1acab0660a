//! Making sure of an interpreter: the sources in their order, until one has what is wanted.

mod attempts;
mod build;
mod cache;
mod fetch;
mod headers;
mod probe;
mod progress;
mod supervise;
mod uv;
mod version;

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::interrupt::Interrupted;
use crate::process;
use attempts::Attempts;
use cache::Cache;
pub(crate) use probe::Interpreter;
#[cfg(test)]
pub(crate) use version::Version;

/// The minor versions of CPython 3 that may be found with the GIL: those there are, and some to come.
const MINORS: RangeInclusive<u32> = 11..=19;

/// Names an interpreter to use before any other.
const VARIABLE: &str = "THRASKS_PYTHON";

/// Which kind of interpreter is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// CPython 3.14 or newer, built free-threaded: coroutines run in parallel.
    FreeThreaded,
    /// CPython 3.11 or newer with the GIL: all works, without the parallelism.
    WithGil,
}

impl Wanted {
    /// What is wrong with this interpreter, if anything is.
    fn objection(self, found: &Interpreter) -> Option<String> {
        let (major, minor, free_threaded) = match self {
            Self::FreeThreaded => (3, 14, true),
            Self::WithGil => (3, 11, false),
        };
        if found.implementation != "cpython" {
            return Some(format!("it is {}, not CPython", found.implementation));
        }
        if found.free_threaded != free_threaded {
            return Some(format!("it is CPython {found}"));
        }
        if !found.version.is_at_least(major, minor) {
            return Some(format!("it is CPython {found}, older than {major}.{minor}"));
        }
        if found.gil_enabled && free_threaded {
            return Some(format!(
                "it is {found}, but runs with the GIL switched on (see PYTHON_GIL)"
            ));
        }
        if !found.makes_venvs {
            return Some(format!(
                "it is CPython {found}, but cannot make virtual environments: its modules venv and ensurepip are missing \
                 (on Debian and Ubuntu: apt-get install python{}.{}-venv)",
                found.version.major, found.version.minor,
            ));
        }
        None
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FreeThreaded => "free-threaded CPython 3.14 or newer",
            Self::WithGil => "CPython 3.11 or newer with the GIL",
        })
    }
}

/// Where an interpreter was taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Variable,
    Path(String),
    Cache,
    Uv,
    Build,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable => write!(f, "${VARIABLE}"),
            Self::Path(name) => write!(f, "{name} on PATH"),
            Self::Cache => f.write_str("an earlier build in the user's cache"),
            Self::Uv => f.write_str("uv"),
            Self::Build => f.write_str("a build from source, made just now"),
        }
    }
}

/// What the search looks at, apart so that a test can make one up.
#[derive(Debug)]
struct World {
    variable: Option<OsString>,
    path: OsString,
    cache: Option<Cache>,
    /// Where pyenv keeps its versions: on PATH are only shims, and those of one version at a time.
    pyenv: Option<PathBuf>,
}

impl World {
    fn real() -> Self {
        Self {
            variable: env::var_os(VARIABLE).filter(|value| !value.is_empty()),
            path: env::var_os("PATH").unwrap_or_default(),
            cache: Cache::of_user(),
            pyenv: env::var_os("PYENV_ROOT")
                .map(PathBuf::from)
                .or_else(|| Some(env::home_dir()?.join(".pyenv")))
                .map(|root| root.join("versions")),
        }
    }
}

/// Finds the wanted interpreter, or makes it; says which it is and where it comes from.
pub(crate) fn ensure(wanted: Wanted) -> Result<Interpreter> {
    let mut attempts = Attempts::default();
    let world = World::real();
    let found = match search(&world, wanted, &mut attempts)? {
        None if wanted == Wanted::FreeThreaded => make(&world, &mut attempts)?,
        found => found,
    };
    let Some((interpreter, source)) = found else {
        bail!(attempts.into_message(wanted));
    };
    println!("Python: {} ({interpreter}), from {source}", interpreter.path.display());
    if wanted == Wanted::WithGil {
        println!("Parallelism is off: this interpreter has the GIL, so threads take turns.");
    }
    Ok(interpreter)
}

/// Every feature release with the GIL that is there and fits, the oldest first.
pub(crate) fn every_with_gil() -> Vec<Interpreter> {
    every(&World::real())
}

fn every(world: &World) -> Vec<Interpreter> {
    let versions = world.pyenv.iter().filter_map(|folder| folder.read_dir().ok()).flatten();
    let mut bins: Vec<_> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
    bins.sort();
    let installed = env::join_paths(bins).unwrap_or_default();
    let find = |minor| {
        let name = format!("python3.{minor}");
        let files = [&world.path, &installed].map(|path| process::on_path(path, &name));
        let fits = |found: &Interpreter| (found.version.major, found.version.minor) == (3, minor);
        files.concat().iter().find_map(|file| accept(file, Wanted::WithGil).ok().filter(fits))
    };
    MINORS.filter_map(find).collect()
}

/// The sources that only need looking at.
fn search(
    world: &World,
    wanted: Wanted,
    attempts: &mut Attempts,
) -> Result<Option<(Interpreter, Source)>> {
    if let Some(value) = &world.variable {
        return from_variable(value, &world.path, wanted)
            .map(|found| Some((found, Source::Variable)));
    }
    attempts.add(format!("${VARIABLE}"), "not set");

    let names: &[&str] = match wanted {
        Wanted::FreeThreaded => &["python3.14t"],
        Wanted::WithGil => &["python3.14", "python3.13", "python3.12", "python3.11", "python3"],
    };
    for name in names {
        let files = process::on_path(&world.path, name);
        if files.is_empty() {
            attempts.add(format!("{name} on PATH"), "not there");
        }
        for file in files {
            match accept(&file, wanted) {
                Ok(found) => return Ok(Some((found, Source::Path((*name).to_owned())))),
                Err(reason) => attempts.add(format!("{name} on PATH, {}", file.display()), reason),
            }
        }
    }
    if wanted == Wanted::WithGil {
        return Ok(None);
    }

    let Some(cache) = &world.cache else {
        attempts
            .add("an earlier build", "no cache directory: neither HOME nor XDG_CACHE_HOME is set");
        return Ok(None);
    };
    let file = cache.interpreter();
    if !file.exists() {
        attempts.add("an earlier build", format!("none in {}", cache.prefix().display()));
        return Ok(None);
    }
    match accept(&file, wanted) {
        Ok(found) => Ok(Some((found, Source::Cache))),
        Err(reason) => {
            attempts.add(format!("an earlier build, {}", file.display()), reason);
            Ok(None)
        }
    }
}

/// The sources that fetch or build one.
fn make(world: &World, attempts: &mut Attempts) -> Result<Option<(Interpreter, Source)>> {
    match process::on_path(&world.path, "uv").first() {
        None => attempts.add("uv", "not on PATH"),
        Some(uv) => match uv::install(uv).and_then(|file| accept(&file, Wanted::FreeThreaded)) {
            Ok(found) => return Ok(Some((found, Source::Uv))),
            Err(reason) => attempts.add("uv", reason),
        },
    }
    let Some(cache) = &world.cache else {
        attempts.add("a build from source", "there is no cache directory to put it in");
        return Ok(None);
    };
    match build::build(cache) {
        Ok(source) => match accept(&cache.interpreter(), Wanted::FreeThreaded) {
            Ok(found) => return Ok(Some((found, source))),
            Err(reason) => attempts.add("a build from source", reason),
        },
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(error) => attempts.add("a build from source", crate::steps::explain(&error)),
    }
    Ok(None)
}

/// The variable is the user's explicit word: what it names must fit, nothing else is tried.
fn from_variable(value: &OsString, path: &OsString, wanted: Wanted) -> Result<Interpreter> {
    let named = PathBuf::from(value);
    let file = if named.components().count() == 1 && !named.exists() {
        process::on_path(path, &named.to_string_lossy()).into_iter().next().unwrap_or(named)
    } else {
        named
    };
    accept(&file, wanted).or_else(|reason| {
        bail!(
            "{VARIABLE} is {}: {reason}.\nWanted is a {wanted}: set {VARIABLE} to one, or unset it to have one looked \
             for{}.",
            value.to_string_lossy(),
            if wanted == Wanted::FreeThreaded { ", or use --gil" } else { "" },
        )
    })
}

fn accept(file: &Path, wanted: Wanted) -> Result<Interpreter, String> {
    let found = probe::probe(file)?;
    match wanted.objection(&found) {
        None => Ok(found),
        Some(objection) => Err(objection),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TempDir, script};

    /// A made-up machine: directories of scripts that answer like interpreters.
    struct Machine {
        temp: TempDir,
        world: World,
    }

    impl Machine {
        fn new() -> Self {
            let temp = TempDir::new();
            let folders = [temp.folder("shims"), temp.folder("bin")];
            let path = env::join_paths(folders).unwrap();
            let cache = Some(Cache::at(temp.folder("cache")));
            let pyenv = Some(temp.folder("pyenv"));
            Self { temp, world: World { variable: None, path, cache, pyenv } }
        }

        fn file(&self, relative: &str) -> PathBuf {
            let file = self.temp.path().join(relative);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            file
        }

        fn python(&self, relative: &str, version: &str, free_threaded: bool) -> PathBuf {
            let file = self.file(relative);
            let answer = probe::tests::answer(&file, version, free_threaded);
            script(&file, &format!("cat <<'END'\n{answer}END"));
            file
        }

        fn search(&self, wanted: Wanted) -> (Option<(PathBuf, Source)>, String) {
            let mut attempts = Attempts::default();
            let found = search(&self.world, wanted, &mut attempts).unwrap();
            (found.map(|(found, source)| (found.path, source)), attempts.into_message(wanted))
        }
    }

    #[test]
    fn the_sources_are_taken_in_their_order() {
        let mut machine = Machine::new();
        let (found, message) = machine.search(Wanted::FreeThreaded);
        assert_eq!(found, None);
        assert!(message.contains("THRASKS_PYTHON: not set"), "{message}");

        let cached = machine.world.cache.as_ref().unwrap().interpreter();
        let cached = cached.strip_prefix(machine.temp.path()).unwrap().to_str().unwrap().to_owned();
        let cached = machine.python(&cached, "3.14.7", true);
        assert_eq!(machine.search(Wanted::FreeThreaded).0, Some((cached, Source::Cache)));

        let on_path = machine.python("bin/python3.14t", "3.14.2", true);
        let from_path = Source::Path("python3.14t".to_owned());
        assert_eq!(machine.search(Wanted::FreeThreaded).0, Some((on_path, from_path)));

        let named = machine.python("elsewhere/python", "3.15.0", true);
        machine.world.variable = Some(named.clone().into());
        assert_eq!(machine.search(Wanted::FreeThreaded).0, Some((named, Source::Variable)));
    }

    #[test]
    fn a_shim_that_fails_is_passed_over() {
        let machine = Machine::new();
        script(&machine.file("shims/python3.13"), "echo 'not installed' >&2; exit 127");
        let real = machine.python("bin/python3.13", "3.13.1", false);
        let (found, _) = machine.search(Wanted::WithGil);
        assert_eq!(found, Some((real, Source::Path("python3.13".to_owned()))));
    }

    #[test]
    fn the_newest_with_a_gil_is_taken() {
        let machine = Machine::new();
        machine.python("shims/python3", "3.11.9", false);
        machine.python("shims/python3.11", "3.11.9", false);
        let newest = machine.python("bin/python3.12", "3.12.1", false);
        let (found, _) = machine.search(Wanted::WithGil);
        assert_eq!(found, Some((newest, Source::Path("python3.12".to_owned()))));
    }

    #[test]
    fn each_release_with_a_gil_is_found_once() {
        let machine = Machine::new();
        script(&machine.file("shims/python3.12"), "echo 'not installed' >&2; exit 127");
        let on_path = machine.python("bin/python3.11", "3.11.9", false);
        machine.python("pyenv/3.11.2/bin/python3.11", "3.11.2", false);
        let of_pyenv = machine.python("pyenv/3.12.1/bin/python3.12", "3.12.1", false);
        machine.python("pyenv/3.14.7t/bin/python3.14", "3.14.7", true);
        machine.python("pyenv/3.10.13/bin/python3.10", "3.10.13", false);
        let found: Vec<_> = every(&machine.world).into_iter().map(|found| found.path).collect();
        assert_eq!(found, [on_path, of_pyenv]);
    }

    #[test]
    fn an_older_python3_is_passed_over_with_its_version() {
        let machine = Machine::new();
        machine.python("shims/python3", "3.8.18", false);
        let (found, message) = machine.search(Wanted::WithGil);
        assert_eq!(found, None);
        assert!(
            message.contains("it is CPython 3.8.18 with the GIL, older than 3.11"),
            "{message}"
        );
    }

    #[test]
    fn a_variable_that_does_not_fit_is_an_error_that_says_what_it_is() {
        let mut machine = Machine::new();
        machine.python("bin/python3.14t", "3.14.2", true);
        let cases = [
            (machine.python("a/python", "3.14.2", false), "it is CPython 3.14.2 with the GIL"),
            (
                machine.python("b/python", "3.13.1", true),
                "it is CPython 3.13.1 free-threaded, older than 3.14",
            ),
            (machine.file("c/none"), "there is no such file"),
        ];
        for (named, expected) in cases {
            machine.world.variable = Some(named.into());
            let error =
                search(&machine.world, Wanted::FreeThreaded, &mut Attempts::default()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.to_string().contains("free-threaded CPython 3.14 or newer"), "{error}");
        }
        let free_threaded = machine.python("d/python", "3.14.2", true);
        machine.world.variable = Some(free_threaded.into());
        let error = search(&machine.world, Wanted::WithGil, &mut Attempts::default()).unwrap_err();
        assert!(error.to_string().contains("it is CPython 3.14.2 free-threaded"), "{error}");
    }

    #[test]
    fn a_variable_may_be_a_name_on_path() {
        let mut machine = Machine::new();
        let file = machine.python("bin/mypython", "3.14.2", true);
        machine.world.variable = Some("mypython".into());
        assert_eq!(machine.search(Wanted::FreeThreaded).0, Some((file, Source::Variable)));
    }
}
