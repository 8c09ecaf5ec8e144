//! `sightline models list`, `default` and `remove`

use anyhow::Result;
use indicatif::HumanBytes;

use crate::answers::ModelListAnswer;
use crate::cli::args::{DefaultArgs, ListArgs, RemoveArgs};
use crate::cli::exit::ExitStatus;
use crate::cli::printer::{Printer, Style};
use crate::models::{Entry, Inspected, Place, STARTER};
use crate::workspace::Workspace;

pub(super) fn list(
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
        let details = match registry.inspect(entry) {
            Ok(Inspected { model, has_changed }) => format!(
                "{:>5} dimensions  {:>10}  {:<4}  {}{}",
                model.dimension(),
                HumanBytes(model.n_bytes().unwrap_or(0)).to_string(),
                model.precision(),
                place(entry, printer),
                if has_changed {
                    ", changed since the last check"
                } else {
                    ""
                }
            ),
            Err(error) => {
                let reason = format!("{:#}", anyhow::Error::from(error));
                format!("unusable: {}", Printer::one_line(&reason))
            }
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

pub(super) fn default(
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

pub(super) fn remove(
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
