//! `sightline compact`

use anyhow::Result;
use indicatif::HumanBytes;

use crate::answers::CompactAnswer;
use crate::cli::args::CompactArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::cli::progress::ProgressView;
use crate::engine::Engine;
use crate::workspace::Workspace;

pub(in crate::cli) fn run(
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
