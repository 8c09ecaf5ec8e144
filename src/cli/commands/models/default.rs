//! `sightline models default`

use anyhow::Result;

use crate::cli::args::DefaultArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::workspace::Workspace;

pub(super) fn run(
    args: &DefaultArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let registry = workspace.registry();
    let Some(name) = &args.name else {
        let entry = registry.default_entry()?;
        printer.line(entry.label())?;
        return Ok(ExitStatus::Found);
    };
    let entry = registry.find_named(name)?;
    // A model that cannot be used must not become the default.
    registry.open_entry(&entry, None)?;
    registry.set_default(name)?;
    printer.line(format_args!("{} is now the default model", entry.label()))?;
    printer.note("existing indexes keep the model they were built with");
    Ok(ExitStatus::Found)
}
