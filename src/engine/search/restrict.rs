//! Which items may be hits: those that meet the conditions, and have the phrases and none of the
//! excluded words.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use sightline_index::{Filter, IdSet, IndexReader, ItemKind};

use super::condition::{Condition, Key};
use super::parts::Query;
use crate::engine::error::EngineError;
use crate::engine::names;

/// The items of a kind that may be hits of a query; `None` for all.
///
/// # Errors
/// When a folder is not in the index, or the index cannot be read.
pub(super) fn chosen(
    reader: &IndexReader,
    kind: ItemKind,
    query: &Query,
    filter: Option<&Filter>,
) -> Result<Option<Arc<IdSet>>, EngineError> {
    let mut filters: Vec<Filter> = filter.cloned().into_iter().collect();
    filters.extend(conditions(reader, &query.conditions)?);
    let mut chosen = match filters.len() {
        0 => None,
        _ => Some(reader.select(kind, &Filter::All(filters))?),
    };
    for phrase in &query.phrases {
        let with = reader.containing(kind, phrase)?;
        match &mut chosen {
            Some(chosen) => Arc::make_mut(chosen).intersect_with(&with),
            None => chosen = Some(Arc::new(with)),
        }
    }
    for phrase in &query.excluded {
        let with = reader.containing(kind, phrase)?;
        let mut rest = match chosen {
            Some(chosen) => chosen,
            None => everything(reader, kind)?,
        };
        Arc::make_mut(&mut rest).subtract(&with);
        chosen = Some(rest);
    }
    Ok(chosen)
}

/// All items of a kind; for captions also ids of other items, which no search for captions finds.
fn everything(reader: &IndexReader, kind: ItemKind) -> Result<Arc<IdSet>, EngineError> {
    Ok(match kind {
        ItemKind::Image => reader.select(kind, &Filter::All(Vec::new()))?,
        ItemKind::Caption => Arc::new(reader.every_id()?),
    })
}

/// What conditions ask for: one of those of each key, and none of the negated ones.
fn conditions(reader: &IndexReader, conditions: &[Condition]) -> Result<Vec<Filter>, EngineError> {
    let (negated, wanted): (Vec<_>, Vec<_>) = conditions.iter().partition(|c| c.is_negated());
    let mut filters = Vec::new();
    for key in Key::ALL {
        let of_key = wanted.iter().filter(|condition| condition.key() == key);
        let of_key = of_key.map(|condition| resolved(reader, condition));
        let any = of_key.collect::<Result<Vec<Filter>, _>>()?;
        if !any.is_empty() {
            filters.push(Filter::Any(any));
        }
    }
    for condition in negated {
        filters.push(Filter::Not(Box::new(resolved(reader, condition)?)));
    }
    Ok(filters)
}

/// The filter of a condition, with folders as they are in the index.
fn resolved(reader: &IndexReader, condition: &Condition) -> Result<Filter, EngineError> {
    let condition = condition.settled(reader)?;
    let Filter::Folder(folder) = condition.filter() else {
        return Ok(condition.filter().clone());
    };
    let mut found = Vec::new();
    for place in places(reader, folder)? {
        let filter = Filter::Folder(place);
        if !reader.select(ItemKind::Image, &filter)?.is_empty() {
            found.push(filter);
            break;
        }
    }
    if found.is_empty() {
        let folders = ending_with(reader, folder)?.into_iter();
        found.extend(folders.map(Filter::Folder));
    }
    if found.is_empty() {
        return Err(EngineError::NotIndexed {
            path: folder.clone(),
            what: "folder",
        });
    }
    Ok(Filter::Any(found))
}

/// Where a folder can be meant to be: as its path says, or below a library folder.
fn places(reader: &IndexReader, folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let mut places = names::places(folder)?;
    if folder.is_relative() {
        let libraries = reader.libraries()?.into_iter();
        places.extend(libraries.map(|library| library.folder.join(folder)));
    }
    Ok(places)
}

/// The outermost folders of the index whose paths end with these names, in capitals or not.
fn ending_with(reader: &IndexReader, folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let names: Vec<Vec<u8>> = folder
        .components()
        .filter(|component| component.as_os_str() != OsStr::new("~"))
        .filter(|component| !matches!(component, Component::CurDir))
        .map(|component| names::folded(component.as_os_str()))
        .collect();
    if folder.is_absolute() || names.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in reader.folders()? {
        let parts: Vec<Vec<u8>> = folder.iter().map(names::folded).collect();
        let end = (names.len()..=parts.len()).find(|&end| parts[..end].ends_with(&names));
        let outermost = end.map(|end| folder.iter().take(end).collect());
        if let Some(outermost) = outermost
            && !found.contains(&outermost)
        {
            found.push(outermost);
        }
    }
    Ok(found)
}
