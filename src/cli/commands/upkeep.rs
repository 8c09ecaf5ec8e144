//! `sightline remove` and `sightline compact`

use anyhow::Result;
use indicatif::HumanBytes;

use crate::answers::{CompactAnswer, RemoveAnswer};
use crate::cli::args::{CompactArgs, RemoveFilesArgs};
use crate::cli::exit::ExitStatus;
use crate::cli::output::counted;
use crate::cli::printer::Printer;
use crate::cli::progress::ProgressView;
use crate::engine::Engine;
use crate::workspace::Workspace;

pub(in crate::cli) fn remove(
    args: &RemoveFilesArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let mut view = ProgressView::new(printer);
    let report = Engine::remove(workspace.index(), &args.paths, &mut |progress| {
        view.show(progress);
    });
    drop(view);
    let report = report?;
    for path in &report.unknown {
        printer.note(format_args!(
            "{}: not in the index",
            Printer::safe(&path.to_string_lossy())
        ));
    }
    for folder in &report.libraries {
        printer.note(format_args!(
            "{}: no longer a library folder",
            printer.shown(folder)
        ));
    }
    printer.postponed(&report.postponed);
    printer.note(format_args!(
        "removed {} ({}) and {}",
        counted(report.n_files, "file"),
        counted(report.n_images, "picture"),
        counted(report.n_captions, "caption"),
    ));
    if args.json {
        printer.json(&RemoveAnswer::from(&report))?;
    }
    Ok(if report.unknown.is_empty() {
        ExitStatus::Found
    } else {
        ExitStatus::Nothing
    })
}

pub(in crate::cli) fn compact(
    args: &CompactArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let mut view = ProgressView::new(printer);
    let compacted = Engine::compact(workspace.index(), &mut |progress| view.show(progress));
    drop(view);
    let compacted = compacted?;
    printer.note(format_args!(
        "compacted from {} to {}",
        HumanBytes(compacted.n_bytes_before),
        HumanBytes(compacted.n_bytes_after)
    ));
    if args.json {
        printer.json(&CompactAnswer::from(&compacted))?;
    }
    Ok(ExitStatus::Found)
}
