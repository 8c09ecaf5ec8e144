//! `sightline index`

use anyhow::Result;
use indicatif::HumanCount;

use crate::answers::IndexAnswer;
use crate::cli::args::IndexArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::interrupt;
use crate::cli::printer::Printer;
use crate::cli::progress::ProgressView;
use crate::cli::settings::Settings;
use crate::engine::{Engine, IndexReport, IndexRequest, ModelChange, Skipped, UnfinishedChange};

/// How many skipped files are named without `--list-skipped`.
const N_NAMED: usize = 10;

pub(in crate::cli) fn run(
    args: &IndexArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let engine = settings
        .engine_to_index()?
        .with_decode_options(args.decode.options());
    let change = if settings.is_model_typed() {
        engine.planned_change()?
    } else {
        None
    };
    let is_for_the_model = args.has_no_input();
    let mut is_already_of = None;
    if is_for_the_model && change.is_none() {
        // There is nothing to change: no index, which is an error, or one of this model.
        is_already_of = Some(Engine::status(settings.index())?.model);
    }
    let request = IndexRequest {
        folders: args.folders.clone(),
        captions: args.captions.clone(),
        prune: args.prune,
        change_model: change.is_some(),
        batch_size: args.batch.map(usize::from),
        no_split: args.no_split,
        n_decoders: args.decoders.map(usize::from).or(settings.threads()),
        language: args.language,
        commit_every: usize::try_from(args.commit_every).unwrap_or(usize::MAX),
        ..IndexRequest::default()
    };
    if let Some(note) = settings.note_on_the_model() {
        printer.note(note);
    }
    if let Some(change) = &change {
        tell_plan(change, printer);
    }
    interrupt::listen();
    let mut view = ProgressView::new(printer);
    let mut was_told = false;
    let report = engine.index(&request, &mut |progress| {
        view.show(progress);
        let flow = interrupt::check();
        if flow.is_break() && !was_told {
            was_told = true;
            view.stopping();
        }
        flow
    });
    drop(view);
    let report = report?;
    tell(&report, args, settings, printer);
    tell_unfinished(&report, settings, printer)?;
    if let Some(model) = is_already_of {
        printer.note(format_args!(
            "the index is of {} already",
            Printer::safe(&model)
        ));
    }
    if args.json {
        printer.json(&IndexAnswer::from(&report))?;
    }
    let is_held_back = |change: &ModelChange| !change.is_done;
    Ok(if report.interrupted {
        ExitStatus::Interrupted
    } else if report.model_change.as_ref().is_some_and(is_held_back) {
        ExitStatus::Nothing
    } else if is_for_the_model {
        ExitStatus::Found
    } else if report.n_seen == 0 && report.n_captions_added == 0 && args.captions.is_empty() {
        ExitStatus::Nothing
    } else {
        ExitStatus::Found
    })
}

/// Before a change of the model: what is going to happen.
fn tell_plan(change: &ModelChange, printer: &Printer) {
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
            "the unfinished change to {} is thrown away",
            Printer::safe(other)
        ));
    }
    let (from, to) = (Printer::safe(from), Printer::safe(to));
    printer.note(format_args!(
        "embedding {} again with {to} beside the index; searches use {from} until it is complete",
        images(*n_images)
    ));
    if *n_before > 0 {
        printer.note(format_args!(
            "going on: {} were done before",
            images(*n_before)
        ));
    }
}

fn images(n: u64) -> String {
    format!("{} image{}", HumanCount(n), if n == 1 { "" } else { "s" })
}

/// After a run: what became of a change of the model, this run's or an earlier one's.
fn tell_unfinished(report: &IndexReport, settings: &Settings, printer: &Printer) -> Result<()> {
    match &report.model_change {
        Some(ModelChange {
            from, to, is_done, ..
        }) => {
            let (from, to) = (Printer::safe(from), Printer::safe(to));
            printer.note(if *is_done {
                format!("the index is of {to} now; the vectors of {from} are deleted")
            } else {
                format!("the change to {to} is not complete: searches use {from} until it is")
            });
        }
        None => {
            if let Some(unfinished) = UnfinishedChange::read(settings.index())? {
                printer.note(format_args!(
                    "the change of the model to {} is not complete; go on with: {}",
                    Printer::safe(&unfinished.model),
                    Printer::safe(&settings.command_to_go_on(&unfinished))
                ));
            }
        }
    }
    if report.interrupted {
        printer.note("stopped; what is finished is kept. Run the same command to go on.");
    }
    Ok(())
}

fn tell(report: &IndexReport, args: &IndexArgs, settings: &Settings, printer: &Printer) {
    let n_named = if args.list_skipped {
        usize::MAX
    } else {
        N_NAMED
    };
    for Skipped { path, reason } in report.skipped.iter().take(n_named) {
        printer.note(format_args!(
            "skipped {}: {}",
            settings.shown(path),
            Printer::safe(reason)
        ));
    }
    if report.skipped.len() > n_named {
        let n_more = report.skipped.len() - n_named;
        printer.note(format_args!(
            "… and {n_more} more (--list-skipped names them all)"
        ));
    }
    if let [first, rest @ ..] = report.cut_captions.as_slice() {
        let first = settings.shown(first);
        printer.note(match rest.len() {
            0 => format!(
                "the model reads only the beginning of a caption in {first}: it is too long"
            ),
            n => format!(
                "the model reads only the beginning of {} captions that are too long, the first \
                 of them in {first}",
                n + 1
            ),
        });
    }
    for (folder, n) in &report.held_back {
        let folder = settings.shown(folder);
        let what = if report.model_change.is_some() {
            format!("{n} pictures of the index in {folder} were not found or could not be read")
        } else {
            format!(
                "no pictures in {folder}, but the index holds {n} from there: nothing was removed"
            )
        };
        printer.note(format_args!(
            "{what}\n\n\
             hint: if they are gone for good and not on a disk that is away, run again with --prune"
        ));
    }
    printer.note(summary(report));
    if report.n_seen == 0 && !args.folders.is_empty() && report.held_back.is_empty() {
        printer.note("no pictures found in the folders given");
    }
}

/// `Indexed 48 pictures in 1.6 s (30.1/s): 48 added; 3 skipped; 96 captions added`
fn summary(report: &IndexReport) -> String {
    let mut parts = Vec::new();
    let mut count = |n: usize, what: &str| {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    };
    count(report.n_added, "added");
    count(report.n_changed + report.n_changed_to_known, "changed");
    count(report.n_unchanged, "unchanged");
    count(report.n_moved, "moved");
    count(report.n_copies, "copies of others");
    count(report.n_removed, "removed");
    count(report.skipped.len(), "skipped");
    count(report.n_captions_added, "captions added");
    count(report.n_captions_removed, "captions removed");
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    let rate = if report.n_encoded() > 0 {
        format!(" ({:.1}/s)", report.rate())
    } else {
        String::new()
    };
    let seconds = report.elapsed.as_secs_f64();
    let n = report.n_seen;
    format!(
        "{n} picture file{} in {seconds:.1} s{rate}: {}",
        if n == 1 { "" } else { "s" },
        parts.join(", ")
    )
}
