//! `sightline export`

use anyhow::Result;

use crate::answers::ExportAnswer;
use crate::cli::args::ExportArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::output::counted;
use crate::cli::printer::Printer;
use crate::engine::Engine;
use crate::engine::exchange::ExportRequest;
use crate::workspace::Workspace;

pub(in crate::cli) fn run(
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
        printer.json(&ExportAnswer::new(&folder, &report))?;
    }
    Ok(ExitStatus::Found)
}
