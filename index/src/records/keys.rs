//! The keys of all records, byte by byte, as in FORMAT.md.
//!
//! Numbers in keys are big-endian, so that keys sort by number. Paths are the bytes that the system
//! uses (UTF-8 or not); on systems whose paths are not bytes, UTF-8.
//!
//! | column   | key                                                        | value              |
//! |----------|------------------------------------------------------------|--------------------|
//! | default  | `m` name                                                   | see [`meta`]       |
//! | default  | `l` folder                                                 | library            |
//! | default  | `g` generation u64                                         | changed ids        |
//! | default  | `r` kind u8, id u32                                        | empty (a tombstone)|
//! | default  | `s` kind u8, first id u32                                  | graph segment      |
//! | default  | `x` facet u8, escaped value, chunk u32                     | images with it     |
//! | items    | id u32                                                     | item               |
//! | vectors  | kind u8, id u32                                            | f32 × dimension    |
//! | hashes   | hash [u8; 32]                                              | image id           |
//! | paths    | `f` path                                                   | file               |
//! | paths    | `i` image id u32, path                                     | empty              |
//! | captions | `o` owner, source length u32, source, rank u32             | caption id         |
//! | captions | `s` source length u32, source, owner                       | empty              |
//!
//! A value is escaped so that keys sort by value: each zero byte becomes 0 1, and 0 0 ends it.
//!
//! An owner is 5 bytes: five zeros for none, or 1 and the image's id u32.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::{RecordsError, damaged};
use crate::item::{ItemId, ItemKind};

/// The column families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Default,
    Items,
    Vectors,
    Hashes,
    Paths,
    Captions,
}

impl Column {
    pub(crate) const ALL: [Self; 6] = [
        Self::Default,
        Self::Items,
        Self::Vectors,
        Self::Hashes,
        Self::Paths,
        Self::Captions,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Items => "items",
            Self::Vectors => "vectors",
            Self::Hashes => "hashes",
            Self::Paths => "paths",
            Self::Captions => "captions",
        }
    }
}

/// The keys of single records.
pub(crate) mod meta {
    /// The newest generation.
    pub(crate) const GENERATION: &[u8] = b"mgeneration";
    /// The id of the next item.
    pub(crate) const NEXT_ID: &[u8] = b"mnext_id";
    /// The number of images, captions and files.
    pub(crate) const COUNTS: &[u8] = b"mcounts";
    /// A copy of the manifest, from which a lost one is restored.
    pub(crate) const MANIFEST: &[u8] = b"mmanifest";
    /// The code of the language of the stemmer.
    pub(crate) const LANGUAGE: &[u8] = b"mlanguage";
    /// Present after a change of the language, until the captions have been checked.
    pub(crate) const LANGUAGE_CHANGED: &[u8] = b"mlanguage_changed";
    /// Present when there is no image without metadata, as older versions of this program wrote.
    pub(crate) const DETAILED: &[u8] = b"mdetailed";
    /// Present when the graphs are listed as segments, even if there are none.
    pub(crate) const SEGMENTED: &[u8] = b"msegmented";
    /// Format 2: for each kind, the generation up to which tombstones were dropped. Older graphs
    /// are unusable.
    pub(crate) const PURGED: &[u8] = b"mpurged";
    /// The first id whose facets are not recorded, the highest number if all are, and which facets
    /// there are.
    pub(crate) const FACETED: &[u8] = b"mfaceted";
    /// Statistics of the last indexing run.
    pub(crate) const LAST_RUN: &[u8] = b"mlast_run";
    /// Images without a path, kept by a checkpoint until the next commit.
    pub(crate) const PATHLESS: &[u8] = b"mpathless";
}

pub(crate) const LIBRARIES: &[u8] = b"l";
pub(crate) const CHANGES: &[u8] = b"g";
/// Tombstones of either kind.
pub(crate) const REMOVED: &[u8] = b"r";
/// Graph segments of either kind, in the column `default`.
pub(crate) const SEGMENTS: &[u8] = b"s";
/// From facet to images, in the column `default`.
pub(crate) const FACETS: &[u8] = b"x";
/// From image to path.
pub(crate) const LINKS: &[u8] = b"i";
/// From owner to captions.
pub(crate) const OWNERS: &[u8] = b"o";
/// From file to owners of captions.
pub(crate) const SOURCES: &[u8] = b"s";

