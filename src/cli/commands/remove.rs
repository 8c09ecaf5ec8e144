//! `sightline remove`

use anyhow::Result;
use serde_json::json;

use crate::cli::args::RemoveFilesArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::output::{counted, path_json};
use crate::cli::printer::Printer;
use crate::cli::progress::ProgressView;
use crate::cli::settings::Settings;
use crate::engine::Engine;

pub(in crate::cli) fn run(
    args: &RemoveFilesArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let mut view = ProgressView::new(printer);
    let report = Engine::remove(settings.index(), &args.paths, &mut |progress| {
        view.show(progress);
    });
    drop(view);
    let report = report?;
    for path in &report.unknown {
        printer.note(format_args!(
            "{}: not in the index",
            Printer::safe(&path.to_string_lossy())
        ));
    }
    for folder in &report.libraries {
        printer.note(format_args!(
            "{}: no library folder any more",
            settings.shown(folder)
        ));
    }
    printer.note(format_args!(
        "removed {} ({}) and {}",
        counted(report.n_files, "file"),
        counted(report.n_images, "picture"),
        counted(report.n_captions, "caption"),
    ));
    if args.json {
        let paths = |paths: &[std::path::PathBuf]| -> Vec<_> {
            paths.iter().map(|path| path_json(path)).collect()
        };
        printer.json(&json!({
            "files": report.n_files,
            "images": report.n_images,
            "captions": report.n_captions,
            "libraries": paths(&report.libraries),
            "unknown": paths(&report.unknown),
        }))?;
    }
    Ok(if report.unknown.is_empty() {
        ExitStatus::Found
    } else {
        ExitStatus::Nothing
    })
}
