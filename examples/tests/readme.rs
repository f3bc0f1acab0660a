//! The Rust programs of the README are examples, and print what the README says.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The examples, in the order in which the README shows them.
const SHOWN: [&str; 2] = ["first", "by_tag"];

/// A program, and the output that is shown behind it.
type Block = (String, String);

#[test]
fn the_readme_shows_the_examples_and_their_output() {
    let blocks = rust_blocks(&fs::read_to_string(root().join("README.md")).unwrap());
    assert_eq!(blocks.len(), SHOWN.len(), "{SHOWN:?} are shown");
    for (name, (program, output)) in SHOWN.iter().zip(blocks) {
        let file = root().join(format!("examples/rust/{name}.rs"));
        assert_eq!(program, without_header(&fs::read_to_string(file).unwrap()), "{name}");
        assert_eq!(output, run(name), "{name}");
    }
}

#[test]
fn a_program_without_its_output_is_a_mistake() {
    let block = |text| rust_blocks(&format!("```rust\nfn main() {{}}\n```\n{text}"));
    assert_eq!(block("\n```text\nout\n```\n"), [("fn main() {}\n".into(), "out\n".into())]);
    assert!(std::panic::catch_unwind(|| block("\nprose\n")).is_err());
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every fenced block of Rust with the fenced text behind it.
fn rust_blocks(markdown: &str) -> Vec<Block> {
    let mut lines = markdown.lines();
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        if line == "```rust" {
            let program = until_fence(&mut lines);
            let next = (lines.next(), lines.next());
            assert_eq!(next, (Some(""), Some("```text")), "no output behind:\n{program}");
            blocks.push((program, until_fence(&mut lines)));
        }
    }
    blocks
}

fn until_fence<'a>(lines: &mut impl Iterator<Item = &'a str>) -> String {
    lines.take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect()
}

/// The source without the comment at its head, which says which example it is.
fn without_header(source: &str) -> String {
    let code = source.lines().skip_while(|line| line.starts_with("//!") || line.is_empty());
    code.flat_map(|line| [line, "\n"]).collect()
}

fn run(name: &str) -> String {
    // Where this test was built: `target/debug/deps`.
    let target = env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["run", "--quiet", "--example", name, "--target-dir"])
        .arg(target)
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && errors.is_empty(), "{name}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
