//! `sightline models remove`

use anyhow::Result;

use crate::cli::args::RemoveArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::models::{Place, STARTER};
use crate::workspace::Workspace;

pub(super) fn run(
    args: &RemoveArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let builder = workspace.builder();
    let is_needed = builder.is_some_and(|(entry, _)| entry.name() == Some(args.name.as_str()));
    let removed = workspace.registry().remove(&args.name)?;
    let name = &args.name;
    printer.line(match &removed.place {
        Place::Linked(folder) => format!(
            "removed {name}; its files remain in {}",
            printer.shown(folder)
        ),
        _ => format!("removed {name} and its files"),
    })?;
    if removed.was_default {
        printer.note(format_args!(
            "it was the default model; the default is now {STARTER}"
        ));
    }
    if is_needed {
        printer.note(format_args!(
            "the index {} was built with it",
            printer.shown(workspace.index())
        ));
        printer.hint("add the model again to search there, or build a new index with `--index`");
    }
    Ok(ExitStatus::Found)
}
