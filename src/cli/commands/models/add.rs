//! `sightline models add`

use std::path::Path;

use anyhow::{Result, bail};

use super::{check, quantize};
use crate::cli::args::AddArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::printer::Printer;
use crate::cli::progress::BytesView;
use crate::models::{Model, ModelsError, Precision};
use crate::workspace::Workspace;

pub(super) fn run(
    args: &AddArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let registry = workspace.registry();
    exit::catch_ctrl_c();
    let name = args.name.as_deref();
    let pending = match &args.text {
        Some(text) => registry.pending_towers(&args.folder, text, name),
        None => registry.pending(&args.folder, name),
    }?;
    let precisions: Vec<Precision> = pending.models().iter().map(Model::precision).collect();
    let has_int8 = precisions.contains(&Precision::Int8);
    if args.quantize && !has_int8 && !precisions.contains(&Precision::Fp32) {
        let model = args.folder.display().to_string();
        return Err(ModelsError::NothingToQuantize { model }.into());
    }
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
    check::show(&check, workspace, pending.name(), printer)?;
    let shown = printer.shown(&args.folder);
    check::require_matches(&check, &shown, args.anyway, printer)?;
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
    let label = entry.label();
    if args.quantize && !has_int8 {
        let folder = entry.folder().unwrap_or(&args.folder);
        let written = quantize::write_copies(&label, folder, false, printer);
        if written.is_err() {
            printer.note(format_args!(
                "{label} was added without an int8 copy; `sightline models quantize {label}` \
                 writes one"
            ));
        }
        let is_done = written?.is_some()
            && check::run_on(
                &registry.find(Path::new(&label))?,
                workspace,
                false,
                printer,
            )?
            .is_some();
        if !is_done {
            printer.note(format_args!("interrupted; {label} was added"));
            return Ok(ExitStatus::Interrupted);
        }
    } else {
        suggest_quantize(&precisions, &label, printer);
    }
    printer.line(format_args!(
        "added {label}; use it with `--model {label}`, or by default with `sightline models \
         default {label}`"
    ))?;
    Ok(ExitStatus::Found)
}

/// Says what an int8 copy would bring to a model that has none.
pub(super) fn suggest_quantize(precisions: &[Precision], model: &str, printer: &Printer) {
    if precisions.contains(&Precision::Fp32) && !precisions.contains(&Precision::Int8) {
        printer.hint(format_args!(
            "it has no int8 copy: `sightline models quantize {model}` writes one (ViT-B/32: 2.9 \
             times the pictures per second, at a cosine of 0.9992 to fp32)"
        ));
    }
}
