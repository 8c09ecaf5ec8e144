//! Reads records: from the database, or from the database under an overlay of uncommitted changes.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::codec::{self, StoredCounts, StoredItem};
use super::keys::{self, Column, meta};
use super::segments::SegmentEntry;
use super::{RecordsError, damaged};
use crate::item::{
    Caption, FileRecord, Generation, Image, Item, ItemId, ItemKind, LastRun, Library,
};
use crate::language::Language;

/// Called with an id and its vector. False ends the scan.
pub(crate) type VisitVector<'a> = dyn FnMut(ItemId, &[f32]) -> Result<bool, RecordsError> + 'a;

/// Called with a key and its value. False ends the scan.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool, RecordsError> + 'a;

/// A file that captions were read from, and the image that they are about, if any.
pub(crate) type CaptionSource = (PathBuf, Option<ItemId>);

/// Readable records. Methods fail when the database cannot be read or a record is damaged.
pub(crate) trait Records {
    /// The value of a key.
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, RecordsError>;

    /// Visits all keys that begin with `prefix` and are not before `start`, in order, until `visit`
    /// returns false. An empty `start` is before all keys.
    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        start: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), RecordsError>;

    /// The decoded value of a key.
    fn decoded<T>(
        &self,
        column: Column,
        key: &[u8],
        decode: fn(&[u8]) -> Result<T, RecordsError>,
    ) -> Result<Option<T>, RecordsError> {
        let bytes = self.get(column, key)?;
        bytes.map(|bytes| decode(&bytes)).transpose()
    }

    fn generation(&self) -> Result<Generation, RecordsError> {
        let found = self.decoded(Column::Default, meta::GENERATION, codec::decode_generation)?;
        Ok(found.unwrap_or(Generation(0)))
    }

    fn next_id(&self) -> Result<ItemId, RecordsError> {
        let found = self.decoded(Column::Default, meta::NEXT_ID, codec::decode_id)?;
        Ok(found.unwrap_or(ItemId(1)))
    }

    fn stored_counts(&self) -> Result<StoredCounts, RecordsError> {
        let found = self.decoded(Column::Default, meta::COUNTS, codec::decode_counts)?;
        Ok(found.unwrap_or_default())
    }

    fn manifest_copy(&self) -> Result<Option<Vec<u8>>, RecordsError> {
        self.get(Column::Default, meta::MANIFEST)
    }

    /// Whether the graphs are listed as segments. Otherwise they follow the rules of format 2.
    fn is_segmented(&self) -> Result<bool, RecordsError> {
        Ok(self.get(Column::Default, meta::SEGMENTED)?.is_some())
    }

    fn purged(&self) -> Result<[Generation; 2], RecordsError> {
        let found = self.decoded(Column::Default, meta::PURGED, codec::decode_purged)?;
        Ok(found.unwrap_or([Generation(0); 2]))
    }

    /// The language of the words. An index that states none is English.
    fn language(&self) -> Result<Language, RecordsError> {
        let found = self.decoded(Column::Default, meta::LANGUAGE, codec::decode_language)?;
        Ok(found.unwrap_or(Language::English))
    }

    /// Whether the language was changed and the captions have not been checked since.
    fn is_language_changed(&self) -> Result<bool, RecordsError> {
        let found = self.get(Column::Default, meta::LANGUAGE_CHANGED)?;
        Ok(found.is_some())
    }

    fn last_run(&self) -> Result<Option<LastRun>, RecordsError> {
        self.decoded(Column::Default, meta::LAST_RUN, codec::decode_last_run)
    }

    /// Images that a checkpoint kept without a path.
    fn noted_pathless(&self) -> Result<Vec<(ItemKind, ItemId)>, RecordsError> {
        let found = self.decoded(Column::Default, meta::PATHLESS, codec::decode_changes)?;
        Ok(found.unwrap_or_default())
    }

    fn stored_item(&self, id: ItemId) -> Result<Option<StoredItem>, RecordsError> {
        self.decoded(Column::Items, &keys::item(id), codec::decode_item)
    }

    fn item(&self, id: ItemId) -> Result<Option<Item>, RecordsError> {
        Ok(match self.stored_item(id)? {
            None => None,
            Some(StoredItem::Image {
                content_hash,
                width,
                height,
                details,
                beside,
                tags,
            }) => Some(Item::Image(Image {
                id,
                content_hash,
                width,
                height,
                details: codec::joined(details, &beside),
                is_tagged: tags.is_some(),
                tags: tags.unwrap_or_default(),
                paths: self.paths_of(id)?,
            })),
            Some(StoredItem::Caption {
                owner,
                rank: _,
                source,
                text,
            }) => Some(Item::Caption(Caption {
                id,
                text,
                image: owner,
                source,
            })),
        })
    }

    fn vector_values(
        &self,
        kind: ItemKind,
        id: ItemId,
        dimension: usize,
    ) -> Result<Option<Vec<f32>>, RecordsError> {
        let Some(bytes) = self.get(Column::Vectors, &keys::vector(kind, id))? else {
            return Ok(None);
        };
        let mut values = Vec::with_capacity(dimension);
        codec::decode_vector(&bytes, dimension, &mut values)?;
        Ok(Some(values))
    }

    /// Visits the vectors of a kind with ids above `after`, by id, until `visit` returns false.
    fn scan_vectors(
        &self,
        kind: ItemKind,
        after: ItemId,
        dimension: usize,
        visit: &mut VisitVector<'_>,
    ) -> Result<(), RecordsError> {
        let Some(first) = after.0.checked_add(1) else {
            return Ok(());
        };
        let start = keys::vector(kind, ItemId(first));
        let mut values = Vec::with_capacity(dimension);
        self.scan(
            Column::Vectors,
            &keys::vector_prefix(kind),
            &start,
            &mut |key, value| {
                let id = keys::id_at_end(key).ok_or(damaged("the key of a vector"))?;
                values.clear();
                codec::decode_vector(value, dimension, &mut values)?;
                visit(id, &values)
            },
        )
    }

    /// The ids of a kind within a range, in order.
    fn ids_between(
        &self,
        kind: ItemKind,
        range: RangeInclusive<ItemId>,
    ) -> Result<Vec<ItemId>, RecordsError> {
        let mut ids = Vec::new();
        self.scan(
            Column::Vectors,
            &keys::vector_prefix(kind),
            &keys::vector(kind, *range.start()),
            &mut |key, _| {
                let id = keys::id_at_end(key).ok_or(damaged("the key of a vector"))?;
                if range.contains(&id) {
                    ids.push(id);
                }
                Ok(id < *range.end())
            },
        )?;
        Ok(ids)
    }

    /// The removed ids of a kind that are within the range of a graph segment, in order.
    fn removed(&self, kind: ItemKind) -> Result<Vec<ItemId>, RecordsError> {
        let prefix = keys::removed_prefix(kind);
        let mut ids = Vec::new();
        self.scan(Column::Default, &prefix, &[], &mut |key, _| {
            ids.push(keys::id_at_end(key).ok_or(damaged("the key of a removed item"))?);
            Ok(true)
        })?;
        Ok(ids)
    }

    /// The graph segments of a kind. Their ranges of ids are ascending and disjoint.
    fn segments(&self, kind: ItemKind) -> Result<Vec<SegmentEntry>, RecordsError> {
        let prefix = keys::segments_prefix(kind);
        let mut segments: Vec<SegmentEntry> = Vec::new();
        self.scan(Column::Default, &prefix, &[], &mut |key, value| {
            let entry = SegmentEntry::decode(key, value)?;
            if segments
                .last()
                .is_some_and(|last| last.last_id >= entry.first_id)
            {
                return Err(damaged("the list of graph segments"));
            }
            segments.push(entry);
            Ok(true)
        })?;
        Ok(segments)
    }

    fn file(&self, path: &Path) -> Result<Option<FileRecord>, RecordsError> {
        self.decoded(Column::Paths, &keys::file(path)?, codec::decode_file)
    }

    /// The folder itself, if it is a file, and all files in it and its subfolders, sorted by the
    /// bytes of their paths.
    fn files_under(&self, folder: &Path) -> Result<Vec<(PathBuf, FileRecord)>, RecordsError> {
        let mut files = Vec::new();
        self.scan_files_under(folder, None, &mut |path, file| {
            files.push((path, file));
            Ok(true)
        })?;
        Ok(files)
    }

    /// Visits the same files, those after the path `after` if given, until `visit` returns false.
    fn scan_files_under(
        &self,
        folder: &Path,
        after: Option<&Path>,
        visit: &mut dyn FnMut(PathBuf, FileRecord) -> Result<bool, RecordsError>,
    ) -> Result<(), RecordsError> {
        let folder = without_end(folder);
        if after.is_none()
            && let Some(file) = self.file(folder)?
            && !visit(folder.to_owned(), file)?
        {
            return Ok(());
        }
        let prefix = [keys::FILES, &keys::inside(folder)?].concat();
        let mut start = Vec::new();
        if let Some(after) = after {
            start = keys::just_after(keys::file(after)?);
        }
        self.scan(Column::Paths, &prefix, &start, &mut |key, value| {
            visit(keys::path_of_file(key)?, codec::decode_file(value)?)
        })
    }

    /// Visits all files, by path.
    fn scan_files(
        &self,
        visit: &mut dyn FnMut(PathBuf, FileRecord) -> Result<(), RecordsError>,
    ) -> Result<(), RecordsError> {
        self.scan(Column::Paths, keys::FILES, &[], &mut |key, value| {
            visit(keys::path_of_file(key)?, codec::decode_file(value)?)?;
            Ok(true)
        })
    }

    /// Visits all items, by id.
    fn scan_items(
        &self,
        visit: &mut dyn FnMut(ItemId, StoredItem) -> Result<(), RecordsError>,
    ) -> Result<(), RecordsError> {
        self.scan_items_from(ItemId(0), &mut |id, item| {
            visit(id, item)?;
            Ok(true)
        })
    }

    /// Visits the items with ids from `first`, by id, until `visit` returns false.
    fn scan_items_from(
        &self,
        first: ItemId,
        visit: &mut dyn FnMut(ItemId, StoredItem) -> Result<bool, RecordsError>,
    ) -> Result<(), RecordsError> {
        self.scan(Column::Items, &[], &keys::item(first), &mut |key, value| {
            let id = keys::id_at_end(key).ok_or(damaged("the key of an item"))?;
            visit(id, codec::decode_item(value)?)
        })
    }

    fn image_with_hash(&self, hash: &[u8; 32]) -> Result<Option<ItemId>, RecordsError> {
        self.decoded(Column::Hashes, hash, codec::decode_id)
    }

    /// The paths of an image, sorted by their bytes.
    fn paths_of(&self, image: ItemId) -> Result<Vec<PathBuf>, RecordsError> {
        let prefix = keys::link_prefix(image);
        let mut paths = Vec::new();
        self.scan(Column::Paths, &prefix, &[], &mut |key, _| {
            paths.push(keys::path_of_link(key)?);
            Ok(true)
        })?;
        Ok(paths)
    }

    /// The ids under a prefix of the `captions` column, in the order of their keys.
    fn caption_ids(&self, prefix: &[u8]) -> Result<Vec<ItemId>, RecordsError> {
        let mut ids = Vec::new();
        self.scan(Column::Captions, prefix, &[], &mut |_, value| {
            ids.push(codec::decode_id(value)?);
            Ok(true)
        })?;
        Ok(ids)
    }

    fn captions_with(&self, ids: &[ItemId]) -> Result<Vec<Caption>, RecordsError> {
        let mut captions = Vec::with_capacity(ids.len());
        for &id in ids {
            match self.item(id)? {
                Some(Item::Caption(caption)) => captions.push(caption),
                _ => return Err(damaged("the list of an image's captions")),
            }
        }
        Ok(captions)
    }

    fn captions_of(&self, owner: Option<ItemId>) -> Result<Vec<Caption>, RecordsError> {
        self.captions_with(&self.caption_ids(&keys::owner_prefix(owner))?)
    }

    fn captions_from(
        &self,
        owner: Option<ItemId>,
        source: &Path,
    ) -> Result<Vec<Caption>, RecordsError> {
        self.captions_with(&self.caption_ids(&keys::owner_source_prefix(owner, source)?)?)
    }

    /// The files that `owner` has captions from, sorted by the bytes of their paths.
    fn caption_sources_of(&self, owner: Option<ItemId>) -> Result<Vec<PathBuf>, RecordsError> {
        let mut sources: Vec<PathBuf> = Vec::new();
        self.scan(
            Column::Captions,
            &keys::owner_prefix(owner),
            &[],
            &mut |key, _| {
                let source = keys::source_in(key).ok_or(damaged("the key of a caption"))?;
                if sources.last() != Some(&source) {
                    sources.push(source);
                }
                Ok(true)
            },
        )?;
        Ok(sources)
    }

    fn caption_owners(&self, source: &Path) -> Result<Vec<Option<ItemId>>, RecordsError> {
        let prefix = keys::source_prefix(source)?;
        let mut owners = Vec::new();
        self.scan(Column::Captions, &prefix, &[], &mut |key, _| {
            owners.push(keys::owner_at_end(key).ok_or(damaged("the key of a caption's source"))?);
            Ok(true)
        })?;
        Ok(owners)
    }

    /// Visits the files that captions were read from and the owners of those captions: all, or
    /// those at or below `folder`, and of them those after `after`; until `visit` returns false.
    ///
    /// Keys sort by the length of the path first, so this looks for the folder among the paths of
    /// each length that there is.
    fn scan_caption_sources(
        &self,
        folder: Option<&Path>,
        after: Option<&CaptionSource>,
        visit: &mut dyn FnMut(CaptionSource) -> Result<bool, RecordsError>,
    ) -> Result<(), RecordsError> {
        let damaged = || damaged("the key of a caption's source");
        let folder = folder.map(without_end);
        let mut start = match (after, folder) {
            (Some((source, owner)), _) => keys::just_after(keys::source(source, *owner)?),
            (None, Some(folder)) => keys::source_prefix(folder)?,
            (None, None) => Vec::new(),
        };
        loop {
            let mut next = None;
            self.scan(Column::Captions, keys::SOURCES, &start, &mut |key, _| {
                let source = keys::source_in(key).ok_or_else(damaged)?;
                if let Some(folder) = folder
                    && !source.starts_with(folder)
                {
                    next = keys::next_source_inside(key, folder)?;
                    return Ok(false);
                }
                visit((source, keys::owner_at_end(key).ok_or_else(damaged)?))
            })?;
            match next {
                Some(next) => start = next,
                None => return Ok(()),
            }
        }
    }

    fn libraries(&self) -> Result<Vec<Library>, RecordsError> {
        let mut libraries = Vec::new();
        self.scan(Column::Default, keys::LIBRARIES, &[], &mut |key, value| {
            libraries.push(codec::decode_library(
                &keys::path_from(key.get(1..).unwrap_or(&[]))?,
                value,
            )?);
            Ok(true)
        })?;
        Ok(libraries)
    }

    /// The lists of changed items of the generations after `after`, by generation.
    #[expect(
        clippy::type_complexity,
        reason = "a list of lists needs no name of its own"
    )]
    fn changes_after(
        &self,
        after: Generation,
    ) -> Result<Vec<(Generation, Vec<(ItemKind, ItemId)>)>, RecordsError> {
        let start = keys::changes(after.0.saturating_add(1));
        let mut changes = Vec::new();
        self.scan(Column::Default, keys::CHANGES, &start, &mut |key, value| {
            let number = keys::generation_of(key).ok_or(damaged("the key of a list of changes"))?;
            changes.push((Generation(number), codec::decode_changes(value)?));
            Ok(true)
        })?;
        Ok(changes)
    }
}

/// A folder without separators at its end, as paths are stored.
fn without_end(folder: &Path) -> &Path {
    folder.components().as_path()
}
