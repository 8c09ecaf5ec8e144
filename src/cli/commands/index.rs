//! `sightline index`

use std::path::PathBuf;

use anyhow::Result;
use indicatif::HumanCount;

use super::tag::note_on_bank;
use crate::answers::IndexAnswer;
use crate::cli::args::{CaptionsFormatArg, IndexArgs};
use crate::cli::exit::{self, ExitStatus};
use crate::cli::hints;
use crate::cli::output::counted;
use crate::cli::printer::Printer;
use crate::cli::progress::ProgressView;
use crate::engine::{
    CaptionFormat, Engine, IndexReport, IndexRequest, ModelChange, Skipped, UnfinishedChange,
};
use crate::workspace::Workspace;

/// Number of skipped files listed without `--list-skipped`.
const N_LISTED: usize = 10;

/// Number of unused text files named.
const N_UNUSED: usize = 3;

pub(in crate::cli) fn run(
    args: &IndexArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let engine = workspace
        .engine_to_index()?
        .with_decode_options(args.pipeline.decode.options());
    let change = if workspace.may_change_model() {
        engine.planned_change()?
    } else {
        None
    };
    let changes_model_only = args.has_no_input();
    let mut current_model = None;
    if changes_model_only && change.is_none() {
        // There is no index, which is an error, or it already uses this model.
        current_model = Some(Engine::status(workspace.index())?.model);
    }
    let request = IndexRequest {
        folders: args.folders.clone(),
        captions: args.captions.clone(),
        captions_format: args.captions_format.map(format_of),
        prune: args.prune,
        reread: args.reread,
        tag: args.tag,
        change_model: change.is_some(),
        language: args.language,
        commit_every: usize::try_from(args.commit_every).unwrap_or(usize::MAX),
        ..args.pipeline.request(workspace.session().n_threads)
    };
    if let Some(kept) = workspace.kept_model() {
        printer.note(hints::on_kept_model(&kept, workspace.named_index()));
    }
    if let Some(change) = &change {
        show_plan(change, printer);
    }
    exit::catch_ctrl_c();
    let mut view = ProgressView::new(printer);
    let mut is_stopping = false;
    let report = engine.index(&request, &mut |progress| {
        view.show(progress);
        let flow = exit::check_ctrl_c();
        if flow.is_break() && !is_stopping {
            is_stopping = true;
            view.stopping();
        }
        flow
    });
    drop(view);
    let report = report?;
    show(&report, args, printer);
    show_change(&report, workspace, printer)?;
    if let Some(model) = current_model {
        printer.note(format_args!(
            "the index already uses {}",
            Printer::safe(&model)
        ));
    }
    if args.json {
        printer.json(&IndexAnswer::from(&report))?;
    }
    let is_incomplete = |change: &ModelChange| !change.is_done;
    Ok(if report.interrupted {
        ExitStatus::Interrupted
    } else if report.model_change.as_ref().is_some_and(is_incomplete) {
        ExitStatus::Nothing
    } else if changes_model_only {
        ExitStatus::Found
    } else if report.n_seen == 0 && report.n_captions_added == 0 && args.captions.is_empty() {
        ExitStatus::Nothing
    } else {
        ExitStatus::Found
    })
}

fn format_of(format: CaptionsFormatArg) -> CaptionFormat {
    match format {
        CaptionsFormatArg::Text => CaptionFormat::Text,
        CaptionsFormatArg::Jsonl => CaptionFormat::JsonLines,
        CaptionsFormatArg::Csv => CaptionFormat::Csv,
        CaptionsFormatArg::Tsv => CaptionFormat::Tsv,
        CaptionsFormatArg::Tokens => CaptionFormat::Tokens,
        CaptionsFormatArg::Coco => CaptionFormat::Coco,
        CaptionsFormatArg::Karpathy => CaptionFormat::Karpathy,
    }
}

/// What a change of the model is going to do.
fn show_plan(change: &ModelChange, printer: &Printer) {
    let ModelChange {
        from,
        to,
        n_images,
        n_before,
        discarded,
        is_done: _,
    } = change;
    if let Some(other) = discarded {
        printer.note(format_args!(
            "discarding the unfinished change to {}",
            Printer::safe(other)
        ));
    }
    let (from, to) = (Printer::safe(from), Printer::safe(to));
    printer.note(format_args!(
        "embedding {} again with {to}; searches use {from} until this is complete",
        counted(*n_images, "image")
    ));
    if *n_before > 0 {
        printer.note(format_args!(
            "resuming: {} were embedded by earlier runs",
            counted(*n_before, "image")
        ));
    }
}

/// What became of a change of the model, that of this run or an earlier one.
fn show_change(report: &IndexReport, workspace: &Workspace, printer: &Printer) -> Result<()> {
    match &report.model_change {
        Some(ModelChange {
            from, to, is_done, ..
        }) => {
            let (from, to) = (Printer::safe(from), Printer::safe(to));
            printer.note(if *is_done {
                format!("the index now uses {to}; the vectors of {from} are deleted")
            } else {
                format!("the change to {to} is not complete: searches still use {from}")
            });
        }
        None => {
            if let Some(unfinished) = UnfinishedChange::read(workspace.index())? {
                printer.note(format_args!(
                    "the change of the model to {} is not complete; resume it with `{}`",
                    Printer::safe(&unfinished.model),
                    Printer::safe(&hints::command_to_resume(&unfinished, workspace))
                ));
            }
        }
    }
    if report.interrupted {
        printer.note("interrupted; finished work is kept. Run the same command again to resume.");
    }
    Ok(())
}

