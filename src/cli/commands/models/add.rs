//! `sightline models add`

use anyhow::{Result, bail};

use super::check;
use crate::cli::args::AddArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::printer::Printer;
use crate::cli::progress::BytesView;
use crate::models::ModelsError;
use crate::workspace::Workspace;

pub(super) fn run(
    args: &AddArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let registry = workspace.registry();
    exit::catch_ctrl_c();
    let pending = registry.pending(&args.folder, args.name.as_deref())?;
    let Some(check) = check::check(pending.models(), workspace, printer, false)? else {
        return Ok(ExitStatus::Interrupted);
    };
    if check.verdict.chosen.is_none() {
        let why: Vec<&str> = check
            .checked
            .iter()
            .filter_map(|checked| checked.outcome.as_ref().err().map(String::as_str))
            .collect();
        bail!("{}: {}", args.folder.display(), why.join("; "));
    }
    let added = if args.link {
        registry.add_link(&pending, &check)
    } else {
        let mut view = BytesView::new(printer, "Copying");
        registry.add_copy(&pending, &check, &mut |progress| {
            view.show(progress.n_done, progress.n_total);
            exit::check_ctrl_c()
        })
    };
    let entry = match added {
        Err(ModelsError::Stopped) => return Ok(ExitStatus::Interrupted),
        added => added?,
    };
    check::show(&check, workspace, &entry.label(), printer)?;
    printer.line(format_args!(
        "added {0}; use it with `--model {0}`, or by default with `sightline models default {0}`",
        entry.label()
    ))?;
    Ok(ExitStatus::Found)
}
