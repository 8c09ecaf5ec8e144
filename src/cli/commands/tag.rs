//! `sightline tag`

use std::path::Path;

use anyhow::{Result, bail};

use crate::answers::TagAnswer;
use crate::answers::csv::{TAG_COLUMNS, tag_cells};
use crate::cli::args::TagArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::hints;
use crate::cli::output::counted;
use crate::cli::printer::{Printer, Style};
use crate::cli::progress::ProgressView;
use crate::cli::stdin::Stdin;
use crate::engine::{
    BankReport, LabelReport, PartContent, RepeatedLabel, Skipped, TagReport, TagSidecar,
    TaggedPicture,
};
use crate::workspace::Workspace;

/// Number of skipped files listed.
const N_LISTED: usize = 10;

pub(in crate::cli) fn run(
    args: &TagArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    if let Some(language) = args.language_without_tags() {
        bail!(
            "--language {language}: the built-in tags are in English (en) and Chinese (zh); give \
             others with --labels"
        );
    }
    let options = args.decode.options();
    let mut request = args.request();
    let mut stdin = Stdin::new(&options);
    for path in args.paths() {
        if let PartContent::Bytes(bytes) = stdin.picture(path)?.content {
            request.given.push((path.clone(), bytes));
        }
    }
    let engine = workspace.engine()?.with_decode_options(options.clone());
    exit::catch_ctrl_c();
    let mut view = ProgressView::new(printer);
    let report = engine.tag(&request, &mut |progress| {
        view.show(progress);
        exit::check_ctrl_c()
    });
    drop(view);
    let report = report?;
    if args.json {
        printer.json(&TagAnswer::from(&report))?;
    } else if args.csv {
        let pictures = report.pictures.iter();
        let rows = pictures.flat_map(|picture| picture.tags.iter().map(move |tag| (picture, tag)));
        printer.csv(&TAG_COLUMNS, rows.map(tag_cells))?;
    } else {
        for picture in &report.pictures {
            print(picture, printer)?;
        }
    }
    printer.flush()?;
    if let Some(file) = &request.labels {
        note_on_labels(file, &report.labels, printer);
    }
    note(&report, workspace, printer);
    Ok(if report.interrupted {
        ExitStatus::Interrupted
    } else if !report.unwritten.is_empty()
        || (report.pictures.is_empty() && !report.skipped.is_empty())
        || report
            .skipped
            .iter()
            .any(|skipped| args.names(&skipped.path))
    {
        ExitStatus::Error
    } else if report
        .pictures
        .iter()
        .all(|picture| picture.tags.is_empty())
    {
        ExitStatus::Nothing
    } else {
        ExitStatus::Found
    })
}

/// `photos/dog.jpg  dog 0.93, beach 0.71`
fn print(picture: &TaggedPicture, printer: &mut Printer) -> Result<()> {
    let path = printer.paint(Style::Green, &printer.shown(&picture.path));
    let tag = |tag: &crate::engine::Tag| {
        let value = format!("{:.2}", tag.confidence.value());
        format!(
            "{} {}",
            Printer::safe(&tag.name),
            printer.paint(Style::Dim, &value)
        )
    };
    let tags: Vec<String> = picture.tags.iter().map(tag).collect();
    let tags = if tags.is_empty() {
        printer.paint(Style::Dim, "no tags")
    } else {
        tags.join(", ")
    };
    printer.line(format_args!("{path}  {tags}"))?;
    Ok(())
}

/// What was left out, written and stored.
fn note(report: &TagReport, workspace: &Workspace, printer: &Printer) {
    note_on_bank(&report.bank, printer);
    for Skipped { path, reason } in report.skipped.iter().take(N_LISTED) {
        let reason = Printer::one_line(reason);
        printer.note(format_args!("skipped {}: {reason}", printer.shown(path)));
    }
    let lists = [&report.skipped, &report.unwritten];
    let n_more: usize = lists
        .iter()
        .map(|list| list.len().saturating_sub(N_LISTED))
        .sum();
    if n_more > 0 {
        printer.note(format_args!(
            "{n_more} more were left out (--json lists all)"
        ));
    }
    for Skipped { path, reason } in report.unwritten.iter().take(N_LISTED) {
        let reason = Printer::one_line(reason);
        printer.note(format_args!(
            "{} not written: {reason}",
            printer.shown(path)
        ));
    }
    let sidecars = || {
        report
            .pictures
            .iter()
            .filter_map(|picture| picture.sidecar.as_ref())
    };
    let n_sidecars = sidecars().count();
    if n_sidecars > 0 {
        let n_changed = sidecars()
            .filter(|TagSidecar { is_changed, .. }| *is_changed)
            .count();
        printer.note(format_args!(
            "{} written, {} had all tags already",
            counted(n_changed as u64, "sidecar"),
            n_sidecars - n_changed
        ));
    }
    if report.n_saved > 0 {
        let saved = counted(report.n_saved as u64, "picture");
        printer.note(format_args!("stored the tags of {saved} in the index"));
    }
    if report.n_not_indexed > 0 {
        let left_out = counted(report.n_not_indexed as u64, "picture");
        printer.note(format_args!(
            "the tags of {left_out} were not stored: not in the index"
        ));
        printer.hint(format_args!(
            "bring the index up to date with `{}`",
            hints::command("index FOLDER", workspace.named_index())
        ));
    }
    printer.postponed(&report.postponed);
    if report.interrupted {
        printer.note("interrupted: not all pictures were tagged");
    } else if report.pictures.is_empty() && report.skipped.is_empty() {
        printer.note("no pictures found in the given folders");
    }
}

/// Which labels of a file were left out.
fn note_on_labels(file: &Path, labels: &LabelReport, printer: &Printer) {
    let file = printer.shown(file);
    if let [RepeatedLabel { line, name }, more @ ..] = &labels.repeated[..] {
        let name = Printer::one_line(name);
        let others = match more.len() {
            0 => String::new(),
            1 => " (1 more was, too)".to_owned(),
            n => format!(" ({n} more were, too)"),
        };
        printer.note(format_args!(
            "{file}: line {line}: the label `{name}` is there already, so it was left out{others}"
        ));
    }
    if let [first, more @ ..] = &labels.unknown[..] {
        let first = Printer::one_line(first);
        let others = match more.len() {
            0 => String::new(),
            n => format!(" and {}", counted(n as u64, "other label")),
        };
        printer.note(format_args!(
            "{file}: left out what the model knows no part of: `{first}`{others}"
        ));
    }
}

/// What became of the bank's file of vectors, if that is not as usual.
pub(in crate::cli) fn note_on_bank(bank: &BankReport, printer: &Printer) {
    if let Some((path, why)) = &bank.unusable {
        printer.note(format_args!(
            "{} {why}: the phrase bank was encoded again",
            printer.shown(path)
        ));
    }
    if let Some(reason) = &bank.not_kept {
        let reason = Printer::one_line(reason);
        printer.note(format_args!(
            "the vectors of the phrase bank could not be kept: {reason}"
        ));
    }
}
