//! `sightline import`

use anyhow::Result;

use crate::answers::ImportAnswer;
use crate::cli::args::ImportArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::output::counted;
use crate::cli::printer::Printer;
use crate::cli::progress::ProgressView;
use crate::engine::Engine;
use crate::workspace::Workspace;

pub(in crate::cli) fn run(
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
