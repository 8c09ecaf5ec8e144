//! `sightline check`

use std::collections::BTreeMap;

use anyhow::Result;
use sightline_index::{Problem, Repair};

use crate::answers::CheckAnswer;
use crate::cli::args::CheckIndexArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::output::counted;
use crate::cli::printer::Printer;
use crate::cli::progress::ProgressView;
use crate::cli::settings::Settings;
use crate::engine::Engine;

/// How many of many items or files a line names, and how many lost files are named.
const N_NAMED: usize = 5;
const N_LOST_NAMED: usize = 20;

pub(in crate::cli) fn run(
    args: &CheckIndexArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    if args.repair {
        return repair(args.json, settings, printer);
    }
    let problems = Engine::check(settings.index())?;
    if args.json {
        printer.json(&CheckAnswer::from(problems.as_slice()))?;
    } else {
        show(&problems, settings, printer)?;
    }
    Ok(conclude(&problems, settings, printer))
}

/// The end of a check: what it comes to, and what to do.
fn conclude(problems: &[Problem], settings: &Settings, printer: &mut Printer) -> ExitStatus {
    if problems.is_empty() {
        return ExitStatus::Found;
    }
    // What was found comes before what to do about it.
    let _ = printer.flush();
    let folder = settings.shown(settings.index());
    printer.error(
        format_args!("{folder}: the index is not sound"),
        Some("mend it with: sightline check --repair"),
    );
    ExitStatus::Error
}

fn repair(json: bool, settings: &Settings, printer: &mut Printer) -> Result<ExitStatus> {
    let mut view = ProgressView::new(printer);
    let told = Engine::repair(settings.index(), &mut |progress| view.show(progress));
    drop(view);
    let told = told?;
    if json {
        printer.json(&CheckAnswer::from(&told))?;
    } else {
        show(&told.found, settings, printer)?;
        if !told.found.is_empty() && told.left.is_empty() {
            printer.line("all of this is mended")?;
        }
        tell_losses(&told, settings, printer)?;
    }
    if told.has_losses() {
        let _ = printer.flush();
        printer.note(
            "what is lost comes back when its folders and captions files are indexed again: \
             sightline index",
        );
    }
    if let Some(kept) = &told.kept {
        printer.note(format_args!(
            "the damaged records are kept in {}, which may be deleted",
            settings.shown(kept)
        ));
    }
    if !told.left.is_empty() {
        show(&told.left, settings, printer)?;
        let _ = printer.flush();
        printer.error(
            format_args!(
                "{}: not all could be mended",
                settings.shown(settings.index())
            ),
            Some("make a new index in another --index folder"),
        );
        return Ok(ExitStatus::Error);
    }
    Ok(ExitStatus::Found)
}

fn show(problems: &[Problem], settings: &Settings, printer: &mut Printer) -> Result<()> {
    if problems.is_empty() {
        let status = Engine::status(settings.index())?;
        return Ok(printer.line(format_args!(
            "sound: {}, {}, {}, generation {}",
            counted(status.n_images, "picture"),
            counted(status.n_files, "file"),
            counted(status.n_captions, "caption"),
            status.generation
        ))?);
    }
    for line in lines(problems, settings) {
        printer.line(Printer::safe(&line))?;
    }
    Ok(())
}

/// One line for each thing that is wrong, however many items or files it is wrong of.
fn lines(problems: &[Problem], settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    let mut many: BTreeMap<(&'static str, &'static str), Vec<String>> = BTreeMap::new();
    for problem in problems {
        match problem {
            Problem::Item { id, what } => {
                let of = many.entry(("item", *what)).or_default();
                of.push(id.0.to_string());
            }
            Problem::File { path, what } => {
                let of = many.entry(("file", *what)).or_default();
                of.push(settings.shown(path));
            }
            problem => lines.push(problem.to_string()),
        }
    }
    for ((kind, what), names) in many {
        let n = names.len();
        let mut named = names[..n.min(N_NAMED)].join(", ");
        if n > N_NAMED {
            named.push_str(", …");
        }
        lines.push(format!("{}: {what} ({named})", counted(n as u64, kind)));
    }
    lines
}

fn tell_losses(told: &Repair, settings: &Settings, printer: &mut Printer) -> Result<()> {
    let mut lost = Vec::new();
    let mut count = |n: u64, what: &str| {
        if n > 0 {
            lost.push(counted(n, what));
        }
    };
    count(told.n_lost_images, "picture");
    count(told.n_lost_captions, "caption");
    count(told.n_lost_libraries, "note of a library folder");
    count(told.n_lost_commits, "commit");
    if lost.is_empty() && told.lost_files.is_empty() {
        return Ok(());
    }
    printer.line(format_args!("lost: {}", lost.join(", ")))?;
    for path in told.lost_files.iter().take(N_LOST_NAMED) {
        printer.line(format_args!("  {}", settings.shown(path)))?;
    }
    if told.lost_files.len() > N_LOST_NAMED {
        let n = told.lost_files.len() - N_LOST_NAMED;
        printer.line(format_args!("  and {n} more (--json names them all)"))?;
    }
    for path in &told.lost_caption_sources {
        printer.line(format_args!("  captions of {}", settings.shown(path)))?;
    }
    Ok(())
}
