//! `sightline export`

use anyhow::Result;
use serde_json::json;

use crate::cli::args::ExportArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::output::{counted, path_json};
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;
use crate::engine::Engine;
use crate::engine::exchange::ExportRequest;

pub(in crate::cli) fn run(
    args: &ExportArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let request = ExportRequest {
        to: args.to.clone(),
        force: args.force,
    };
    let report = Engine::export(settings.index(), &request)?;
    printer.note(format_args!(
        "exported {} and {} to {}",
        counted(report.n_images, "picture"),
        counted(report.n_captions, "caption"),
        settings.shown(&args.to)
    ));
    if args.json {
        printer.json(&json!({
            "folder": path_json(&std::path::absolute(&args.to)?),
            "images": report.n_images,
            "captions": report.n_captions,
        }))?;
    }
    Ok(ExitStatus::Found)
}
