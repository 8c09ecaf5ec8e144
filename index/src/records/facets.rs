//! The facets of images: what a filter can ask of them, and which images have which value.
//!
//! For each value there is a list of the images that have it, in chunks of [`CHUNK`] ids, so that a
//! change rewrites a few hundred bytes and a selection reads an eighth of a byte per image. All of
//! it follows from items and paths, and is written in the same batch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::codec::{self, StoredItem};
use super::facet_keys::{self, CHUNK, Facet, FacetValue, date_bytes};
use super::keys::{self, Column, meta};
use super::read::Records;
use super::{RecordsError, damaged};
use crate::ids::IdSet;
use crate::item::{ItemId, Moment, Orientation};

/// The facets of an image, each value once.
pub(crate) type FacetValues = BTreeSet<FacetValue>;

/// The bits of a chunk.
pub(crate) type Chunk = [u64; (CHUNK / u64::BITS) as usize];

/// A chunk with fewer ids is stored as a list.
const MIN_BITMAP: usize = 256;

/// The version bytes of a chunk: a sorted list of u16, or a bitmap.
const LIST: u8 = 1;
const BITMAP: u8 = 2;

/// The facets of an item; none for a caption.
pub(crate) fn facets_of(item: &StoredItem, paths: &[PathBuf]) -> Result<FacetValues, RecordsError> {
    let mut values = FacetValues::new();
    let StoredItem::Image {
        width,
        height,
        details,
        beside,
        tags,
        ..
    } = item
    else {
        return Ok(values);
    };
    let mut put = |facet, value: &[u8]| {
        let value = value.to_vec();
        values.insert(FacetValue { facet, value });
    };
    put(
        Facet::Orientation,
        &[Orientation::of(*width, *height).number()],
    );
    put(Facet::SmallestSide, &width.min(height).to_be_bytes());
    let details = codec::joined(details.clone(), beside);
    if let Some(details) = &details {
        if let Some(camera) = &details.camera {
            put(Facet::Camera, camera.as_bytes());
        }
        if let Some(taken) = details.taken {
            put(Facet::Taken, &moment_bytes(taken));
        }
        if let Some(position) = details.position {
            put(Facet::Position, &facet_keys::position_bytes(position));
        }
        for place in &details.places {
            put(Facet::Place, place.as_bytes());
        }
        for keyword in &details.keywords {
            put(Facet::Tag, keyword.as_bytes());
        }
    }
    for tag in tags.iter().flatten() {
        put(Facet::Tag, tag.as_bytes());
    }
    if paths.len() > 1 {
        put(Facet::Copied, &[]);
    }
    for path in paths {
        put(Facet::Folder, &keys::path_bytes(folder_of(path))?);
        if let Some(extension) = path.extension() {
            let extension = keys::path_bytes(Path::new(extension))?.to_ascii_lowercase();
            put(Facet::Extension, &extension);
        }
    }
    Ok(values)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn moment_bytes(moment: Moment) -> [u8; 4] {
    date_bytes(moment.year(), moment.month(), moment.day())
}

/// The facets of an image as it is stored; none when it does not exist.
pub(crate) fn stored(records: &impl Records, id: ItemId) -> Result<FacetValues, RecordsError> {
    match records.stored_item(id)? {
        Some(item @ StoredItem::Image { .. }) => facets_of(&item, &records.paths_of(id)?),
        Some(StoredItem::Caption { .. }) | None => Ok(FacetValues::new()),
    }
}

/// Visits the facets of all images with ids from `first` to `last`, by id.
pub(crate) fn scan(
    records: &impl Records,
    first: ItemId,
    last: ItemId,
    visit: &mut dyn FnMut(ItemId, FacetValues),
) -> Result<(), RecordsError> {
    let mut paths: BTreeMap<ItemId, Vec<PathBuf>> = BTreeMap::new();
    let start = keys::link_prefix(first);
    records.scan(Column::Paths, keys::LINKS, &start, &mut |key, _| {
        let image = keys::image_of_link(key).ok_or(damaged("the key of an image's path"))?;
        if image > last {
            return Ok(false);
        }
        let path = keys::path_of_link(key)?;
        paths.entry(image).or_default().push(path);
        Ok(true)
    })?;
    let none = Vec::new();
    records.scan_items_from(first, &mut |id, item| {
        if id > last {
            return Ok(false);
        }
        if matches!(item, StoredItem::Image { .. }) {
            let paths = paths.get(&id).unwrap_or(&none);
            visit(id, facets_of(&item, paths)?);
        }
        Ok(true)
    })
}

/// Number of ids whose facets are computed at a time: a multiple of [`CHUNK`], so that no chunk
/// belongs to two portions.
pub(crate) const PORTION: u32 = if cfg!(test) { CHUNK } else { 4 * CHUNK };

/// The keys and values of the chunks of a portion of ids that starts at a multiple of [`CHUNK`],
/// computed from items and paths.
pub(crate) fn portion(
    records: &impl Records,
    first: ItemId,
) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, RecordsError> {
    let last = ItemId(first.0.saturating_add(PORTION - 1));
    let mut chunks = Chunks::default();
    scan(records, first, last, &mut |id, values| {
        chunks.add(id, &values);
    })?;
    Ok(chunks.encoded())
}

/// Chunks by their keys.
#[derive(Default)]
pub(crate) struct Chunks(BTreeMap<Vec<u8>, Chunk>);

impl Chunks {
    /// Adds an image with its facets.
    pub(crate) fn add(&mut self, id: ItemId, values: &FacetValues) {
        for value in values {
            let chunk = self.0.entry(facet_keys::chunk(value, id));
            set(chunk.or_insert_with(empty), id, true);
        }
    }

    /// Their keys and values on disk.
    pub(crate) fn encoded(self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let chunks = self.0.into_iter();
        chunks.map(|(key, chunk)| (key, encode(&chunk))).collect()
    }
}

/// The keys and values of all chunks, computed from items and paths.
pub(crate) fn computed(records: &impl Records) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, RecordsError> {
    let end = records.next_id()?.0;
    let mut chunks = BTreeMap::new();
    for first in (0..end).step_by(PORTION as usize) {
        chunks.append(&mut portion(records, ItemId(first))?);
    }
    Ok(chunks)
}

/// The keys of all chunks.
pub(crate) fn keys(records: &impl Records) -> Result<Vec<Vec<u8>>, RecordsError> {
    let mut found = Vec::new();
    records.scan(Column::Default, keys::FACETS, &[], &mut |key, _| {
        found.push(key.to_vec());
        Ok(true)
    })?;
    Ok(found)
}

/// Whether the facets of all images are recorded. An index that was not upgraded yet, or whose
/// upgrade was interrupted, has none or some.
pub(crate) fn are_complete(records: &impl Records) -> Result<bool, RecordsError> {
    Ok(next_to_record(records)?.is_none())
}

/// The first id whose facets are not recorded; none when all are.
pub(crate) fn next_to_record(records: &impl Records) -> Result<Option<ItemId>, RecordsError> {
    let found = records.decoded(Column::Default, meta::FACETED, decode_cursor)?;
    Ok(Some(found.unwrap_or(ItemId(0))).filter(|id| *id != ALL))
}

/// Which facets there are; 1, of which only ids were noted, had neither positions nor copies.
const FACETS_VERSION: u8 = 2;

/// The value of [`meta::FACETED`]: the first id whose facets are not recorded.
pub(crate) fn encode_cursor(next: ItemId) -> Vec<u8> {
    let mut bytes = codec::encode_id(next);
    bytes.push(FACETS_VERSION);
    bytes
}

fn decode_cursor(bytes: &[u8]) -> Result<ItemId, RecordsError> {
    match bytes {
        [id @ .., FACETS_VERSION] if id.len() == 4 => codec::decode_id(id),
        [_, _, _, _, found] => Err(RecordsError::OtherVersion {
            what: "the note on facets",
            found: *found,
        }),
        // Where an older program was. All are recorded again.
        older => codec::decode_id(older).map(|_| ItemId(0)),
    }
}

/// Stored under [`meta::FACETED`] when the facets of all images are recorded.
pub(crate) const ALL: ItemId = ItemId(u32::MAX);

/// A value that an image gains or loses, as the key of its chunk.
pub(crate) struct Edit {
    pub(crate) id: ItemId,
    pub(crate) is_added: bool,
}

/// The edits that turn the facets `before` into `after`, by the key of their chunk.
pub(crate) fn compare(
    id: ItemId,
    before: &FacetValues,
    after: &FacetValues,
    edits: &mut BTreeMap<Vec<u8>, Vec<Edit>>,
) {
    let removed = before.difference(after).map(|value| (value, false));
    let added = after.difference(before).map(|value| (value, true));
    for (value, is_added) in removed.chain(added) {
        let edits = edits.entry(facet_keys::chunk(value, id)).or_default();
        edits.push(Edit { id, is_added });
    }
}

/// The new value of a chunk; none when it becomes empty.
pub(crate) fn edited(
    stored: Option<Vec<u8>>,
    edits: &[Edit],
) -> Result<Option<Vec<u8>>, RecordsError> {
    let mut chunk = match stored {
        Some(bytes) => decode(&bytes)?,
        None => empty(),
    };
    for edit in edits {
        set(&mut chunk, edit.id, edit.is_added);
    }
    let is_empty = chunk.iter().all(|&word| word == 0);
    Ok((!is_empty).then(|| encode(&chunk)))
}

/// Adds the ids of a chunk to a set.
pub(crate) fn add_to(set: &mut IdSet, number: u32, bytes: &[u8]) -> Result<(), RecordsError> {
    set.insert_words(ItemId(number.saturating_mul(CHUNK)), &decode(bytes)?);
    Ok(())
}

/// The number of ids in a chunk.
pub(crate) fn n_ids(bytes: &[u8]) -> Result<u64, RecordsError> {
    let words = decode(bytes)?;
    Ok(words.iter().map(|word| u64::from(word.count_ones())).sum())
}

fn empty() -> Chunk {
    [0; (CHUNK / u64::BITS) as usize]
}

fn set(chunk: &mut Chunk, id: ItemId, is_in: bool) {
    let at = id.0 % CHUNK;
    let bit = 1 << (at % u64::BITS);
    if let Some(word) = chunk.get_mut((at / u64::BITS) as usize) {
        if is_in {
            *word |= bit;
        } else {
            *word &= !bit;
        }
    }
}

pub(crate) fn encode(chunk: &Chunk) -> Vec<u8> {
    let n: u32 = chunk.iter().map(|word| word.count_ones()).sum();
    if n as usize >= MIN_BITMAP {
        let words = chunk.iter().flat_map(|word| word.to_le_bytes());
        return std::iter::once(BITMAP).chain(words).collect();
    }
    let mut bytes = vec![LIST];
    for (&word, start) in chunk.iter().zip((0u16..).step_by(64)) {
        let mut rest = word;
        let mut bit = 0;
        while rest != 0 {
            if rest & 1 == 1 {
                bytes.extend((start + bit).to_le_bytes());
            }
            rest >>= 1;
            bit += 1;
        }
    }
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Chunk, RecordsError> {
    const WHAT: &str = "a list of images with a facet";
    let mut chunk = empty();
    match bytes.split_first() {
        Some((&LIST, list)) => {
            let (offsets, []) = list.as_chunks::<2>() else {
                return Err(damaged(WHAT));
            };
            for &offset in offsets {
                let offset = u32::from(u16::from_le_bytes(offset));
                if offset >= CHUNK {
                    return Err(damaged(WHAT));
                }
                set(&mut chunk, ItemId(offset), true);
            }
        }
        Some((&BITMAP, bitmap)) => {
            let (words, []) = bitmap.as_chunks::<8>() else {
                return Err(damaged(WHAT));
            };
            if words.len() != chunk.len() {
                return Err(damaged(WHAT));
            }
            for (word, bytes) in chunk.iter_mut().zip(words) {
                *word = u64::from_le_bytes(*bytes);
            }
        }
        Some((&found, _)) => return Err(RecordsError::OtherVersion { what: WHAT, found }),
        None => return Err(damaged(WHAT)),
    }
    Ok(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{Coordinates, Details};

    #[test]
    fn chunks_round_trip_and_wrong_bytes_are_detected() {
        let mut n_checked = 0;
        for step in [1, 2, 15, 16, 17, 4095, 5000] {
            let mut chunk = empty();
            let ids: Vec<u32> = (3..CHUNK).step_by(step).collect();
            for &id in &ids {
                set(&mut chunk, ItemId(CHUNK + id), true);
            }
            let bytes = encode(&chunk);
            assert!(bytes.len() <= 513);
            assert_eq!(decode(&bytes).unwrap(), chunk);
            assert_eq!(n_ids(&bytes).unwrap(), ids.len() as u64);
            let mut found = IdSet::new();
            add_to(&mut found, 2, &bytes).unwrap();
            let expected: IdSet = ids.iter().map(|id| ItemId(2 * CHUNK + id)).collect();
            assert_eq!(found, expected);
            assert_eq!(found.len(), ids.len());
            n_checked += 1;
        }
        assert_eq!(n_checked, 7);
        let wrong: [&[u8]; 6] = [
            b"",
            b"\x01\x00",
            b"\x01\x00\x10",
            b"\x02",
            &[2; 512],
            b"\x03",
        ];
        for bytes in wrong {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn edits_of_a_chunk_are_applied_and_an_empty_chunk_is_removed() {
        let edit = |id, is_added| Edit {
            id: ItemId(id),
            is_added,
        };
        let one = edited(None, &[edit(5000, true)]).unwrap();
        let two = edited(one.clone(), &[edit(4096, true), edit(5000, true)]).unwrap();
        assert_ne!(one, two);
        assert_eq!(edited(two.clone(), &[edit(4096, false)]).unwrap(), one);
        let none = edited(two, &[edit(4096, false), edit(5000, false)]).unwrap();
        assert_eq!(none, None);
    }

    #[test]
    fn facets_follow_from_the_item_and_its_paths() {
        let details = Details {
            camera: Some("NIKON Z 6".into()),
            taken: Moment::new(1993, 8, 0, None),
            places: vec!["Köln".into(), "Germany".into()],
            position: Coordinates::new(50.9, 6.9),
            keywords: vec!["best".into(), "river".into()],
            ..Details::default()
        };
        let beside = Details {
            camera: Some("other".into()),
            keywords: vec!["River".into(), "boat".into()],
            ..Details::default()
        };
        let image = StoredItem::Image {
            content_hash: [1; 32],
            width: 300,
            height: 4000,
            details: Some(details),
            beside: [(PathBuf::from("/a/b/x.xmp"), beside)].into(),
            tags: Some(vec!["best".into()]),
        };
        let paths = ["/a/b/x.JPG".into(), "/a/b/y.jpg".into(), "/z".into()];
        let facets = facets_of(&image, &paths).unwrap();
        let text = |facet: &FacetValue| {
            let FacetValue { facet, value } = facet;
            format!("{facet:?} {}", value.escape_ascii())
        };
        let expected = [
            r"Camera NIKON Z 6",
            r"Taken \x07\xc9\x08\x00",
            r"Extension jpg",
            r"Folder /",
            r"Folder /a/b",
            r"Position \x023of\xad@\x16\xe3`",
            r"Copied ",
            r"Orientation \x01",
            r"Place Germany",
            r"Place K\xc3\xb6ln",
            r"SmallestSide \x00\x00\x01,",
            r"Tag best",
            r"Tag boat",
            r"Tag river",
        ];
        assert_eq!(facets.iter().map(text).collect::<Vec<_>>(), expected);
    }
}
