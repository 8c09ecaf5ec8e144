//! `sightline models check`

use anyhow::Result;

use crate::answers::ModelCheckAnswer;
use crate::cli::args::CheckArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::hints::CAUSES_OF_MISMATCH;
use crate::cli::printer::{Printer, Style};
use crate::models::{Check, Checked, Entry, Language, Matches, Model, Outcome, Place, Rewritten};
use crate::workspace::Workspace;

/// A lower mean cosine between texts and the same texts in capitals is noted.
const NOTED_COSINE: f64 = 0.99;

pub(super) fn run(
    args: &CheckArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    exit::catch_ctrl_c();
    let entry = workspace.entry(args.which.as_deref())?;
    let Some(check) = run_on(&entry, workspace, args.json, printer)? else {
        return Ok(ExitStatus::Interrupted);
    };
    check.require_matches(&entry.label())?;
    Ok(status(&check))
}

/// Refuses a model whose pictures and texts match no better than by chance, or with `anyway` only
/// says so.
pub(super) fn require_matches(
    check: &Check,
    name: &str,
    anyway: bool,
    printer: &Printer,
) -> Result<()> {
    match check.require_matches(name) {
        Err(error) if anyway => {
            printer.note(error);
            Ok(())
        }
        found => Ok(found?),
    }
}

/// Success if every precision works.
pub(super) fn status(check: &Check) -> ExitStatus {
    if check.is_sound() {
        ExitStatus::Found
    } else {
        ExitStatus::Error
    }
}

/// Checks a model, keeps the figures, and shows them; `None` when it was interrupted.
pub(super) fn run_on(
    entry: &Entry,
    workspace: &Workspace,
    json: bool,
    printer: &mut Printer,
) -> Result<Option<Check>> {
    let models = workspace.models_to_check(entry)?;
    let must_match = entry.place() == &Place::BuiltIn;
    let Some(check) = check(&models, workspace, printer, must_match)? else {
        return Ok(None);
    };
    let noted = workspace.record_check(entry, &check);
    if json {
        let asked = workspace.precision().is_some();
        printer.json(&ModelCheckAnswer::new(entry, &check, asked))?;
        note_oddities(&check, printer);
    } else {
        show(&check, workspace, &entry.label(), printer)?;
    }
    if let Err(error) = noted {
        printer.note(format_args!("cannot save the figures: {error}"));
    }
    Ok(Some(check))
}

/// Runs the check, with a note before each precision; `None` when it was interrupted.
pub(super) fn check(
    models: &[Model],
    workspace: &Workspace,
    printer: &Printer,
    must_match: bool,
) -> Result<Option<Check>> {
    Ok(workspace.check(models, must_match, &mut |precision| {
        printer.note(format_args!("checking {precision} …"));
        exit::check_ctrl_c()
    })?)
}

/// Shows what was measured, and the precision chosen.
pub(super) fn show(
    check: &Check,
    workspace: &Workspace,
    name: &str,
    printer: &mut Printer,
) -> Result<()> {
    if let Some(Checked { model, .. }) = check.checked.first() {
        let (layout, dimension) = (model.layout(), model.dimension());
        let name = printer.paint(Style::Bold, name);
        printer.line(format_args!("{name}: {layout}, {dimension} dimensions"))?;
    }
    for Checked { model, outcome } in &check.checked {
        let precision = printer.paint(Style::Bold, &format!("{:<4}", model.precision()));
        match outcome {
            Ok(outcome) => {
                let mut lines = lines(outcome).into_iter();
                let first = lines.next().unwrap_or_default();
                printer.line(format_args!("{precision}  {first}"))?;
                for line in lines {
                    printer.line(format_args!("      {line}"))?;
                }
            }
            Err(problem) => {
                let problem = Printer::safe(problem);
                printer.line(format_args!("{precision}  does not work"))?;
                printer.error(
                    format_args!("{name} ({}): {problem}", model.precision()),
                    None,
                );
            }
        }
    }
    if let Some(chosen) = check
        .verdict
        .chosen
        .filter(|_| workspace.precision().is_none())
    {
        let reason = &check.verdict.reason;
        printer.line(format_args!("used  {chosen}: {reason}"))?;
    }
    note_oddities(check, printer);
    Ok(())
}

