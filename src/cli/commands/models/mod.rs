//! `sightline models`: one file a sub-command.

mod add;
mod check;
mod default;
mod info;
mod list;
mod remove;

use anyhow::Result;

use crate::cli::args::{ModelsArgs, ModelsCommand};
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;

pub(in crate::cli) fn run(
    args: &ModelsArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    match &args.command {
        ModelsCommand::List(args) => list::run(args, settings, printer),
        ModelsCommand::Info(args) => info::run(args, settings, printer),
        ModelsCommand::Add(args) => add::run(args, settings, printer),
        ModelsCommand::Remove(args) => remove::run(args, settings, printer),
        ModelsCommand::Check(args) => check::run(args, settings, printer),
        ModelsCommand::Default(args) => default::run(args, settings, printer),
    }
}
