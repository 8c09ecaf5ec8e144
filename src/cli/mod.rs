//! The command line: parse, run, print.

mod args;
mod commands;
mod count;
mod deliver;
mod exit;
mod fit;
mod gallery;
mod hints;
mod output;
mod preview;
mod printer;
mod progress;
mod rows;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Cli, Command, Global};
use exit::ExitStatus;
use printer::Printer;

use crate::models::SessionOptions;
use crate::platform;
use crate::workspace::{Workspace, WorkspaceError, WorkspaceOptions};

/// Runs the program with these arguments, the first being its own name, and returns its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    silence_caught_panics();
    let cli = match Cli::parse_arguments(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout, mistakes to stderr; a closed pipe is not a failure.
            if !error.use_stderr() {
                let _ = error.print();
                return ExitStatus::Found.into();
            }
            Printer::usage_error(&error);
            return ExitStatus::Error.into();
        }
    };
    let mut printer = Printer::new(cli.global.quiet);
    let status = match workspace(&cli.global, &cli.command) {
        Ok(workspace) => {
            let result = run(cli.command, &workspace, &mut printer);
            let result = result.and_then(|status| Ok(printer.flush().map(|()| status)?));
            result.unwrap_or_else(|error| report(&error, Some(&workspace), &mut printer))
        }
        Err(error) => report(&error.into(), None, &mut printer),
    };
    status.into()
}

/// Keeps panics that a decoder's caller catches off the screen: the file is reported as skipped.
fn silence_caught_panics() {
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !sightline_picture::panics_are_caught() {
            default_hook(panic);
        }
    }));
}

fn workspace(global: &Global, command: &Command) -> Result<Workspace, WorkspaceError> {
    let session = SessionOptions {
        n_threads: global.threads.map(Into::into),
        device: global.device,
        few_runs: command.is_one_query(),
    };
    let options = WorkspaceOptions {
        index: global.index.clone(),
        model: global.model.clone(),
        // The model in the environment, or the default one, changes no index.
        may_change_model: global.model_is_typed,
        precision: global.precision,
        session,
    };
    let runtime = Box::new(platform::runtime_source());
    Workspace::new(options, platform::data_folder(), runtime)
}

fn run(
    command: Command,
    workspace: &Workspace,
    printer: &mut Printer,
) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Index(args) => commands::index::run(&args, workspace, printer),
        Command::Search(args) => commands::search::search(&args, workspace, printer),
        Command::Captions(args) => commands::search::captions(&args, workspace, printer),
        Command::Similar(args) => commands::search::similar(&args, workspace, printer),
        Command::Duplicates(args) => commands::duplicates::run(&args, workspace, printer),
        Command::Status(args) => commands::status::run(&args, workspace, printer),
        Command::Bench(args) => commands::bench::run(&args, workspace, printer),
        Command::Eval(args) => commands::eval::run(&args, workspace, printer),
        Command::Check(args) => commands::check::run(&args, workspace, printer),
        Command::Compact(args) => commands::upkeep::compact(&args, workspace, printer),
        Command::Remove(args) => commands::upkeep::remove(&args, workspace, printer),
        Command::Export(args) => commands::exchange::export(&args, workspace, printer),
        Command::Import(args) => commands::exchange::import(&args, workspace, printer),
        Command::Models(args) => commands::models::run(&args, workspace, printer),
        Command::Embed(args) => commands::embed::run(&args, workspace, printer),
    }
}

/// Prints an error with its hint, and returns the exit status it leads to.
fn report(
    error: &anyhow::Error,
    workspace: Option<&Workspace>,
    printer: &mut Printer,
) -> ExitStatus {
    if is_broken_pipe(error) {
        // `sightline search … | head` is not a failure.
        return ExitStatus::Found;
    }
    let _ = printer.flush();
    printer.error(chain(error), hints::hint(error, workspace).as_deref());
    ExitStatus::Error
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// The error and its causes on one line, without repetitions.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = Printer::one_line(&cause.to_string());
        let cause = without_known_path(&cause, &text);
        if !text.contains(cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(cause);
        }
    }
    text
}

/// The reason alone of a failure to open, read or write a file whose path is known already:
/// "failed to open file `a.jpg`: permission denied".
fn without_known_path<'a>(cause: &'a str, known: &str) -> &'a str {
    let reason = cause
        .strip_prefix("failed to ")
        .and_then(|rest| rest.split_once('`'))
        .and_then(|(_, rest)| rest.rsplit_once("`: "))
        .filter(|(path, _)| known.contains(path));
    reason.map_or(cause, |(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_once() {
        let chained = |causes: &[&str]| {
            let mut causes = causes.iter().rev().map(ToString::to_string);
            let innermost = anyhow::Error::msg(causes.next().unwrap());
            chain(&causes.fold(innermost, anyhow::Error::context))
        };
        let opened = "failed to open file `/a/b.jpg`: Permission denied (os error 13)";
        let rows: [(&[&str], &str); 4] = [
            (&[opened], opened),
            (
                &["/a/b.jpg: cannot read this model file", opened],
                "/a/b.jpg: cannot read this model file: Permission denied (os error 13)",
            ),
            (&["/c.jpg: no", opened], &format!("/c.jpg: no: {opened}")),
            (&["a\nb", "b"], "a b"),
        ];
        assert_eq!(rows.len(), 4);
        for (causes, expected) in rows {
            assert_eq!(chained(causes), expected);
        }
    }
}
