//! `sightline models default`

use anyhow::Result;

use crate::cli::args::DefaultArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;

pub(super) fn run(
    args: &DefaultArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let registry = settings.registry();
    let Some(name) = &args.name else {
        let entry = registry.default_entry()?;
        printer.line(entry.label())?;
        return Ok(ExitStatus::Found);
    };
    let entry = registry.find_named(name)?;
    // One that cannot be used is no default.
    registry.open_entry(&entry, None)?;
    registry.set_default(name)?;
    printer.line(format_args!("{} is the default model now", entry.label()))?;
    printer.note("an index that is there already keeps to the model that made it");
    Ok(ExitStatus::Found)
}
