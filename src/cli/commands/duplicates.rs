//! `sightline duplicates`

use anyhow::Result;
use indicatif::HumanBytes;

use crate::answers::DuplicatesAnswer;
use crate::cli::args::DuplicatesArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::fit;
use crate::cli::hints;
use crate::cli::output::counted;
use crate::cli::printer::{Printer, Style};
use crate::cli::progress::ProgressView;
use crate::engine::{
    DuplicateFile, DuplicateGroup, DuplicatesReport, DuplicatesRequest, Engine, Skipped,
};
use crate::workspace::Workspace;

/// Number of skipped files listed.
const N_LISTED: usize = 10;

/// Width of the number of a group and its kind, below which its further files are indented.
const INDENT: usize = 12;

pub(in crate::cli) fn run(
    args: &DuplicatesArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let request = DuplicatesRequest {
        folder: args.folder.clone(),
        exact_only: args.exact,
        ..DuplicatesRequest::default()
    };
    exit::catch_ctrl_c();
    let mut view = ProgressView::new(printer);
    let report = Engine::duplicates(workspace.index(), &request, &mut |progress| {
        view.show(progress);
        exit::check_ctrl_c()
    });
    drop(view);
    let report = report?;
    if args.json {
        printer.json(&DuplicatesAnswer::from(&report))?;
    } else if args.paths {
        print_paths(&report, args.null, printer)?;
    } else {
        print_groups(&report, printer)?;
    }
    printer.flush()?;
    note(&report, workspace, printer);
    Ok(if report.interrupted {
        ExitStatus::Interrupted
    } else if report.groups.is_empty() {
        ExitStatus::Nothing
    } else {
        ExitStatus::Found
    })
}

/// All files but those to keep.
fn print_paths(report: &DuplicatesReport, null: bool, printer: &mut Printer) -> Result<()> {
    for file in report.groups.iter().flat_map(|group| &group.others) {
        printer.bytes(file.path.as_os_str().as_encoded_bytes())?;
        printer.bytes(if null { b"\0" } else { b"\n" })?;
    }
    Ok(())
}

fn print_groups(report: &DuplicatesReport, printer: &mut Printer) -> Result<()> {
    let columns = Printer::width();
    for (number, group) in (1..).zip(&report.groups) {
        let DuplicateGroup {
            keep,
            reason,
            others,
        } = group;
        let kind = if group.is_exact() { "exact" } else { "near" };
        let number = printer.paint(Style::Bold, &format!("{number:>3}"));
        let begin = format!("{number}  {kind:<5}  ");
        let facts = format!("{}, keep: {}", facts(keep), reason.text());
        let path = shown(keep, &facts, columns, printer);
        let path = printer.paint(Style::Green, &path);
        let facts = printer.paint(Style::Dim, &facts);
        printer.line(format_args!("{begin}{path}  {facts}"))?;
        for file in others {
            let facts = facts_of_other(file);
            let path = shown(file, &facts, columns, printer);
            let facts = printer.paint(Style::Dim, &facts);
            printer.line(format_args!("{:INDENT$}{path}  {facts}", ""))?;
        }
    }
    Ok(())
}

/// The path of a file, shortened to what its facts leave of the terminal's width.
fn shown(file: &DuplicateFile, facts: &str, columns: Option<usize>, printer: &Printer) -> String {
    let path = printer.shown(&file.path);
    match columns {
        Some(columns) => {
            let room = columns.saturating_sub(INDENT + 2 + fit::width(facts));
            fit::shorten(&path, room.max(INDENT))
        }
        None => path,
    }
}

/// `800 × 533, 1.2 MiB`
fn facts(file: &DuplicateFile) -> String {
    let (width, height) = (file.width, file.height);
    format!("{width} × {height}, {}", HumanBytes(file.n_bytes))
}

/// How a file relates to the one to keep.
fn facts_of_other(file: &DuplicateFile) -> String {
    match file.similarity {
        Some(similarity) => format!("{}, similarity {similarity:.3}", facts(file)),
        None => "same content".to_owned(),
    }
}

/// What was found, and what was left out.
fn note(report: &DuplicatesReport, workspace: &Workspace, printer: &Printer) {
    for Skipped { path, reason } in report.skipped.iter().take(N_LISTED) {
        printer.note(format_args!(
            "left out {}: {}",
            printer.shown(path),
            Printer::one_line(reason)
        ));
    }
    if report.skipped.len() > N_LISTED {
        let n_more = report.skipped.len() - N_LISTED;
        printer.note(format_args!("… and {n_more} more (--json lists all)"));
    }
    if !report.skipped.is_empty() {
        printer.hint(format_args!(
            "bring the index up to date with `{}`",
            hints::command("index FOLDER", workspace.named_index())
        ));
    }
    printer.note(summary(report));
    if report.interrupted {
        printer.note("interrupted: not all pictures were compared");
    }
    if report.n_compared == 0 && !report.interrupted {
        printer.hint(format_args!(
            "the index has no pictures yet; add some with `{}`",
            hints::command("index ~/Pictures", workspace.named_index())
        ));
    }
}

/// `2 groups (1 exact, 1 near): 3 files not to keep, 1.3 MiB`
fn summary(report: &DuplicatesReport) -> String {
    let DuplicatesReport {
        groups, n_compared, ..
    } = report;
    let compared = counted(*n_compared as u64, "picture");
    if groups.is_empty() {
        return format!("no duplicates among {compared}");
    }
    let n_exact = groups.iter().filter(|group| group.is_exact()).count();
    let n_others: usize = groups.iter().map(|group| group.others.len()).sum();
    let n_bytes = groups.iter().map(DuplicateGroup::n_bytes_of_others).sum();
    format!(
        "{} among {compared} ({n_exact} exact, {} near): {} not to keep, {}",
        counted(groups.len() as u64, "group"),
        groups.len() - n_exact,
        counted(n_others as u64, "file"),
        HumanBytes(n_bytes)
    )
}
