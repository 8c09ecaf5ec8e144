//! `sightline models list`

use anyhow::Result;
use indicatif::HumanBytes;

use crate::answers::ModelListAnswer;
use crate::cli::args::ListArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::{Printer, Style};
use crate::models::{Entry, Place};
use crate::workspace::Workspace;

pub(super) fn run(
    args: &ListArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let registry = workspace.registry();
    let default = registry.default_name()?;
    let entries = registry.list()?;
    if args.json {
        printer.json(&ModelListAnswer::new(registry, &entries, &default))?;
        return Ok(ExitStatus::Found);
    }
    let width = entries.iter().map(|entry| entry.label().len()).max();
    for entry in &entries {
        let name = entry.label();
        let mark = if name == default { '*' } else { ' ' };
        let padded = format!("{name:<0$}", width.unwrap_or(0));
        let name = printer.paint(Style::Bold, &padded);
        let details = match registry.open_entry(entry, entry.chosen()) {
            Ok(model) => format!(
                "{:>5} dimensions  {:>10}  {:<4}  {}",
                model.dimension(),
                HumanBytes(model.n_bytes().unwrap_or(0)).to_string(),
                model.precision(),
                place(entry, printer)
            ),
            Err(error) => format!("unusable: {}", Printer::safe(&error.to_string())),
        };
        printer.line(format_args!("{mark} {name}  {details}"))?;
    }
    if entries.iter().all(|entry| entry.label() != default) {
        printer.note(format_args!("the default model, {default}, is missing"));
        printer.hint("choose another default model, such as `sightline models default starter`");
    }
    Ok(ExitStatus::Found)
}

/// Where a model's files are.
pub(super) fn place(entry: &Entry, printer: &Printer) -> String {
    match entry.place() {
        Place::BuiltIn => "built in".to_owned(),
        Place::Copied(folder) | Place::Folder(folder) => printer.shown(folder),
        Place::Linked(folder) => format!("linked: {}", printer.shown(folder)),
    }
}
