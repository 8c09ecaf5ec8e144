//! The `sightline` program: passes its arguments to [`sightline::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    sightline::cli::main(std::env::args_os())
}
