//! `sightline models info`

use anyhow::Result;
use indicatif::HumanBytes;
use serde_json::{Value, json};
use sightline_onnx::{
    Channels, Clean, EncodeError, ImageEncoder, Interpolation, MaskRule, Model, Pad,
    PreprocessConfig, Resize, Signature, TextEncoder,
};

use super::{place, place_name};
use crate::cli::args::InfoArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::output::path_json;
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
    let model = registry
        .open_entry(&entry, precision)
        .map_err(EngineError::from)?;
    // All but inputs and outputs is told without ONNX Runtime, and for graphs that it refuses.
    let signatures = signatures(&model, settings);
    if args.json {
        printer.json(&to_json(&entry, &model, signatures.as_ref(), settings)?)?;
    } else {
        tell(&entry, &model, signatures.as_ref(), settings, printer)?;
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
        let image = ImageEncoder::load(&runtime, model, &options)?.signature();
        Ok((
            image,
            TextEncoder::load(&runtime, model, &options)?.signature(),
        ))
    };
    Ok(both()?)
}

fn tell(
    entry: &Entry,
    model: &Model,
    signatures: Result<&(Signature, Signature), &EngineError>,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<()> {
    let mut row = |name: &str, value: &str| {
        let name = printer.paint(Style::Dim, &format!("{name:<12}"));
        printer.line(format_args!("{name} {}", Printer::safe(value)))
    };
    row("model", &entry.label())?;
    row("place", &place(entry, settings))?;
    row("layout", model.layout())?;
    row("dimension", &model.dimension().to_string())?;
    row("pictures", &preprocessing(model.preprocess()))?;
    row("texts", &texts(model))?;
    row("fingerprint", model.fingerprint())?;
    let n_bytes = model.n_bytes().map_err(EngineError::from)?;
    row("size", &HumanBytes(n_bytes).to_string())?;
    row("licence", license(entry, model).unwrap_or("not stated"))?;
    if let Some(origin) = entry.origin() {
        let commit: String = origin.commit.chars().take(8).collect();
        row("origin", &format!("{} at {commit}", origin.repository))?;
    }
    for precision in entry.precisions().map_err(EngineError::from)? {
        let used = if precision == model.precision() {
            ", used"
        } else {
            ""
        };
        let told = match entry.figures(precision) {
            Some(figures) => format!("{precision}{used}: {}", in_words(figures)),
            None => format!("{precision}{used}: not checked"),
        };
        row("precision", &told)?;
    }
    match (
        settings.precision(),
        entry.verdict().map_err(EngineError::from)?,
    ) {
        (Some(_), _) => row("used", &format!("{}: asked for", model.precision()))?,
        (None, Some(verdict)) => {
            row(
                "used",
                &format!("{}: {}", model.precision(), verdict.reason),
            )?;
        }
        (None, None) => row(
            "used",
            &format!(
                "{}: the most exact one; sightline models check {} finds out which is best",
                model.precision(),
                entry.label()
            ),
        )?,
    }
    if let Ok((image, text)) = signatures {
        for (tower, signature) in [("image", image), ("text", text)] {
            for (way, outlets) in [("in", &signature.inputs), ("out", &signature.outputs)] {
                for (name, told) in outlets {
                    row(&format!("{tower} {way}"), &format!("{name}  {told}"))?;
                }
            }
        }
    }
    Ok(())
}

/// The licence as the model's files state it, else as the hub did.
fn license<'a>(entry: &'a Entry, model: &'a Model) -> Option<&'a str> {
    let of_hub = entry.origin().and_then(|origin| origin.license.as_deref());
    model.license().or(of_hub)
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

/// `224 × 224: shortest edge to 224 (bicubic), centre cropped, mean 0.481 …, deviation 0.269 …`
fn preprocessing(config: &PreprocessConfig) -> String {
    let (height, width) = config.output_size();
    let size = match config.resize {
        Resize::ShortestEdge(edge) => format!("shortest edge to {edge}, cut around the centre"),
        Resize::LongestEdge(edge) => format!("longest edge to {edge}, filled up around it"),
        Resize::Squash => "both sides to it, whatever the proportions".to_owned(),
        Resize::SquashTo(edge) => {
            format!("both sides to {edge}, whatever the proportions, cut around the centre")
        }
        Resize::Keep => "not resized, cut around the centre".to_owned(),
        _ => format!("{:?}", config.resize),
    };
    let filter = interpolation(config.interpolation);
    let numbers = |values: [f32; 3]| values.map(|value| format!("{value:.3}")).join(" ");
    let scale = if (config.rescale - 1.0 / 255.0).abs() < 1e-9 {
        "values 0 to 1".to_owned()
    } else {
        format!("values times {:?}", config.rescale)
    };
    let order = if config.channels == Channels::Bgr {
        ", blue first"
    } else {
        ""
    };
    let fill = if config.fill == [0; 3] {
        String::new()
    } else {
        format!(", filled up with {:?}", config.fill)
    };
    format!(
        "{height} × {width}: {size} ({filter}), {scale}, mean {}, deviation {}{order}{fill}",
        numbers(config.mean),
        numbers(config.std)
    )
}

/// As in `sightline.toml`.
fn clean(clean: Clean) -> &'static str {
    match clean {
        Clean::Whitespace => "whitespace",
        Clean::Lower => "lower",
        Clean::Canonical => "canonical",
        Clean::CanonicalSpaced => "canonical-spaced",
        _ => "none",
    }
}

fn interpolation(interpolation: Interpolation) -> String {
    format!("{interpolation:?}").to_lowercase()
}

/// `64 tokens, always filled up, in lower case without punctuation`
fn texts(model: &Model) -> String {
    let config = model.tokenize();
    let n = config.context_length;
    let mut told = match config.pad {
        Pad::Context => format!("{n} tokens, always filled up"),
        _ => format!("at most {n} tokens"),
    };
    let filler = config.pad_id.map(|id| format!("token {id}"));
    if let Some(filler) = filler.or_else(|| config.pad_token.clone()) {
        told = format!("{told} with {filler}");
    }
    if config.mask == MaskRule::All {
        told += ", which the model sees";
    }
    match config.clean {
        Clean::Whitespace => told += ", white space made even",
        Clean::Lower => told += ", in lower case",
        Clean::Canonical | Clean::CanonicalSpaced => {
            told += ", in lower case without punctuation";
        }
        _ => {}
    }
    told
}

fn to_json(
    entry: &Entry,
    model: &Model,
    signatures: Result<&(Signature, Signature), &EngineError>,
    settings: &Settings,
) -> Result<Value> {
    let outlets = |outlets: &[(String, String)]| -> Vec<Value> {
        let one = |(name, told): &(String, String)| json!({ "name": name, "type": told });
        outlets.iter().map(one).collect()
    };
    let signature = |signature: &Signature| {
        json!({
            "inputs": outlets(&signature.inputs),
            "outputs": outlets(&signature.outputs),
        })
    };
    let precisions: Vec<Value> = entry
        .precisions()
        .map_err(EngineError::from)?
        .into_iter()
        .map(|precision| {
            json!({ "precision": precision.as_str(), "figures": entry.figures(precision) })
        })
        .collect();
    let verdict = entry.verdict().map_err(EngineError::from)?;
    let verdict = verdict.filter(|_| settings.precision().is_none());
    let (config, tokenize) = (model.preprocess(), model.tokenize());
    let (resize, edge) = match config.resize {
        Resize::ShortestEdge(edge) => ("shortest-edge", Some(edge)),
        Resize::LongestEdge(edge) => ("longest-edge", Some(edge)),
        Resize::SquashTo(edge) => ("squash-to", Some(edge)),
        Resize::Keep => ("keep", None),
        _ => ("squash", None),
    };
    let mut value = json!({
        "model": entry.label(),
        "place": place_name(entry),
        "layout": model.layout(),
        "dimension": model.dimension(),
        "context_length": model.context_length(),
        "preprocessing": {
            "height": config.height,
            "width": config.width,
            "resize": resize,
            "edge": edge,
            "interpolation": interpolation(config.interpolation),
            "rescale": config.rescale,
            "mean": config.mean,
            "std": config.std,
            "channels": if config.channels == Channels::Bgr { "bgr" } else { "rgb" },
            "fill": config.fill,
            "words": preprocessing(config),
        },
        "texts": {
            "pad": if tokenize.pad == Pad::Context { "context" } else { "longest" },
            "pad_token": tokenize.pad_token,
            "pad_id": tokenize.pad_id,
            "mask": if tokenize.mask == MaskRule::All { "all" } else { "tokens" },
            "clean": clean(tokenize.clean),
            "words": texts(model),
        },
        "fingerprint": model.fingerprint(),
        "bytes": model.n_bytes().map_err(EngineError::from)?,
        "license": license(entry, model),
        "origin": entry.origin().map(|origin| {
            json!({ "repository": origin.repository, "commit": origin.commit })
        }),
        "precision": model.precision().as_str(),
        "reason": verdict.map(|verdict| verdict.reason),
        "precisions": precisions,
        "checked_unix_s": entry.checked_unix_s(),
        "image": signatures.ok().map(|(image, _)| signature(image)),
        "text": signatures.ok().map(|(_, text)| signature(text)),
    });
    if let (Some(value), Some(folder)) = (value.as_object_mut(), entry.folder()) {
        value.extend(path_json(folder));
    }
    Ok(value)
}
