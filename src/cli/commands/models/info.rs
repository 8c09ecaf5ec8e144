//! `sightline models info`

use anyhow::Result;
use indicatif::HumanBytes;

use super::registry::place;
use crate::answers::{ModelInfoAnswer, PrecisionAnswer, SignatureAnswer, TensorAnswer};
use crate::cli::args::InfoArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::{Printer, Style};
use crate::models::{Entry, Figures};
use crate::workspace::Workspace;

pub(super) fn run(
    args: &InfoArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let entry = workspace.entry(args.which.as_deref())?;
    let registry = workspace.registry();
    let precision = workspace.precision().or(entry.chosen());
    let model = registry.open_entry(&entry, precision)?;
    // Everything but inputs and outputs is shown even if the graphs cannot be loaded.
    let signatures = workspace.signatures(&model);
    let asked = workspace.precision().is_some();
    let info = ModelInfoAnswer::new(&entry, &model, asked, signatures.as_ref().ok())?;
    if args.json {
        printer.json(&info)?;
    } else {
        show(&info, &entry, workspace, printer)?;
    }
    Ok(match signatures {
        Ok(_) => ExitStatus::Found,
        Err(error) => {
            let reason = format!("{:#}", anyhow::Error::from(error));
            printer.error(format_args!("cannot load the graphs: {reason}"), None);
            ExitStatus::Error
        }
    })
}

fn show(
    info: &ModelInfoAnswer<'_>,
    entry: &Entry,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<()> {
    let place = place(entry, printer);
    let mut row = |name: &str, value: &str| {
        let name = printer.paint(Style::Dim, &format!("{name:<12}"));
        printer.line(format_args!("{name} {}", Printer::safe(value)))
    };
    row("model", &info.model)?;
    row("place", &place)?;
    row("layout", info.layout)?;
    row("dimension", &info.dimension.to_string())?;
    row("pictures", &info.preprocessing.words)?;
    row("texts", &info.texts.words)?;
    if !info.languages.is_empty() {
        row("languages", &info.languages.join(", "))?;
    }
    for other in &info.other_texts {
        row("texts", &other.texts.words)?;
        row("languages", &other.languages.join(", "))?;
    }
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
    let why = match (workspace.precision(), &info.reason) {
        (Some(_), _) => "requested".to_owned(),
        (None, Some(reason)) => reason.clone(),
        (None, None) => format!(
            "the most precise; `sightline models check {}` chooses the best",
            info.model
        ),
    };
    row("used", &format!("{}: {why}", info.precision))?;
    let others = info.other_texts.iter().map(|other| ("text", &other.text));
    let towers = [("image", &info.image), ("text", &info.text)];
    for (tower, signature) in towers.into_iter().chain(others) {
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

/// `52.1 ms per picture, 9.8 ms per text, cosine to fp32 0.9993 (at worst 0.9981), …`
fn in_words(figures: &Figures) -> String {
    let Figures {
        ms_per_picture,
        ms_per_text,
        to_fp32,
    } = figures;
    let speed = format!("{ms_per_picture:.1} ms per picture, {ms_per_text:.1} ms per text");
    match to_fp32 {
        None => speed,
        Some(agreement) => format!(
            "{speed}, cosine to fp32 {:.4} (at worst {:.4}), {:.2} times as fast",
            agreement.mean_cosine, agreement.worst_cosine, agreement.picture_speed
        ),
    }
}
