//! `sightline models quantize`

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::check;
use crate::cli::args::QuantizeArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::printer::Printer;
use crate::models::quantize::{QuantizeOptions, Report, quantize};
use crate::models::{Model, Precision};
use crate::workspace::Workspace;

pub(super) fn run(
    args: &QuantizeArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let entry = workspace.entry(args.which.as_deref())?;
    let Some(folder) = entry.folder() else {
        bail!("{}: the built-in model cannot be quantized", entry.label());
    };
    let model = Model::open_with(folder, Some(Precision::Fp32))?;
    let mut graphs: Vec<&Path> = model.image_graph().into_iter().collect();
    // Both towers may share one file.
    graphs.extend(model.text_graph().filter(|text| !graphs.contains(text)));
    exit::catch_ctrl_c();
    let options = QuantizeOptions {
        replace: args.force,
        ..QuantizeOptions::default()
    };
    for graph in graphs {
        if exit::check_ctrl_c().is_break() {
            return Ok(ExitStatus::Interrupted);
        }
        let target = int8_path(graph);
        let report = quantize(graph, &target, &options)?;
        show(&report, &printer.shown(&target), printer);
    }
    // The entry describes the model as it was before.
    let entry = workspace.entry(args.which.as_deref())?;
    check::run_on(&entry, workspace, args.json, printer)
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
