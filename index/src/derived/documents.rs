//! The searchable words of an item: a caption's text; an image's captions, file and folder names,
//! camera, date, places, keywords and tags.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use crate::error::{IndexError, Within};
use crate::item::{Generation, ItemId, Library};
use crate::records::RecordsError;
use crate::records::codec::{StoredItem, joined};
use crate::records::read::Records;
use crate::words::Document;
use crate::words::calendar;

/// For a path outside every library folder, index the file name and this many parent folders.
const N_FOLDERS: usize = 2;

/// The document of an item, or none when the item does not exist.
///
/// # Errors
/// When the records cannot be read.
pub(crate) fn document(
    records: &impl Records,
    libraries: &[Library],
    id: ItemId,
) -> Result<Option<Document>, RecordsError> {
    let Some(item) = records.stored_item(id)? else {
        return Ok(None);
    };
    let kind = item.kind().number();
    let text = match item {
        StoredItem::Caption { text, .. } => text,
        StoredItem::Image {
            details,
            beside,
            tags,
            ..
        } => {
            let captions = records
                .captions_of(Some(id))?
                .into_iter()
                .map(|caption| caption.text);
            let paths = records.paths_of(id)?;
            let names = paths.iter().map(|path| names(path, libraries));
            let details = joined(details, &beside).unwrap_or_default();
            let language = records.language()?;
            let date = details.taken.map(|taken| calendar::words(taken, language));
            let facts = details.camera.into_iter().chain(date);
            let facts = facts.chain(details.places).chain(details.keywords);
            let facts = facts.chain(tags.unwrap_or_default());
            captions
                .chain(names)
                .chain(facts)
                .collect::<Vec<_>>()
                .join("\n")
        }
    };
    Ok(Some(Document {
        kind,
        id: id.0,
        text,
    }))
}

/// Passes the documents of all items to `put`.
///
/// # Errors
/// When the records cannot be read, or `put` fails.
pub(crate) fn all_documents(
    records: &impl Records,
    dir: &Path,
    put: &mut dyn FnMut(&Document) -> Result<(), IndexError>,
) -> Result<(), IndexError> {
    let libraries = records.libraries().within(dir)?;
    let mut ids = Vec::new();
    records
        .scan_items(&mut |id, _| {
            ids.push(id);
            Ok(())
        })
        .within(dir)?;
    for id in ids {
        if let Some(document) = document(records, &libraries, id).within(dir)? {
            put(&document)?;
        }
    }
    Ok(())
}

/// The items that changed after one generation up to another, by id; none when the lists of changes
/// do not go back that far.
///
/// # Errors
/// When the records cannot be read.
pub(crate) fn changed_since(
    records: &impl Records,
    after: Generation,
    until: Generation,
) -> Result<Option<BTreeSet<ItemId>>, RecordsError> {
    if after > until {
        return Ok(None);
    }
    let lists = records.changes_after(after)?;
    let generations = lists.iter().map(|(generation, _)| generation.0);
    if !generations.eq(after.0 + 1..=until.0) {
        return Ok(None);
    }
    let changed = lists.into_iter().flat_map(|(_, changed)| changed);
    Ok(Some(changed.map(|(_, id)| id).collect()))
}

/// The names in a path from its library folder down, without the extension. The folders above the
/// library are the same for all images and often contain the user's name, so they do not describe
/// any image.
fn names(path: &Path, libraries: &[Library]) -> String {
    let stem = path.with_extension("");
    let all: Vec<_> = stem
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_string_lossy()),
            _ => None,
        })
        .collect();
    let n_above = libraries
        .iter()
        .filter(|library| path.starts_with(&library.folder))
        .map(|library| {
            library
                .folder
                .components()
                .filter(|c| matches!(c, Component::Normal(_)))
                .count()
        })
        // The outermost library, including its own name.
        .min()
        .map_or_else(
            || all.len().saturating_sub(N_FOLDERS + 1),
            |n| n.saturating_sub(1),
        );
    all[n_above.min(all.len())..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_at_the_library_folder() {
        let library = |folder: &str| Library {
            folder: folder.into(),
            n_files: 0,
            last_run_unix_s: 0,
        };
        let libraries = [
            library("/home/ana/Pictures"),
            library("/home/ana/Pictures/inner"),
        ];
        let rows = [
            (
                "/home/ana/Pictures/Beach 2024/IMG_1.jpg",
                "Pictures\nBeach 2024\nIMG_1",
            ),
            ("/home/ana/Pictures/inner/a.b.jpg", "Pictures\ninner\na.b"),
            ("/mnt/card/DCIM/100/IMG_1.jpg", "DCIM\n100\nIMG_1"),
            ("/x.jpg", "x"),
            ("relative.jpg", "relative"),
            ("/", ""),
        ];
        assert_eq!(rows.len(), 6);
        for (path, expected) in rows {
            assert_eq!(names(Path::new(path), &libraries), expected, "{path}");
        }
    }
}
