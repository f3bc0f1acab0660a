//! The first program in each crate's README, run: it prints what is said below it.

use std::env;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::project::Project;

/// A program and what it prints.
#[derive(Debug, PartialEq, Eq)]
struct First {
    program: String,
    output: String,
}

/// Makes a package of them, outside of the workspace, as a user would, and runs each.
pub(super) fn run(project: &Project) -> Result<()> {
    let folder = project.target().join("xtask/first-programs");
    let bin = folder.join("src/bin");
    let _ = fs::remove_dir_all(&bin);
    fs::create_dir_all(&bin).with_context(|| format!("cannot make {}", bin.display()))?;
    let mut manifest = String::from(MANIFEST);
    let mut expected = Vec::new();
    for name in project.public_crates()? {
        let path = project.path("crates").join(&name);
        manifest += &format!("{name} = {{ path = {:?} }}\n", path.display().to_string());
        let readme = path.join("README.md");
        let text = fs::read_to_string(&readme)
            .with_context(|| format!("cannot read {}", readme.display()))?;
        let first = first(&text).with_context(|| format!("in {}", readme.display()))?;
        fs::write(bin.join(&name).with_extension("rs"), first.program)?;
        expected.push((name, first.output));
    }
    fs::write(folder.join("Cargo.toml"), manifest)?;
    // The versions that everything else was tested with.
    fs::copy(project.path("Cargo.lock"), folder.join("Cargo.lock"))?;
    // That of the other program outside of the workspace: they have most of what they need in common.
    let target = project.target().join("xtask/outside-workspace");
    let mut cargo = project.cargo();
    cargo.current_dir(&folder).args(["build", "--quiet", "--target-dir"]).arg(&target);
    process::run(&mut cargo)?;
    for (name, expected) in expected {
        let program = target.join("debug").join(format!("{name}{}", env::consts::EXE_SUFFIX));
        let printed = process::output(&mut Command::new(program))?;
        if printed != expected {
            bail!("the first program of {name} prints\n{printed}instead of\n{expected}");
        }
    }
    Ok(())
}

const MANIFEST: &str = "[package]
name = \"first-programs\"
version = \"0.0.0\"
edition = \"2024\"
publish = false

[workspace]

[lints.rust]
warnings = \"deny\"

[dependencies]
futures-lite = \"2\"
";

/// The program is the first Rust code, what it prints the first text after it.
fn first(readme: &str) -> Result<First> {
    let block = |text: &str, tag: &str| {
        let (_, rest) = text.split_once(&format!("\n```{tag}\n"))?;
        let (code, rest) = rest.split_once("```\n")?;
        Some((code.to_owned(), rest.to_owned()))
    };
    let (program, rest) = block(readme, "rust").context("there is no Rust program")?;
    let (output, _) = block(&rest, "text").context("what the program prints is not said")?;
    Ok(First { program, output })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_text_after_the_program() {
        let readme =
            "# A\n\n```text\npicture\n```\n\n```rust\nfn main() {}\n```\n\n```text\nout\n```\n";
        let expected = First { program: "fn main() {}\n".into(), output: "out\n".into() };
        assert_eq!(first(readme).unwrap(), expected);
        let error = first("\n```rust\nfn main() {}\n```\n").unwrap_err();
        assert_eq!(error.to_string(), "what the program prints is not said");
    }
}