fn show(report: &IndexReport, args: &IndexArgs, printer: &Printer) {
    let n_listed = if args.list_skipped {
        usize::MAX
    } else {
        N_LISTED
    };
    for Skipped { path, reason } in report.skipped.iter().take(n_listed) {
        printer.note(format_args!(
            "skipped {}: {}",
            printer.shown(path),
            Printer::one_line(reason)
        ));
    }
    if report.skipped.len() > n_listed {
        let n_more = report.skipped.len() - n_listed;
        printer.note(format_args!(
            "… and {n_more} more (use --list-skipped to list all)"
        ));
    }
    if let [first, rest @ ..] = report.cut_captions.as_slice() {
        let first = printer.shown(first);
        printer.note(match rest.len() {
            0 => format!(
                "a caption in {first} is too long for the model: its last tokens were ignored"
            ),
            n => format!(
                "{} captions are too long for the model: their last tokens were ignored; the first \
                 is in {first}",
                n + 1
            ),
        });
    }
    if !report.unused_texts.is_empty() {
        printer.note(unused_texts(&report.unused_texts, printer));
    }
    for (folder, n) in &report.held_back {
        let folder = printer.shown(folder);
        let what = if report.model_change.is_some() {
            format!("{n} indexed pictures in {folder} were not found or could not be read")
        } else {
            format!("no pictures in {folder}, but {n} in the index: nothing was removed")
        };
        printer.note(what);
    }
    if !report.held_back.is_empty() {
        printer
            .hint("if they were deleted, and not on an unmounted disk, run again with `--prune`");
    }
    printer.postponed(&report.postponed);
    note_on_bank(&report.bank, printer);
    printer.note(summary(report));
    if let Some(n_tagged) = report.n_tagged {
        let tagged = counted(n_tagged as u64, "picture");
        printer.note(format_args!("tagged {tagged}"));
    }
    if report.n_seen == 0 && !args.folders.is_empty() && report.held_back.is_empty() {
        printer.note("no pictures found in the given folders");
    }
}

/// `2 text files beside pictures match no picture and are not used: a.txt, b.txt`
fn unused_texts(texts: &[PathBuf], printer: &Printer) -> String {
    let named: Vec<String> = texts
        .iter()
        .take(N_UNUSED)
        .map(|text| printer.shown(text))
        .collect();
    let (what, more) = (
        match texts.len() {
            1 => "1 text file beside pictures matches no picture and is not used".to_owned(),
            n => format!("{n} text files beside pictures match no picture and are not used"),
        },
        if texts.len() > N_UNUSED { ", …" } else { "" },
    );
    format!("{what}: {}{more}", named.join(", "))
}

/// `51 picture files in 1.6 s (30.1/s): 48 added, 3 skipped, 96 captions added`
fn summary(report: &IndexReport) -> String {
    let rate = if report.n_encoded() > 0 {
        format!(" ({:.1}/s)", report.rate())
    } else {
        String::new()
    };
    let seconds = report.elapsed.as_secs_f64();
    let counts = counts(report, &[(report.n_unchanged, "unchanged", "unchanged")]);
    format!(
        "{} in {seconds:.1} s{rate}: {}",
        counted(report.n_seen, "picture file"),
        counts.unwrap_or_else(|| "nothing to do".to_owned())
    )
}

/// `48 added, 3 skipped, 96 captions added`, with `more` after what was changed; `None` if nothing
/// was done.
pub(super) fn counts(report: &IndexReport, more: &[(usize, &str, &str)]) -> Option<String> {
    let n_changed = report.n_changed + report.n_changed_to_known;
    let n_skipped = report.skipped.len();
    let n_skipped = n_skipped.saturating_sub(report.n_captions_skipped);
    let first = [
        (report.n_added, "added", "added"),
        (n_changed, "changed", "changed"),
    ];
    let rest = [
        (report.n_reread, "of them read again", "of them read again"),
        (report.n_moved, "moved", "moved"),
        (report.n_copies, "duplicate", "duplicates"),
        (report.n_removed, "removed", "removed"),
        (n_skipped, "skipped", "skipped"),
        (report.n_captions_added, "caption added", "captions added"),
        (
            report.n_captions_removed,
            "caption removed",
            "captions removed",
        ),
        (
            report.n_captions_skipped,
            "caption skipped",
            "captions skipped",
        ),
    ];
    let all = first.iter().chain(more).chain(&rest);
    let parts: Vec<String> = all
        .filter(|(n, ..)| *n > 0)
        .map(|(n, one, many)| {
            let what = if *n == 1 { one } else { many };
            format!("{} {what}", HumanCount(*n as u64))
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