/// Says what is odd about a model that works.
fn note_oddities(check: &Check, printer: &Printer) {
    let Some(outcome) = check.outcome().filter(|one| one.is_better_than_chance()) else {
        return;
    };
    let (n_first, n_pairs) = (outcome.matches.n_texts_first, outcome.n_pairs);
    if outcome.is_weak() {
        printer.note(format_args!(
            "finds the right picture for {n_first} of {n_pairs} texts only; a good model misses \
             few"
        ));
        printer.hint(CAUSES_OF_MISMATCH);
    }
    if outcome.swaps_colours() {
        printer.note("takes a red ball for a blue one: red and blue are probably swapped");
        printer.hint(
            "set `channels` below [image] in a sightline.toml in the model's folder, to \"bgr\", \
             or if it is that already, to \"rgb\"",
        );
    }
    let capitals = &outcome.capitals;
    if capitals.cosine < NOTED_COSINE {
        printer.note(format_args!(
            "capitals change the vectors (cosine {:.2}): right only for a model that was trained \
             on cased texts",
            (capitals.cosine * 100.0).round() / 100.0 + 0.0
        ));
        printer.hint(
            "if the model's own tokenizer lowercases, set `clean = \"lower\"` below [text] in a \
             sightline.toml in its folder",
        );
    }
}

fn lines(outcome: &Outcome) -> Vec<String> {
    let Outcome {
        image,
        text,
        n_pairs,
        n_batch,
        matches,
        capitals,
        punctuation,
        accents,
        figures,
        other_texts,
        ..
    } = outcome;
    let seconds = |duration: std::time::Duration| duration.as_secs_f64();
    let mut lines = vec![
        format!(
            "loaded in {:.2} s (images) and {:.2} s (texts)",
            seconds(image.load),
            seconds(text.load)
        ),
        format!(
            "{:.1} ms per picture in batches of {n_batch}, {:.1} ms per text",
            figures.ms_per_picture, figures.ms_per_text
        ),
        format!(
            "norm of the output before normalisation: {} (images), {} (texts)",
            range(image.raw_norm),
            range(text.raw_norm)
        ),
        matching(matches, *n_pairs),
        format!(
            "the same texts with capitals: {}; punctuation: {}; accents: {}",
            rewritten(capitals, *n_pairs),
            rewritten(punctuation, *n_pairs),
            rewritten(accents, *n_pairs)
        ),
    ];
    for text in other_texts {
        let matches = text.matches.as_ref();
        let matches = matches.map(|matches| format!(", {}", matching(matches, *n_pairs)));
        lines.push(format!(
            "{}: loaded in {:.2} s, {:.1} ms per text, norm {}{}",
            text.name(),
            seconds(text.tower.load),
            text.ms_per_text,
            range(text.tower.raw_norm),
            matches.unwrap_or_default()
        ));
    }
    if let Some(agreement) = &figures.to_fp32 {
        lines.push(format!(
            "cosine to fp32 {:.4} on average, {:.4} at worst; {:.2} times as fast for pictures, \
             {:.2} times for texts",
            agreement.mean_cosine,
            agreement.worst_cosine,
            agreement.picture_speed,
            agreement.text_speed
        ));
    }
    lines
}

/// `matching picture first for 16 of 16 texts, matching text first for 15 of 16 pictures`
fn matching(matches: &Matches, n_pairs: usize) -> String {
    let language = match matches.language {
        Language::English => String::new(),
        Language::Chinese => format!(" in {}", matches.language),
    };
    format!(
        "matching picture first for {} of {n_pairs} texts{language}, matching text first for {} \
         of {n_pairs} pictures",
        matches.n_texts_first, matches.n_pictures_first
    )
}

/// `cosine 0.98 (16 of 16)`
fn rewritten(rewritten: &Rewritten, n_pairs: usize) -> String {
    let Rewritten {
        cosine,
        n_texts_first,
    } = rewritten;
    // No cosine is shown as -0.00.
    let cosine = (cosine * 100.0).round() / 100.0 + 0.0;
    format!("cosine {cosine:.2} ({n_texts_first} of {n_pairs})")
}

fn range((low, high): (f32, f32)) -> String {
    if high - low < 1e-3 * high {
        format!("{high:.2}")
    } else {
        format!("{low:.2} to {high:.2}")
    }
}
