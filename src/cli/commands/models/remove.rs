//! `sightline models remove`

use anyhow::Result;

use crate::cli::args::RemoveArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;
use crate::models::{Place, STARTER};

pub(super) fn run(
    args: &RemoveArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let is_needed = settings.is_made_with(&args.name);
    let removed = settings.registry().remove(&args.name)?;
    let name = &args.name;
    printer.line(match &removed.place {
        Place::Linked(folder) => format!(
            "removed {name}; its files stay in {}",
            settings.shown(folder)
        ),
        _ => format!("removed {name} and its files"),
    })?;
    if removed.was_default {
        printer.note(format_args!(
            "it was the default model; that is now {STARTER}"
        ));
    }
    if is_needed {
        printer.note(format_args!(
            "the index {} was made with it: add it again to search there, or index anew with \
             another --index folder",
            settings.shown(settings.index())
        ));
    }
    Ok(ExitStatus::Found)
}
