//! `sightline models check`

use anyhow::Result;

use crate::answers::ModelCheckAnswer;
use crate::cli::args::CheckArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::printer::{Printer, Style};
use crate::models::{Check, Checked, Entry, Model, Outcome, Place};
use crate::workspace::Workspace;

pub(super) fn run(
    args: &CheckArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    exit::catch_ctrl_c();
    let entry = workspace.entry(args.which.as_deref())?;
    run_on(&entry, workspace, args.json, printer)
}

/// Checks a model, keeps the figures, and shows them.
pub(super) fn run_on(
    entry: &Entry,
    workspace: &Workspace,
    json: bool,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let models = workspace.models_to_check(entry)?;
    let must_match = entry.place() == &Place::BuiltIn;
    let Some(check) = check(&models, workspace, printer, must_match)? else {
        return Ok(ExitStatus::Interrupted);
    };
    let noted = workspace.record_check(entry, &check);
    if json {
        let asked = workspace.precision().is_some();
        printer.json(&ModelCheckAnswer::new(entry, &check, asked))?;
    } else {
        show(&check, workspace, &entry.label(), printer)?;
    }
    if let Err(error) = noted {
        printer.note(format_args!("cannot save the figures: {error}"));
    }
    Ok(if check.is_sound() {
        ExitStatus::Found
    } else {
        ExitStatus::Error
    })
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
    Ok(())
}

fn lines(outcome: &Outcome) -> Vec<String> {
    let Outcome {
        image,
        text,
        n_pairs,
        n_texts_first,
        n_pictures_first,
        figures,
    } = outcome;
    let seconds = |duration: std::time::Duration| duration.as_secs_f64();
    let mut lines = vec![
        format!(
            "loaded in {:.2} s (images) and {:.2} s (texts)",
            seconds(image.load),
            seconds(text.load)
        ),
        format!(
            "{:.1} ms per picture in a batch of {n_pairs}, {:.1} ms per text",
            figures.ms_per_picture, figures.ms_per_text
        ),
        format!(
            "norm of the output before normalisation: {} (images), {} (texts)",
            range(image.raw_norm),
            range(text.raw_norm)
        ),
        format!(
            "matching picture first for {n_texts_first} of {n_pairs} texts, matching text first \
             for {n_pictures_first} of {n_pairs} pictures"
        ),
    ];
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

fn range((low, high): (f32, f32)) -> String {
    if high - low < 1e-3 * high {
        format!("{high:.2}")
    } else {
        format!("{low:.2} to {high:.2}")
    }
}
