//! The command line: parse, run, print.

mod args;
mod commands;
mod count;
mod deliver;
mod exit;
mod failure;
mod fit;
mod gallery;
mod hints;
mod lines;
mod output;
mod preview;
mod printer;
mod progress;
mod query_line;
mod question;
mod rows;
mod stdin;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use args::{Cli, Command, Global};
use exit::ExitStatus;
use failure::report;
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
            // Those that serve keep it for all their threads.
            let workspace = Arc::new(workspace);
            let is_one_query = cli.command.is_one_query();
            let result = run(cli.command, &workspace, &mut printer);
            let result = result.and_then(|status| Ok(printer.flush().map(|()| status)?));
            if let (Ok(status), true) = (&result, is_one_query) {
                exit::at_once(*status);
            }
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
    workspace: &Arc<Workspace>,
    printer: &mut Printer,
) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Index(args) => commands::index::run(&args, workspace, printer),
        Command::Search(args) if args.interactive => {
            commands::refine::run(&args, workspace, printer)
        }
        Command::Search(args) => commands::search::search(&args, workspace, printer),
        Command::Refine(args) => commands::refine::run(&(*args).into(), workspace, printer),
        Command::Captions(args) => commands::search::captions(&args, workspace, printer),
        Command::Tag(args) => commands::tag::run(&args, workspace, printer),
        Command::Similar(args) => commands::search::similar(&args, workspace, printer),
        Command::Explain(args) => commands::explain::run(&args, workspace, printer),
        Command::Duplicates(args) => commands::duplicates::run(&args, workspace, printer),
        #[cfg(feature = "serve")]
        Command::Serve(args) => commands::serve::run(&args, workspace, printer),
        #[cfg(feature = "serve")]
        Command::Mcp(args) => commands::mcp::run(&args, workspace),
        #[cfg(feature = "serve")]
        Command::Watch(args) => commands::watch::run(&args, workspace, printer),
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
        Command::Completions(args) => commands::shell::completions(&args, printer),
        Command::Man(args) => commands::shell::man(&args, printer),
    }
}
