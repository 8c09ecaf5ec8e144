//! `sightline status`

use anyhow::Result;
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use crate::cli::args::StatusArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::output::path_json;
use crate::cli::printer::{Printer, Style};
use crate::cli::settings::Settings;
use crate::engine::{Engine, Status, UnfinishedChange};
use sightline_onnx::picture::{self, DecodeLimits};

pub(in crate::cli) fn run(
    args: &StatusArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    if args.formats {
        return formats(args.json, printer);
    }
    let status = Engine::status(settings.index())?;
    if args.json {
        let libraries: Vec<_> = status
            .libraries
            .iter()
            .map(|library| {
                let mut entry = path_json(&library.folder);
                entry.insert("files".into(), json!(library.n_files));
                entry.insert("last_run_unix_s".into(), json!(library.last_run_unix_s));
                entry
            })
            .collect();
        printer.json(&json!({
            "index": path_json(&status.folder),
            "model": {
                "name": status.model,
                "fingerprint": status.fingerprint,
                "dimension": status.dimension,
            },
            "generation": status.generation,
            "images": status.n_images,
            "files": status.n_files,
            "captions": status.n_captions,
            "bytes_on_disk": status.n_bytes_on_disk,
            "libraries": libraries,
            "unfinished_change": status.unfinished.as_ref().map(unfinished_json),
        }))?;
    } else {
        let mut row = |name: &str, value: String| {
            let name = printer.paint(Style::Dim, &format!("{name:<11}"));
            printer.line(format_args!("{name} {value}"))
        };
        row("index", Printer::safe(&status.folder.to_string_lossy()))?;
        let short = status.fingerprint.get(..12).unwrap_or(&status.fingerprint);
        row(
            "model",
            format!(
                "{} ({} dimensions, {short})",
                status.model, status.dimension
            ),
        )?;
        let (n_images, n_files) = (status.n_images, status.n_files);
        row(
            "images",
            format!("{} in {} files", HumanCount(n_images), HumanCount(n_files)),
        )?;
        row("captions", HumanCount(status.n_captions).to_string())?;
        row("on disk", HumanBytes(status.n_bytes_on_disk).to_string())?;
        row("generation", status.generation.to_string())?;
        for library in &status.libraries {
            let folder = Printer::safe(&library.folder.to_string_lossy());
            row(
                "library",
                format!("{folder} ({} files)", HumanCount(library.n_files)),
            )?;
        }
        if let Some(change) = &status.unfinished {
            row("unfinished", unfinished(change, &status, settings))?;
        }
    }
    Ok(if status.n_images + status.n_captions == 0 {
        ExitStatus::Nothing
    } else {
        ExitStatus::Found
    })
}

/// `change to my-clip, 120 of 300 images; go on with: …; to give it up, delete …`
fn unfinished(change: &UnfinishedChange, status: &Status, settings: &Settings) -> String {
    format!(
        "change to {}, {} of {} images; go on with: {}; to give it up, delete {}",
        Printer::safe(&change.model),
        HumanCount(change.n_images),
        HumanCount(status.n_images),
        Printer::safe(&settings.command_to_go_on(change)),
        settings.shown(&change.folder)
    )
}

fn unfinished_json(change: &UnfinishedChange) -> serde_json::Value {
    json!({
        "model": {
            "name": change.model,
            "fingerprint": change.fingerprint,
            "dimension": change.dimension,
        },
        "images": change.n_images,
        "folder": path_json(&change.folder),
    })
}

/// Which picture formats this build reads. Needs no index.
fn formats(json: bool, printer: &mut Printer) -> Result<ExitStatus> {
    let limits = DecodeLimits::default();
    if json {
        let formats: Vec<_> = picture::formats()
            .iter()
            .map(|format| {
                json!({
                    "name": format.name,
                    "extensions": format.extensions,
                    "read": format.read,
                    "note": format.note,
                })
            })
            .collect();
        printer.json(&json!({
            "formats": formats,
            "limits": {
                "pixels": limits.max_pixels,
                "bytes": limits.max_bytes,
                "seconds": limits.max_time.as_secs_f64(),
            },
        }))?;
        return Ok(ExitStatus::Found);
    }
    for format in picture::formats() {
        let name = printer.paint(Style::Bold, &format!("{:<19}", format.name));
        let note = match (format.read, format.note) {
            (true, note) => note,
            (false, _) => "not read; such a file is skipped and named",
        };
        let extensions = format.extensions.join(" ");
        let line = if note.is_empty() {
            format!("{name} {extensions}")
        } else {
            format!("{name} {extensions}; {}", printer.paint(Style::Dim, note))
        };
        printer.line(line)?;
    }
    printer.line(format_args!(
        "Limits of one picture: {} pixels, {} of memory, {} s",
        HumanCount(limits.max_pixels),
        HumanBytes(limits.max_bytes),
        limits.max_time.as_secs_f64(),
    ))?;
    Ok(ExitStatus::Found)
}