pub(crate) fn library(folder: &Path) -> Result<Vec<u8>, RecordsError> {
    Ok([LIBRARIES, &path_bytes(folder)?].concat())
}

pub(crate) fn changes(generation: u64) -> Vec<u8> {
    [CHANGES, &generation.to_be_bytes()].concat()
}

/// The generation in a key made by [`changes`].
pub(crate) fn generation_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(1..)?.try_into().ok()?))
}

pub(crate) fn removed_prefix(kind: ItemKind) -> Vec<u8> {
    [REMOVED, &[kind as u8]].concat()
}

pub(crate) fn removed(kind: ItemKind, id: ItemId) -> Vec<u8> {
    [REMOVED, &[kind as u8], &id.0.to_be_bytes()].concat()
}

pub(crate) fn segments_prefix(kind: ItemKind) -> Vec<u8> {
    [SEGMENTS, &[kind as u8]].concat()
}

#[allow(dead_code, reason = "writers of segments use it")]
pub(crate) fn segment(kind: ItemKind, first: ItemId) -> Vec<u8> {
    [SEGMENTS, &[kind as u8], &first.0.to_be_bytes()].concat()
}

pub(crate) fn item(id: ItemId) -> [u8; 4] {
    id.0.to_be_bytes()
}

pub(crate) fn vector_prefix(kind: ItemKind) -> [u8; 1] {
    [kind as u8]
}

pub(crate) fn vector(kind: ItemKind, id: ItemId) -> Vec<u8> {
    [&vector_prefix(kind)[..], &id.0.to_be_bytes()].concat()
}

/// The kind and the id in a key made by [`vector`].
pub(crate) fn vector_in(key: &[u8]) -> Result<(ItemKind, ItemId), RecordsError> {
    let name = match key {
        [kind, id @ ..] if id.len() == 4 => ItemKind::from_number(*kind).zip(id_at_end(id)),
        _ => None,
    };
    name.ok_or(damaged("the key of a vector"))
}

/// The id at the end of a key of vectors, tombstones, segments or items.
pub(crate) fn id_at_end(key: &[u8]) -> Option<ItemId> {
    let bytes = key.last_chunk::<4>()?;
    Some(ItemId(u32::from_be_bytes(*bytes)))
}

pub(crate) const FILES: &[u8] = b"f";

pub(crate) fn file(path: &Path) -> Result<Vec<u8>, RecordsError> {
    Ok([FILES, &path_bytes(path)?].concat())
}

/// The path in a key made by [`file`].
pub(crate) fn path_of_file(key: &[u8]) -> Result<PathBuf, RecordsError> {
    path_from(key.get(1..).unwrap_or(&[]))
}

pub(crate) fn link_prefix(image: ItemId) -> Vec<u8> {
    [LINKS, &image.0.to_be_bytes()].concat()
}

pub(crate) fn link(image: ItemId, path: &Path) -> Result<Vec<u8>, RecordsError> {
    Ok([LINKS, &image.0.to_be_bytes(), &path_bytes(path)?].concat())
}

/// The image in a key made by [`link`].
pub(crate) fn image_of_link(key: &[u8]) -> Option<ItemId> {
    key.get(..5).and_then(id_at_end)
}

/// The path in a key made by [`link`].
pub(crate) fn path_of_link(key: &[u8]) -> Result<PathBuf, RecordsError> {
    path_from(key.get(5..).unwrap_or(&[]))
}

/// What the paths of all files in a folder and its subfolders begin with.
pub(crate) fn inside(folder: &Path) -> Result<Vec<u8>, RecordsError> {
    let mut bytes = without_separator(path_bytes(folder)?);
    bytes.push(separator());
    Ok(bytes)
}

/// The first key that sorts after a key.
pub(crate) fn just_after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// The image and the path in a key made by [`link`].
pub(crate) fn link_in(key: &[u8]) -> Result<(ItemId, PathBuf), RecordsError> {
    let image = key.get(..5).and_then(id_at_end);
    Ok((
        image.ok_or(damaged("the key of a path"))?,
        path_of_link(key)?,
    ))
}

