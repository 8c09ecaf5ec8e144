//! `sightline check`

use std::collections::BTreeMap;

use anyhow::Result;
use indicatif::HumanBytes;

use crate::answers::CheckAnswer;
use crate::cli::args::CheckIndexArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::hints;
use crate::cli::output::counted;
use crate::cli::printer::Printer;
use crate::cli::progress::ProgressView;
use crate::engine::{DamagedData, Engine, Problem, Repair};
use crate::workspace::Workspace;

/// Number of items or files that the line of one problem lists.
const N_LISTED: usize = 5;
/// Number of lost files listed without `--json`.
const N_LOST_LISTED: usize = 20;

pub(in crate::cli) fn run(
    args: &CheckIndexArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    if args.repair {
        return repair(args.json, workspace, printer);
    }
    let folder = workspace.index();
    let problems = Engine::check(folder)?;
    let discarded = if args.discard_damaged && problems.is_empty() {
        Engine::discard_damaged(folder)?
    } else {
        Vec::new()
    };
    let damaged = Engine::damaged(folder)?;
    if args.json {
        printer.json(&CheckAnswer::new(&problems, &damaged, &discarded))?;
    } else {
        show(&problems, workspace, printer)?;
        for data in &discarded {
            let (folder, size) = (printer.shown(&data.folder), HumanBytes(data.n_bytes));
            printer.line(format_args!("deleted {folder} ({size})"))?;
        }
    }
    note_damaged(&damaged, problems.is_empty(), workspace, printer);
    Ok(conclude(&problems, workspace, printer))
}

/// Names the damaged data that repairs have kept, and how to delete them. What a damaged index has
/// lost may be in them.
fn note_damaged(
    damaged: &[DamagedData],
    is_sound: bool,
    workspace: &Workspace,
    printer: &mut Printer,
) {
    if damaged.is_empty() {
        return;
    }
    let _ = printer.flush();
    for data in damaged {
        let (folder, size) = (printer.shown(&data.folder), HumanBytes(data.n_bytes));
        printer.note(format_args!(
            "the damaged data before a repair are kept in {folder} ({size})"
        ));
    }
    let command = hints::command("check --discard-damaged", workspace.named_index());
    printer.note(if is_sound {
        format!("delete them with `{command}`")
    } else {
        "they are kept until the index is sound".to_owned()
    });
}

/// Reports the outcome of a check.
fn conclude(problems: &[Problem], workspace: &Workspace, printer: &mut Printer) -> ExitStatus {
    if problems.is_empty() {
        return ExitStatus::Found;
    }
    // The problems come before the hint.
    let _ = printer.flush();
    let folder = printer.shown(workspace.index());
    let command = hints::command("check --repair", workspace.named_index());
    printer.error(
        format_args!("{folder}: the index is damaged"),
        Some(&format!("repair it with `{command}`")),
    );
    ExitStatus::Error
}

fn repair(json: bool, workspace: &Workspace, printer: &mut Printer) -> Result<ExitStatus> {
    let mut view = ProgressView::new(printer);
    let repaired = Engine::repair(workspace.index(), &mut |progress| view.show(progress));
    drop(view);
    let repaired = repaired?;
    let damaged = Engine::damaged(workspace.index())?;
    if json {
        printer.json(&CheckAnswer::repaired(&repaired, &damaged))?;
    } else {
        show(&repaired.found, workspace, printer)?;
        if !repaired.found.is_empty() && repaired.left.is_empty() {
            printer.line("all problems were repaired")?;
        }
        show_losses(&repaired, printer)?;
    }
    if repaired.has_losses() {
        let _ = printer.flush();
        printer.note(format_args!(
            "`{}` with the same folders and captions files restores what is lost",
            hints::command("index", workspace.named_index())
        ));
    }
    note_damaged(&damaged, repaired.left.is_empty(), workspace, printer);
    if !repaired.left.is_empty() {
        show(&repaired.left, workspace, printer)?;
        let _ = printer.flush();
        printer.error(
            format_args!(
                "{}: not all problems could be repaired",
                printer.shown(workspace.index())
            ),
            Some("build a new index with `--index`"),
        );
        return Ok(ExitStatus::Error);
    }
    Ok(ExitStatus::Found)
}

fn show(problems: &[Problem], workspace: &Workspace, printer: &mut Printer) -> Result<()> {
    if problems.is_empty() {
        let status = Engine::status(workspace.index())?;
        return Ok(printer.line(format_args!(
            "no problems: {}, {}, {}, generation {}",
            counted(status.n_images, "picture"),
            counted(status.n_files, "file"),
            counted(status.n_captions, "caption"),
            status.generation
        ))?);
    }
    for line in lines(problems, printer) {
        printer.line(Printer::safe(&line))?;
    }
    Ok(())
}

/// One line per kind of problem, however many items or files have it.
fn lines(problems: &[Problem], printer: &Printer) -> Vec<String> {
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
                of.push(printer.shown(path));
            }
            problem => lines.push(problem.to_string()),
        }
    }
    for ((kind, what), names) in many {
        let n = names.len();
        let mut named = names[..n.min(N_LISTED)].join(", ");
        if n > N_LISTED {
            named.push_str(", …");
        }
        lines.push(format!("{}: {what} ({named})", counted(n, kind)));
    }
    lines
}

fn show_losses(repaired: &Repair, printer: &mut Printer) -> Result<()> {
    let mut lost = Vec::new();
    let mut count = |n: u64, what: &str| {
        if n > 0 {
            lost.push(counted(n, what));
        }
    };
    count(repaired.n_lost_images, "picture");
    count(repaired.n_lost_captions, "caption");
    count(repaired.n_lost_libraries, "library folder record");
    count(repaired.n_lost_commits, "commit");
    if lost.is_empty() && repaired.lost_files.is_empty() {
        return Ok(());
    }
    printer.line(format_args!("lost: {}", lost.join(", ")))?;
    for path in repaired.lost_files.iter().take(N_LOST_LISTED) {
        printer.line(format_args!("  {}", printer.shown(path)))?;
    }
    if repaired.lost_files.len() > N_LOST_LISTED {
        let n = repaired.lost_files.len() - N_LOST_LISTED;
        printer.line(format_args!("  and {n} more (use --json to list all)"))?;
    }
    for path in &repaired.lost_caption_sources {
        printer.line(format_args!("  captions of {}", printer.shown(path)))?;
    }
    Ok(())
}
