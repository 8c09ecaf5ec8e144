//! The `sightline` program: hands the command line to [`sightline::cli`] and exits with its answer.

use std::process::ExitCode;

fn main() -> ExitCode {
    sightline::cli::main(std::env::args_os())
}