/// All captions of an owner.
pub(crate) fn owner_prefix(owner: Option<ItemId>) -> Vec<u8> {
    [OWNERS, &owner_bytes(owner)].concat()
}

/// All captions of an owner from one source.
pub(crate) fn owner_source_prefix(
    owner: Option<ItemId>,
    source: &Path,
) -> Result<Vec<u8>, RecordsError> {
    let source = path_bytes(source)?;
    Ok([OWNERS, &owner_bytes(owner), &length(&source)?, &source].concat())
}

pub(crate) fn caption(
    owner: Option<ItemId>,
    source: &Path,
    rank: u32,
) -> Result<Vec<u8>, RecordsError> {
    let mut key = owner_source_prefix(owner, source)?;
    key.extend(rank.to_be_bytes());
    Ok(key)
}

pub(crate) fn source_prefix(source: &Path) -> Result<Vec<u8>, RecordsError> {
    let source = path_bytes(source)?;
    Ok([SOURCES, &length(&source)?, &source].concat())
}

pub(crate) fn source(source: &Path, owner: Option<ItemId>) -> Result<Vec<u8>, RecordsError> {
    let mut key = source_prefix(source)?;
    key.extend(owner_bytes(owner));
    Ok(key)
}

/// The source in a key of the `captions` column.
pub(crate) fn source_in(key: &[u8]) -> Option<PathBuf> {
    let rest = match key.split_first()? {
        (b'o', rest) => rest.get(5..)?,
        (b's', rest) => rest,
        _ => return None,
    };
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    path_from(rest.get(..length)?).ok()
}

/// The owner in a key made by [`caption`]. The outer option is none for an invalid key.
#[expect(
    clippy::option_option,
    reason = "no owner and an invalid key are different results"
)]
pub(crate) fn owner_in(key: &[u8]) -> Option<Option<ItemId>> {
    owner_at_end(key.get(..6)?)
}

/// The first key after `key` that a source inside a folder may have, when that of `key` is not
/// inside it; none for an invalid key.
pub(crate) fn next_source_inside(
    key: &[u8],
    folder: &Path,
) -> Result<Option<Vec<u8>>, RecordsError> {
    let inside = inside(folder)?;
    let Some((length, _)) = key.get(SOURCES.len()..).and_then(<[u8]>::split_first_chunk) else {
        return Ok(None);
    };
    let of_length = |length: [u8; 4]| [SOURCES, &length, &inside].concat();
    let same_length = of_length(*length);
    if key < same_length.as_slice() {
        return Ok(Some(same_length));
    }
    let longer = u32::from_be_bytes(*length).checked_add(1);
    Ok(longer.map(|length| of_length(length.to_be_bytes())))
}

/// The owner at the end of a key made by [`source`]. The outer option is none for an invalid key.
#[expect(
    clippy::option_option,
    reason = "no owner and an invalid key are different results"
)]
pub(crate) fn owner_at_end(key: &[u8]) -> Option<Option<ItemId>> {
    match key.last_chunk::<5>()? {
        [0, ..] => Some(None),
        [1, id @ ..] => Some(Some(ItemId(u32::from_be_bytes(*id)))),
        _ => None,
    }
}

fn owner_bytes(owner: Option<ItemId>) -> [u8; 5] {
    let mut bytes = [0; 5];
    if let Some(image) = owner {
        bytes[0] = 1;
        bytes[1..].copy_from_slice(&image.0.to_be_bytes());
    }
    bytes
}

/// What separates the names in a path.
pub(crate) fn separator() -> u8 {
    u8::try_from(std::path::MAIN_SEPARATOR).unwrap_or(b'/')
}

/// The path of a folder without separators at its end.
pub(crate) fn without_separator(folder: Cow<'_, [u8]>) -> Vec<u8> {
    let mut folder = folder.into_owned();
    while folder.last() == Some(&separator()) {
        folder.pop();
    }
    folder
}

fn length(bytes: &[u8]) -> Result<[u8; 4], RecordsError> {
    Ok(u32::try_from(bytes.len())
        .map_err(|_| damaged("a path longer than 4 GB"))?
        .to_be_bytes())
}

