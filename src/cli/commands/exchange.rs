//! `sightline export` and `sightline import`

use anyhow::Result;

use crate::answers::{ExportAnswer, ImportAnswer};
use crate::cli::args::{ExportArgs, ImportArgs};
use crate::cli::exit::ExitStatus;
use crate::cli::output::counted;
use crate::cli::printer::Printer;
use crate::cli::progress::ProgressView;
use crate::engine::Engine;
use crate::engine::exchange::ExportRequest;
use crate::workspace::Workspace;

pub(in crate::cli) fn export(
    args: &ExportArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let request = ExportRequest {
        to: args.to.clone(),
        force: args.force,
    };
    let report = Engine::export(workspace.index(), &request)?;
    printer.note(format_args!(
        "exported {} and {} to {}",
        counted(report.n_images, "picture"),
        counted(report.n_captions, "caption"),
        printer.shown(&args.to)
    ));
    if args.json {
        let folder = std::path::absolute(&args.to)?;
        printer.json(&ExportAnswer::from((&*folder, &report)))?;
    }
    Ok(ExitStatus::Found)
}

pub(in crate::cli) fn import(
    args: &ImportArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let mut view = ProgressView::new(printer);
    let report = Engine::import(workspace.index(), &args.from, &mut |progress| {
        view.show(progress);
    });
    drop(view);
    let report = report?;
    let known = match report.n_known {
        0 => String::new(),
        n => format!(", {n} already in the index"),
    };
    printer.postponed(&report.postponed);
    printer.note(format_args!(
        "imported {} ({}{known}) and {}",
        counted(report.n_images, "picture"),
        counted(report.n_files, "file"),
        counted(report.n_captions, "caption"),
    ));
    if args.json {
        printer.json(&ImportAnswer::from(&report))?;
    }
    Ok(ExitStatus::Found)
}
