//! `sightline models check`

use anyhow::Result;
use sightline_onnx::{Model, Precision};

use crate::answers::ModelCheckAnswer;
use crate::cli::args::CheckArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::interrupt;
use crate::cli::printer::{Printer, Style};
use crate::cli::settings::Settings;
use crate::engine::EngineError;
use crate::models::{Check, Checked, Entry, Outcome, Place};
use crate::platform;

pub(super) fn run(
    args: &CheckArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    interrupt::listen();
    let entry = settings.entry(args.which.as_deref())?;
    run_on(&entry, settings, args.json, printer)
}

/// Checks a model, writes down what was found, and tells it.
pub(super) fn run_on(
    entry: &Entry,
    settings: &Settings,
    json: bool,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let models = models(entry, settings)?;
    let must_match = entry.place() == &Place::BuiltIn;
    let Some(check) = check(&models, settings, printer, must_match)? else {
        return Ok(ExitStatus::Interrupted);
    };
    // Asked for one precision, a check does not say which one is best; and figures of a device or
    // a number of threads asked for once are not those of the next run.
    let noted = if settings.precision().is_none() && settings.is_usual_session() {
        settings.registry().record_check(entry, &check)
    } else {
        Ok(())
    };
    if json {
        let asked = settings.precision().is_some();
        printer.json(&ModelCheckAnswer::new(entry, &check, asked))?;
    } else {
        tell(&check, settings, &entry.label(), printer)?;
    }
    if let Err(error) = noted {
        printer.note(format_args!("the figures could not be kept: {error}"));
    }
    Ok(if check.is_sound() {
        ExitStatus::Found
    } else {
        ExitStatus::Error
    })
}

/// The model at each precision, or at the one asked for, with fp32 to compare it with.
fn models(entry: &Entry, settings: &Settings) -> Result<Vec<Model>> {
    let registry = settings.registry();
    let precisions = entry.precisions()?;
    let mut wanted = match settings.precision() {
        None => precisions.clone(),
        Some(asked) => vec![asked],
    };
    if wanted != [Precision::Fp32]
        && precisions.contains(&Precision::Fp32)
        && !wanted.contains(&Precision::Fp32)
    {
        wanted.insert(0, Precision::Fp32);
    }
    let open = |precision| registry.open_entry(entry, precision);
    // Towers without a precision in common are run as they are.
    let models: Result<Vec<Model>, _> = if wanted.is_empty() {
        open(None).map(|model| vec![model])
    } else {
        wanted.into_iter().map(|one| open(Some(one))).collect()
    };
    Ok(models?)
}

/// Runs the check, telling what is under way.
pub(super) fn check(
    models: &[Model],
    settings: &Settings,
    printer: &Printer,
    must_match: bool,
) -> Result<Option<Check>> {
    let options = settings.session_options();
    options.device.check().map_err(EngineError::from)?;
    let runtime = platform::runtime_source()().map_err(EngineError::from)?;
    let check = Check::run(models, &runtime, &options, must_match, &mut |precision| {
        printer.note(format_args!("checking {precision} …"));
        interrupt::check()
    })?;
    Ok(check)
}

/// Tells people what was found.
pub(super) fn tell(
    check: &Check,
    settings: &Settings,
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
        .filter(|_| settings.precision().is_none())
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
            "{:.1} ms a picture in a batch of {n_pairs}, {:.1} ms a text",
            figures.ms_per_picture, figures.ms_per_text
        ),
        format!(
            "length of the output before scaling: {} (images), {} (texts)",
            range(image.raw_norm),
            range(text.raw_norm)
        ),
        format!(
            "the own picture comes first for {n_texts_first} of {n_pairs} texts, the own text for \
             {n_pictures_first} of {n_pairs} pictures"
        ),
    ];
    if let Some(agreement) = &figures.to_fp32 {
        lines.push(format!(
            "cosine to fp32 {:.4} on average, {:.4} at worst; {:.2} times as fast with pictures, \
             {:.2} times with texts",
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