#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "fails on other systems for paths that are not text"
)]
pub(crate) fn path_bytes(path: &Path) -> Result<Cow<'_, [u8]>, RecordsError> {
    use std::os::unix::ffi::OsStrExt;
    Ok(Cow::Borrowed(path.as_os_str().as_bytes()))
}

#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "fails on other systems for stored paths that are not text"
)]
pub(crate) fn path_from(bytes: &[u8]) -> Result<PathBuf, RecordsError> {
    use std::os::unix::ffi::OsStrExt;
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
pub(crate) fn path_bytes(path: &Path) -> Result<Cow<'_, [u8]>, RecordsError> {
    let text = path.to_str().ok_or_else(|| RecordsError::PathNotUnicode {
        path: path.to_owned(),
    })?;
    Ok(Cow::Borrowed(text.as_bytes()))
}

#[cfg(not(unix))]
pub(crate) fn path_from(bytes: &[u8]) -> Result<PathBuf, RecordsError> {
    let text = std::str::from_utf8(bytes).map_err(|_| damaged("a path that is not UTF-8"))?;
    Ok(PathBuf::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_documented_bytes() {
        let path = Path::new("/a/b.jpg");
        let some = Some(ItemId(258));
        let rows: Vec<(Vec<u8>, &[u8])> = vec![
            (changes(1), b"g\0\0\0\0\0\0\0\x01"),
            (
                removed(ItemKind::Caption, ItemId(258)),
                b"r\x01\0\0\x01\x02",
            ),
            (
                segment(ItemKind::Caption, ItemId(258)),
                b"s\x01\0\0\x01\x02",
            ),
            (item(ItemId(258)).to_vec(), b"\0\0\x01\x02"),
            (vector(ItemKind::Image, ItemId(7)), b"\0\0\0\0\x07"),
            (file(path).unwrap(), b"f/a/b.jpg"),
            (link(ItemId(1), path).unwrap(), b"i\0\0\0\x01/a/b.jpg"),
            (
                caption(some, path, 3).unwrap(),
                b"o\x01\0\0\x01\x02\0\0\0\x08/a/b.jpg\0\0\0\x03",
            ),
            (
                caption(None, path, 0).unwrap(),
                b"o\0\0\0\0\0\0\0\0\x08/a/b.jpg\0\0\0\0",
            ),
            (
                source(path, some).unwrap(),
                b"s\0\0\0\x08/a/b.jpg\x01\0\0\x01\x02",
            ),
            (library(path).unwrap(), b"l/a/b.jpg"),
            (meta::GENERATION.to_vec(), b"mgeneration"),
            (meta::LANGUAGE.to_vec(), b"mlanguage"),
            (meta::LANGUAGE_CHANGED.to_vec(), b"mlanguage_changed"),
            (meta::DETAILED.to_vec(), b"mdetailed"),
            (meta::PATHLESS.to_vec(), b"mpathless"),
        ];
        assert_eq!(rows.len(), 16);
        for (key, bytes) in rows {
            assert_eq!(key, bytes);
        }
    }

    #[test]
    fn keys_round_trip() {
        let path = Path::new("/a");
        assert_eq!(generation_of(&changes(77)), Some(77));
        assert_eq!(generation_of(b"g"), None);
        assert_eq!(
            id_at_end(&vector(ItemKind::Image, ItemId(9))),
            Some(ItemId(9))
        );
        assert_eq!(path_of_file(&file(path).unwrap()).unwrap(), path);
        assert_eq!(path_of_link(&link(ItemId(1), path).unwrap()).unwrap(), path);
        assert_eq!(owner_at_end(&source(path, None).unwrap()), Some(None));
        assert_eq!(
            owner_at_end(&source(path, Some(ItemId(4))).unwrap()),
            Some(Some(ItemId(4)))
        );
        assert_eq!(owner_at_end(b"\x07abcd"), None);
        let some = Some(ItemId(4));
        for key in [source(path, some).unwrap(), caption(some, path, 7).unwrap()] {
            assert_eq!(source_in(&key).as_deref(), Some(path));
            assert_eq!(source_in(&key[..6]), None);
        }
        assert_eq!(source_in(b"x"), None);
    }
}
