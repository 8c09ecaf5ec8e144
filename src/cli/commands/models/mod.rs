//! `sightline models`: one file a sub-command.

mod add;
mod check;
mod default;
mod info;
mod list;
mod pull;
mod quantize;
mod remove;

use anyhow::Result;

use crate::cli::args::{ModelsArgs, ModelsCommand};
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;
use crate::models::{Entry, Place};

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
        ModelsCommand::Pull(args) => pull::run(args, settings, printer),
        ModelsCommand::Quantize(args) => quantize::run(args, settings, printer),
        ModelsCommand::Default(args) => default::run(args, settings, printer),
    }
}

/// Where a model's files are.
fn place(entry: &Entry, settings: &Settings) -> String {
    match entry.place() {
        Place::BuiltIn => "built in".to_owned(),
        Place::Copied(folder) | Place::Folder(folder) => settings.shown(folder),
        Place::Linked(folder) => format!("linked: {}", settings.shown(folder)),
    }
}
