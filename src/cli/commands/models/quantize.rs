//! `sightline models quantize`

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use sightline_onnx::quantize::{QuantizeOptions, Report, quantize_with};
use sightline_onnx::{Model, Precision};

use super::check;
use crate::cli::args::QuantizeArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::interrupt;
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;
use crate::models::ModelsError;

pub(super) fn run(
    args: &QuantizeArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let entry = settings.entry(args.which.as_deref())?;
    let Some(folder) = entry.folder() else {
        bail!("{}: the built-in model cannot be quantised", entry.label());
    };
    let model = Model::open_with(folder, Some(Precision::Fp32)).map_err(ModelsError::from)?;
    let mut graphs: Vec<&Path> = model.image_graph().into_iter().collect();
    // Both towers may be in one file.
    graphs.extend(model.text_graph().filter(|text| !graphs.contains(text)));
    interrupt::listen();
    let options = QuantizeOptions {
        replace: args.force,
        ..QuantizeOptions::default()
    };
    for graph in graphs {
        if interrupt::check().is_break() {
            return Ok(ExitStatus::Interrupted);
        }
        let target = int8_path(graph);
        let report = quantize_with(graph, &target, &options).map_err(ModelsError::from)?;
        tell(&report, &settings.shown(&target), printer);
    }
    // What was written down of the model is about what it was before.
    let entry = settings.entry(args.which.as_deref())?;
    check::run_on(&entry, settings, args.json, printer)
}

/// `X.onnx` → `X_int8.onnx`
fn int8_path(graph: &Path) -> PathBuf {
    let stem = graph.file_stem().unwrap_or_default();
    let mut name = stem.to_owned();
    name.push("_int8.onnx");
    graph.with_file_name(name)
}

fn tell(report: &Report, file: &str, printer: &Printer) {
    let megabytes = |n_bytes: u64| n_bytes as f64 / 1e6;
    printer.note(format_args!(
        "wrote {file}: {} of {} multiplications in int8, {:.1} MB instead of {:.1} MB",
        report.n_quantized,
        report.n_quantized + report.n_kept,
        megabytes(report.bytes_after),
        megabytes(report.bytes_before)
    ));
}
