//! `sightline models info`

use anyhow::Result;
use indicatif::HumanBytes;
use sightline_onnx::{EncodeError, ImageTower, Model, Signature, TextTower};

use super::place;
use crate::answers::{ModelInfoAnswer, PrecisionAnswer, SignatureAnswer, TensorAnswer};
use crate::cli::args::InfoArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::{Printer, Style};
use crate::cli::settings::Settings;
use crate::engine::EngineError;
use crate::models::{Entry, Figures};
use crate::platform;

pub(super) fn run(
    args: &InfoArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let entry = settings.entry(args.which.as_deref())?;
    let registry = settings.registry();
    let precision = settings.precision().or(entry.chosen());
    let model = registry.open_entry(&entry, precision)?;
    // All but inputs and outputs is told without ONNX Runtime, and for graphs that it refuses.
    let signatures = signatures(&model, settings);
    let asked = settings.precision().is_some();
    let info = ModelInfoAnswer::new(&entry, &model, asked, signatures.as_ref().ok())?;
    if args.json {
        printer.json(&info)?;
    } else {
        tell(&info, &entry, settings, printer)?;
    }
    Ok(match signatures {
        Ok(_) => ExitStatus::Found,
        Err(error) => {
            let told = Printer::safe(&format!("{:#}", anyhow::Error::from(error)));
            printer.error(
                format_args!("the graphs cannot be looked into: {told}"),
                None,
            );
            ExitStatus::Error
        }
    })
}

/// Of the image tower and of the text tower.
fn signatures(model: &Model, settings: &Settings) -> Result<(Signature, Signature), EngineError> {
    let runtime = platform::runtime_source()()?;
    let options = settings.session_options();
    let both = || -> Result<_, EncodeError> {
        let image = ImageTower::load(&runtime, model, &options)?.signature();
        Ok((
            image,
            TextTower::load(&runtime, model, &options)?.signature(),
        ))
    };
    Ok(both()?)
}

fn tell(
    info: &ModelInfoAnswer<'_>,
    entry: &Entry,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<()> {
    let mut row = |name: &str, value: &str| {
        let name = printer.paint(Style::Dim, &format!("{name:<12}"));
        printer.line(format_args!("{name} {}", Printer::safe(value)))
    };
    row("model", &info.model)?;
    row("place", &place(entry, settings))?;
    row("layout", info.layout)?;
    row("dimension", &info.dimension.to_string())?;
    row("pictures", &info.preprocessing.words)?;
    row("texts", &info.texts.words)?;
    row("fingerprint", info.fingerprint)?;
    row("size", &HumanBytes(info.bytes).to_string())?;
    row("licence", info.license.unwrap_or("not stated"))?;
    if let Some(origin) = &info.origin {
        let commit: String = origin.commit.chars().take(8).collect();
        row("origin", &format!("{} at {commit}", origin.repository))?;
    }
    for PrecisionAnswer { precision, figures } in &info.precisions {
        let used = if *precision == info.precision {
            ", used"
        } else {
            ""
        };
        let measured = figures.map_or_else(|| "not checked".to_owned(), in_words);
        row("precision", &format!("{precision}{used}: {measured}"))?;
    }
    let why = match (settings.precision(), &info.reason) {
        (Some(_), _) => "asked for".to_owned(),
        (None, Some(reason)) => reason.clone(),
        (None, None) => format!(
            "the most exact one; sightline models check {} finds out which is best",
            info.model
        ),
    };
    row("used", &format!("{}: {why}", info.precision))?;
    for (tower, signature) in [("image", &info.image), ("text", &info.text)] {
        let Some(SignatureAnswer { inputs, outputs }) = signature else {
            continue;
        };
        for (way, tensors) in [("in", inputs), ("out", outputs)] {
            for TensorAnswer { name, kind } in tensors {
                row(&format!("{tower} {way}"), &format!("{name}  {kind}"))?;
            }
        }
    }
    Ok(())
}

/// `52.1 ms a picture, 9.8 ms a text, cosine to fp32 0.9993 (at worst 0.9981), 2.80 times as fast`
fn in_words(figures: &Figures) -> String {
    let Figures {
        ms_per_picture,
        ms_per_text,
        to_fp32,
    } = figures;
    let speed = format!("{ms_per_picture:.1} ms a picture, {ms_per_text:.1} ms a text");
    match to_fp32 {
        None => speed,
        Some(agreement) => format!(
            "{speed}, cosine to fp32 {:.4} (at worst {:.4}), {:.2} times as fast",
            agreement.mean_cosine, agreement.worst_cosine, agreement.picture_speed
        ),
    }
}
