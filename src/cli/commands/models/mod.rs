//! `sightline models`

mod add;
mod check;
mod info;
mod pull;
mod quantize;
mod registry;

use anyhow::Result;

use crate::cli::args::{ModelsArgs, ModelsCommand};
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::workspace::Workspace;

pub(in crate::cli) fn run(
    args: &ModelsArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    match &args.command {
        ModelsCommand::List(args) => registry::list(args, workspace, printer),
        ModelsCommand::Info(args) => info::run(args, workspace, printer),
        ModelsCommand::Add(args) => add::run(args, workspace, printer),
        ModelsCommand::Remove(args) => registry::remove(args, workspace, printer),
        ModelsCommand::Check(args) => check::run(args, workspace, printer),
        ModelsCommand::Pull(args) => pull::run(args, workspace, printer),
        ModelsCommand::Quantize(args) => quantize::run(args, workspace, printer),
        ModelsCommand::Default(args) => registry::default(args, workspace, printer),
    }
}
