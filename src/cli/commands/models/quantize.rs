//! `sightline models quantize`

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::check;
use crate::cli::args::QuantizeArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::printer::Printer;
use crate::models::quantize::{QuantizeOptions, Report, quantize};
use crate::models::{ModelsError, QuantizeError, fp32_in};
use crate::workspace::Workspace;

pub(super) fn run(
    args: &QuantizeArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let entry = workspace.entry(args.which.as_deref())?;
    let label = entry.label();
    let Some(folder) = entry.folder() else {
        return Err(ModelsError::BuiltInQuantized { name: label }.into());
    };
    exit::catch_ctrl_c();
    if write_copies(&label, folder, args.force, printer)?.is_none() {
        return Ok(ExitStatus::Interrupted);
    }
    // The entry describes the model as it was before.
    let entry = workspace.entry(args.which.as_deref())?;
    let checked = check::run_on(&entry, workspace, args.json, printer)?;
    Ok(checked.map_or(ExitStatus::Interrupted, |check| check::status(&check)))
}

/// Writes int8 copies beside the fp32 graphs of a model; `None` when it was interrupted.
pub(super) fn write_copies(
    label: &str,
    folder: &Path,
    replace: bool,
    printer: &Printer,
) -> Result<Option<()>> {
    let model = fp32_in(folder, label)?;
    let others = model.other_text_graphs();
    let options = QuantizeOptions {
        replace,
        ..QuantizeOptions::default()
    };
    for graph in model.graphs() {
        if exit::check_ctrl_c().is_break() {
            return Ok(None);
        }
        let target = int8_path(graph);
        match quantize(graph, &target, &options) {
            Ok(report) => show(&report, &printer.shown(&target), printer),
            // Such as one of 4-bit weights, which runs as it is beside the copies of the others.
            Err(error @ QuantizeError::NothingToDo { .. }) if others.contains(&graph) => {
                printer.note(format_args!("{error}: it is run as it is"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(()))
}

/// `X.onnx` → `X_int8.onnx`
fn int8_path(graph: &Path) -> PathBuf {
    let stem = graph.file_stem().unwrap_or_default();
    let mut name = stem.to_owned();
    name.push("_int8.onnx");
    graph.with_file_name(name)
}

fn show(report: &Report, file: &str, printer: &Printer) {
    let megabytes = |n_bytes: u64| n_bytes as f64 / 1e6;
    printer.note(format_args!(
        "wrote {file}: {} of {} matrix multiplications in int8, {:.1} MB instead of {:.1} MB",
        report.n_quantized,
        report.n_quantized + report.n_kept,
        megabytes(report.bytes_after),
        megabytes(report.bytes_before)
    ));
}
