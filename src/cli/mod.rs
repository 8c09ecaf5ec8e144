//! The command line: parse, run, print. One match, no work of its own.

mod args;
mod commands;
mod exit;
mod gallery;
mod hints;
mod interrupt;
mod output;
mod printer;
mod progress;
mod rows;
mod settings;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Cli, Command};
use exit::ExitStatus;
use hints::Hint;
use printer::Printer;
use settings::Settings;

/// Runs the program with these arguments, the first being its own name, and says how it ended.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    leave_caught_panics_to_their_errors();
    let cli = match Cli::parse_arguments(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Prints help and version on stdout, mistakes on stderr; a closed pipe is no failure.
            let _ = error.print();
            let status = if error.use_stderr() {
                ExitStatus::Error
            } else {
                ExitStatus::Found
            };
            return status.into();
        }
    };
    let mut printer = Printer::new(cli.global.quiet);
    let flushed = |printer: &mut Printer| printer.flush().map_err(anyhow::Error::from);
    let ran = run(cli, &mut printer);
    let status = match ran.and_then(|status| Ok(flushed(&mut printer).map(|()| status)?)) {
        Ok(status) => status,
        // `sightline search … | head` is not a failure.
        Err(Failure { error, .. }) if is_broken_pipe(&error) => ExitStatus::Found,
        Err(Failure { error, hint }) => {
            let _ = printer.flush();
            let hint = hint.or_else(|| error.hint());
            printer.error(chain(&error), hint.as_deref());
            ExitStatus::Error
        }
    };
    status.into()
}

/// A decoder that panics makes its file one that is skipped, which is said in its place; the panic
/// itself, with places in the source of a library, would only fill the screen.
fn leave_caught_panics_to_their_errors() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !sightline_picture::panics_are_caught() {
            usual(panic);
        }
    }));
}

/// An error, and the way out of it where that depends on the settings.
struct Failure {
    error: anyhow::Error,
    hint: Option<String>,
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { error, hint: None }
    }
}

fn run(cli: Cli, printer: &mut Printer) -> Result<ExitStatus, Failure> {
    let settings = Settings::new(&cli.global)?;
    run_command(cli.command, &settings, printer).map_err(|error| Failure {
        hint: settings.hint(&error),
        error,
    })
}

fn run_command(
    command: Command,
    settings: &Settings,
    printer: &mut Printer,
) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Index(args) => commands::index::run(&args, settings, printer),
        Command::Search(args) => commands::search::run(&args, settings, printer),
        Command::Captions(args) => commands::captions::run(&args, settings, printer),
        Command::Status(args) => commands::status::run(&args, settings, printer),
        Command::Bench(args) => commands::bench::run(&args, settings, printer),
        Command::Eval(args) => commands::eval::run(&args, settings, printer),
        Command::Check(args) => commands::check::run(&args, settings, printer),
        Command::Compact(args) => commands::compact::run(&args, settings, printer),
        Command::Remove(args) => commands::remove::run(&args, settings, printer),
        Command::Export(args) => commands::export::run(&args, settings, printer),
        Command::Import(args) => commands::import::run(&args, settings, printer),
        Command::Models(args) => commands::models::run(&args, settings, printer),
        Command::Embed(args) => commands::embed::run(&args, settings, printer),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// The error and its causes on one line, without saying the same twice.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    Printer::safe(&text)
}
