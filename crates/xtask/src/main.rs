//! The project's own commands, run as `cargo xtask <command>`.
//!
//! Each command makes sure of what it needs (an interpreter, a virtual environment, the wheel) and then does
//! its work. What is made once is stamped with a fingerprint of what it was made from, so that a second run
//! with nothing changed starts its work at once.
//!
//! | module | idea |
//! | --- | --- |
//! | `cli` | the command line |
//! | `commands` | what each command does, in order |
//! | `python` | which interpreter, and building one |
//! | `venv`, `wheel` | the environment it works in, and this project's wheel in it |
//! | `documented` | whether every public item says what it has to |
//! | `steps` | headings, times and the summary of a run of many steps |
//! | `project`, `process`, `lock`, `stamp`, `toml`, `interrupt` | the tools of the above |

#![forbid(unsafe_code)]

mod cli;
mod commands;
mod documented;
mod interrupt;
mod lock;
mod process;
mod project;
mod python;
mod stamp;
mod steps;
#[cfg(test)]
mod testing;
mod toml;
mod venv;
mod wheel;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            if let Some(interrupted) = error.downcast_ref::<interrupt::Interrupted>() {
                eprintln!("interrupted");
                return ExitCode::from(interrupted.exit_code());
            }
            eprintln!("error: {}", steps::explain(&error));
            ExitCode::FAILURE
        }
    }
}
