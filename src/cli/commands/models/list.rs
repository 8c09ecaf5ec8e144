//! `sightline models list`

use anyhow::Result;
use indicatif::HumanBytes;
use serde_json::{Map, Value, json};

use super::{place, place_name};
use crate::cli::args::ListArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::output::path_json;
use crate::cli::printer::{Printer, Style};
use crate::cli::settings::Settings;
use crate::engine::EngineError;
use crate::models::Entry;

pub(super) fn run(
    args: &ListArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let registry = settings.registry();
    let default = registry.default_name().map_err(EngineError::from)?;
    let entries = registry.list().map_err(EngineError::from)?;
    if args.json {
        let models: Vec<_> = entries
            .iter()
            .map(|entry| to_json(entry, settings, entry.label() == default))
            .collect();
        printer.json(&json!({ "default": default, "models": models }))?;
        return Ok(ExitStatus::Found);
    }
    let width = entries.iter().map(|entry| entry.label().len()).max();
    for entry in &entries {
        let name = entry.label();
        let mark = if name == default { '*' } else { ' ' };
        let padded = format!("{name:<0$}", width.unwrap_or(0));
        let name = printer.paint(Style::Bold, &padded);
        let details = match registry.open_entry(entry, entry.chosen()) {
            Ok(model) => format!(
                "{:>5} dimensions  {:>10}  {:<4}  {}",
                model.dimension(),
                HumanBytes(model.n_bytes().unwrap_or(0)).to_string(),
                model.precision(),
                place(entry, settings)
            ),
            Err(error) => format!("cannot be used: {}", Printer::safe(&error.to_string())),
        };
        printer.line(format_args!("{mark} {name}  {details}"))?;
    }
    if entries.iter().all(|entry| entry.label() != default) {
        printer.note(format_args!(
            "the default model, {default}, is gone\n\n\
             hint: choose another one, such as: sightline models default starter"
        ));
    }
    Ok(ExitStatus::Found)
}

fn to_json(entry: &Entry, settings: &Settings, is_default: bool) -> Map<String, Value> {
    let mut value = Map::new();
    value.insert("name".into(), json!(entry.label()));
    value.insert("default".into(), json!(is_default));
    value.insert("place".into(), json!(place_name(entry)));
    if let Some(folder) = entry.folder() {
        value.extend(path_json(folder));
    }
    match settings.registry().open_entry(entry, entry.chosen()) {
        Ok(model) => {
            value.insert("layout".into(), json!(model.layout()));
            value.insert("dimension".into(), json!(model.dimension()));
            value.insert("precision".into(), json!(model.precision().as_str()));
            value.insert("fingerprint".into(), json!(model.fingerprint()));
            value.insert("bytes".into(), json!(model.n_bytes().ok()));
        }
        Err(error) => {
            value.insert("error".into(), json!(error.to_string()));
        }
    }
    value
}
