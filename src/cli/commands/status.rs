//! `sightline status`

use std::time::Duration;

use anyhow::Result;
use indicatif::{HumanBytes, HumanCount, HumanDuration};
use sightline_picture::DecodeLimits;

use crate::answers::{FormatsAnswer, StatusAnswer};
use crate::cli::args::StatusArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::hints;
use crate::cli::printer::{Printer, Style};
use crate::engine::{DamagedData, Engine, GraphState, KindStatus, Status, UnfinishedChange};
use crate::workspace::Workspace;

pub(in crate::cli) fn run(
    args: &StatusArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    if args.formats {
        return formats(args.json, printer);
    }
    let status = Engine::status(workspace.index())?;
    if args.json {
        let texts = workspace.text_languages_of_index();
        printer.json(&StatusAnswer::from((&status, &*texts)))?;
    } else {
        show(&status, workspace, printer)?;
    }
    Ok(if status.n_images + status.n_captions == 0 {
        ExitStatus::Nothing
    } else {
        ExitStatus::Found
    })
}

fn show(status: &Status, workspace: &Workspace, printer: &mut Printer) -> Result<()> {
    let change = status.unfinished.as_ref();
    let change = change.map(|change| unfinished(change, status, workspace, printer));
    let mut row = |name: &str, value: String| {
        let name = printer.paint(Style::Dim, &format!("{name:<13}"));
        printer.line(format_args!("{name} {value}"))
    };
    row("index", Printer::safe(&status.folder.to_string_lossy()))?;
    row("model", model(status))?;
    for (name, languages) in text_towers(workspace) {
        row(&name, languages)?;
    }
    let (n_images, n_files) = (status.n_images, status.n_files);
    row(
        "images",
        format!("{} in {} files", HumanCount(n_images), HumanCount(n_files)),
    )?;
    row(
        "captions",
        match status.n_captions_alone {
            0 => HumanCount(status.n_captions).to_string(),
            n => format!(
                "{}, {} without an image",
                HumanCount(status.n_captions),
                HumanCount(n)
            ),
        },
    )?;
    row("language", status.language.to_string())?;
    row("image graph", graph(&status.images, workspace))?;
    row("caption graph", graph(&status.captions, workspace))?;
    row(
        "on disk",
        format!(
            "{} (records {}, graphs {}, words {})",
            HumanBytes(status.n_bytes_on_disk),
            HumanBytes(status.sizes.n_bytes_of_records),
            HumanBytes(status.sizes.n_bytes_of_graphs),
            HumanBytes(status.sizes.n_bytes_of_words),
        ),
    )?;
    for data in &status.damaged {
        row("damaged", damaged(data, workspace))?;
    }
    row("generation", status.generation.to_string())?;
    for library in &status.libraries {
        let folder = Printer::safe(&library.folder.to_string_lossy());
        row(
            "library",
            format!(
                "{folder} ({} files, {})",
                HumanCount(library.n_files),
                ago(library.last_run_unix_s)
            ),
        )?;
    }
    if let Some(run) = status.last_run {
        let stopped = if run.interrupted { ", interrupted" } else { "" };
        row(
            "last run",
            format!(
                "{}: {} files seen, {} added, {} changed, {} removed, {} skipped{stopped}",
                ago(run.ended_unix_s),
                HumanCount(run.n_seen),
                HumanCount(run.n_added),
                HumanCount(run.n_changed),
                HumanCount(run.n_removed),
                HumanCount(run.n_skipped),
            ),
        )?;
    }
    if let Some(change) = change {
        row("unfinished", change)?;
    }
    Ok(())
}

fn model(status: &Status) -> String {
    let short = status.fingerprint.get(..12).unwrap_or(&status.fingerprint);
    let (model, dimension) = (&status.model, status.dimension);
    format!("{model} ({dimension} dimensions, {short})")
}

/// `text tower 2` and `zh, de, fr`, for each text tower that states its languages.
fn text_towers(workspace: &Workspace) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for (number, languages) in (1..).zip(workspace.text_languages_of_index()) {
        if !languages.is_empty() {
            let codes: Vec<&str> = languages.iter().map(|language| language.code()).collect();
            rows.push((format!("text tower {number}"), codes.join(", ")));
        }
    }
    rows
}

fn damaged(data: &DamagedData, workspace: &Workspace) -> String {
    format!(
        "{} ({}, kept by a repair; delete it with `{}`)",
        Printer::safe(&data.folder.to_string_lossy()),
        HumanBytes(data.n_bytes),
        Printer::safe(&hints::command(
            "check --discard-damaged",
            workspace.named_index()
        ))
    )
}

fn graph(kind: &KindStatus, workspace: &Workspace) -> String {
    let (in_graph, fresh) = kind.in_graph_and_fresh();
    match &kind.graph {
        GraphState::Ready { .. } => format!(
            "{} items in {}, {} newer, {} removed, {} loose",
            HumanCount(in_graph),
            segments(kind.n_graphs),
            HumanCount(fresh),
            HumanCount(kind.n_tombstones),
            HumanCount(kind.n_loose)
        ),
        GraphState::Unusable { reason } => format!(
            "unusable, {}; searches scan all items until the next `{}` or `{}`",
            Printer::safe(reason),
            Printer::safe(&hints::command("index", workspace.named_index())),
            Printer::safe(&hints::command("compact", workspace.named_index()))
        ),
        _ => "none, searches scan all items".to_owned(),
    }
}

fn segments(n: u64) -> String {
    match n {
        1 => "1 segment".to_owned(),
        n => format!("{} segments", HumanCount(n)),
    }
}

/// `5 minutes ago`
fn ago(unix_s: u64) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    match now.saturating_sub(unix_s) {
        0..60 => "just now".to_owned(),
        seconds => format!("{} ago", HumanDuration(Duration::from_secs(seconds))),
    }
}

/// ``change to my-clip, 120 of 300 images; resume with `…`; to discard it, delete …``
fn unfinished(
    change: &UnfinishedChange,
    status: &Status,
    workspace: &Workspace,
    printer: &Printer,
) -> String {
    format!(
        "change to {}, {} of {} images; resume with `{}`; to discard it, delete {}",
        Printer::safe(&change.model),
        HumanCount(change.n_images),
        HumanCount(status.n_images),
        Printer::safe(&hints::command_to_resume(change, workspace)),
        printer.shown(&change.folder)
    )
}

/// Lists the picture formats that this build can read. Needs no index.
fn formats(json: bool, printer: &mut Printer) -> Result<ExitStatus> {
    let limits = DecodeLimits::default();
    if json {
        printer.json(&FormatsAnswer::from((
            sightline_picture::formats(),
            &limits,
        )))?;
        return Ok(ExitStatus::Found);
    }
    for format in sightline_picture::formats() {
        let name = printer.paint(Style::Bold, &format!("{:<19}", format.name));
        let note = match (format.supported, format.note) {
            (true, note) => note,
            (false, _) => "not supported; such files are skipped and reported",
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
        "Limits per picture: {} pixels, {} of memory, {} s",
        HumanCount(limits.max_pixels),
        HumanBytes(limits.max_bytes),
        limits.max_time.as_secs_f64(),
    ))?;
    Ok(ExitStatus::Found)
}
