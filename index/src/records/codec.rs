//! The encoding of values: a version byte, then little-endian numbers and length-prefixed bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{RecordsError, damaged, keys};
use crate::item::{
    ChangeStamp, Coordinates, Details, FileRecord, Generation, ItemId, ItemKind, LastRun, Library,
    Moment,
};
use crate::language::Language;

/// The version byte at the start of every value except vectors, ids and numbers under `m`.
const VERSION: u8 = 1;

/// The version byte of an image with metadata. Version 1 had none.
const DETAILED_VERSION: u8 = 2;

/// The version byte of an image with tags.
const TAGGED_VERSION: u8 = 3;

/// The version byte of an image whose metadata or sidecars say more than camera, date and places.
const DESCRIBED_VERSION: u8 = 4;

/// The version byte of an image that was tagged and got no tags; otherwise as
/// [`DESCRIBED_VERSION`].
const UNTAGGABLE_VERSION: u8 = 5;

/// The version byte of a file with a change stamp.
const STAMPED_VERSION: u8 = 2;

/// What sidecars say about an image, by their paths. None of it is empty.
pub(crate) type Beside = BTreeMap<PathBuf, Details>;

/// A value of the `items` column. The paths of an image are in the `paths` column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoredItem {
    Image {
        content_hash: [u8; 32],
        width: u32,
        height: u32,
        /// Those of its file; none when never read.
        details: Option<Details>,
        /// Those of its sidecars, by path.
        beside: Beside,
        /// Sorted, each once; `None` if it was never tagged.
        tags: Option<Vec<String>>,
    },
    Caption {
        owner: Option<ItemId>,
        rank: u32,
        source: PathBuf,
        text: String,
    },
}

impl StoredItem {
    pub(crate) fn kind(&self) -> ItemKind {
        match self {
            Self::Image { .. } => ItemKind::Image,
            Self::Caption { .. } => ItemKind::Caption,
        }
    }
}

/// The metadata of an image: those of its file, completed by those of its sidecars. None when
/// neither says anything.
pub(crate) fn joined(details: Option<Details>, beside: &Beside) -> Option<Details> {
    if beside.is_empty() {
        return details;
    }
    let own = details.unwrap_or_default();
    Some(beside.values().fold(own, Details::completed_by))
}

/// The counts stored in the records.
#[expect(clippy::struct_field_names, reason = "counts are named n_ everywhere")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StoredCounts {
    pub(crate) n_images: u64,
    pub(crate) n_captions: u64,
    pub(crate) n_files: u64,
}

pub(super) struct Out(pub(super) Vec<u8>);

impl Out {
    pub(super) fn versioned() -> Self {
        Self(vec![VERSION])
    }

    fn with_version(version: u8) -> Self {
        Self(vec![version])
    }

    pub(super) fn put(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn put_sized(self, bytes: &[u8]) -> Result<Self, RecordsError> {
        let n = u32::try_from(bytes.len()).map_err(|_| damaged("a text longer than 4 GB"))?;
        Ok(self.put(&n.to_le_bytes()).put(bytes))
    }
}

pub(super) struct In<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> In<'a> {
    pub(super) fn versioned(bytes: &'a [u8], what: &'static str) -> Result<Self, RecordsError> {
        Ok(Self::up_to(VERSION, bytes, what)?.0)
    }

    /// Begins a value of version `newest` or older, and returns the version.
    fn up_to(newest: u8, bytes: &'a [u8], what: &'static str) -> Result<(Self, u8), RecordsError> {
        let mut input = Self { rest: bytes, what };
        let [found] = input.array::<1>()?;
        if (VERSION..=newest).contains(&found) {
            Ok((input, found))
        } else {
            Err(RecordsError::OtherVersion { what, found })
        }
    }

    fn text(&mut self) -> Result<String, RecordsError> {
        let what = self.what;
        String::from_utf8(self.sized()?.to_vec()).map_err(|_| damaged(what))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordsError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(damaged(self.what))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn number(&mut self) -> Result<u32, RecordsError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn signed(&mut self) -> Result<i32, RecordsError> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    pub(super) fn long(&mut self) -> Result<u64, RecordsError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn sized(&mut self) -> Result<&'a [u8], RecordsError> {
        let n = self.number()? as usize;
        let (head, rest) = self.rest.split_at_checked(n).ok_or(damaged(self.what))?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn end<T>(self, value: T) -> Result<T, RecordsError> {
        if self.rest.is_empty() {
            Ok(value)
        } else {
            Err(damaged(self.what))
        }
    }
}

pub(crate) fn encode_item(item: &StoredItem) -> Result<Vec<u8>, RecordsError> {
    Ok(match item {
        StoredItem::Image {
            content_hash,
            width,
            height,
            details,
            beside,
            tags,
        } => {
            // Without tags or metadata, an older version suffices.
            let is_plain = beside.is_empty() && details.as_ref().is_none_or(is_plain);
            let version = match details {
                _ if tags.as_ref().is_some_and(Vec::is_empty) => UNTAGGABLE_VERSION,
                _ if !is_plain => DESCRIBED_VERSION,
                _ if tags.is_some() => TAGGED_VERSION,
                Some(_) => DETAILED_VERSION,
                None => VERSION,
            };
            let mut out = Out::with_version(version)
                .put(&[0])
                .put(content_hash)
                .put(&width.to_le_bytes())
                .put(&height.to_le_bytes());
            if version >= TAGGED_VERSION {
                let tags = tags.as_deref().unwrap_or_default();
                out = put_texts(out, tags)?.put(&[u8::from(details.is_some())]);
            }
            if let Some(details) = details {
                out = put_details(out, details, version)?;
            }
            if version >= DESCRIBED_VERSION {
                let n = u32::try_from(beside.len()).map_err(|_| damaged("a list of sidecars"))?;
                out = out.put(&n.to_le_bytes());
                for (source, details) in beside {
                    out = out.put_sized(&keys::path_bytes(source)?)?;
                    out = put_details(out, details, version)?;
                }
            }
            out
        }
        StoredItem::Caption {
            owner,
            rank,
            source,
            text,
        } => Out::versioned()
            .put(&[1, u8::from(owner.is_some())])
            .put(&owner.map_or(0, |owner| owner.0).to_le_bytes())
            .put(&rank.to_le_bytes())
            .put_sized(&keys::path_bytes(source)?)?
            .put_sized(text.as_bytes())?,
    }
    .0)
}

pub(crate) fn decode_item(bytes: &[u8]) -> Result<StoredItem, RecordsError> {
    const WHAT: &str = "an item";
    let (mut input, version) = In::up_to(UNTAGGABLE_VERSION, bytes, WHAT)?;
    match input.array::<1>()? {
        [0] => {
            let content_hash = input.array()?;
            let (width, height) = (input.number()?, input.number()?);
            let (tags, has_details) = match version {
                TAGGED_VERSION.. => (take_texts(&mut input)?, input.array()? != [0]),
                _ => (Vec::new(), version == DETAILED_VERSION),
            };
            let details = has_details.then(|| take_details(&mut input, version));
            let details = details.transpose()?;
            let is_tagged = version == UNTAGGABLE_VERSION || !tags.is_empty();
            let mut beside = Beside::new();
            if version >= DESCRIBED_VERSION {
                for _ in 0..input.number()? {
                    let source = keys::path_from(input.sized()?)?;
                    beside.insert(source, take_details(&mut input, version)?);
                }
            }
            input.end(StoredItem::Image {
                content_hash,
                width,
                height,
                details,
                beside,
                tags: is_tagged.then_some(tags),
            })
        }
        [1] if version != VERSION => Err(RecordsError::OtherVersion {
            what: WHAT,
            found: version,
        }),
        [1] => {
            let [has_owner] = input.array::<1>()?;
            let owner = ItemId(input.number()?);
            let owner = (has_owner != 0).then_some(owner);
            let rank = input.number()?;
            let source = keys::path_from(input.sized()?)?;
            let text = input.text()?;
            input.end(StoredItem::Caption {
                owner,
                rank,
                source,
                text,
            })
        }
        _ => Err(damaged(WHAT)),
    }
}

/// Whether versions before [`DESCRIBED_VERSION`] can hold the details.
fn is_plain(details: &Details) -> bool {
    let Details {
        camera: _,
        taken: _,
        places: _,
        position,
        keywords,
        texts,
    } = details;
    position.is_none() && keywords.is_empty() && texts.is_empty()
}

/// Camera (empty for none), date (eight bytes: year u16, month, day, whether it has a time, hour,
/// minute, second; zeros for none), number of places, places. From [`DESCRIBED_VERSION`] on also
/// keywords, texts, and the position (nine bytes: whether there is one, then latitude and longitude
/// as i32).
fn put_details(out: Out, details: &Details, version: u8) -> Result<Out, RecordsError> {
    let Details {
        camera,
        taken,
        places,
        position,
        keywords,
        texts,
    } = details;
    let mut moment = [0; 8];
    if let Some(taken) = taken {
        let [y0, y1] = taken.year().to_le_bytes();
        let [hour, minute, second] = taken.time().unwrap_or_default();
        let has_time = u8::from(taken.time().is_some());
        let (month, day) = (taken.month(), taken.day());
        moment = [y0, y1, month, day, has_time, hour, minute, second];
    }
    let out = out
        .put_sized(camera.as_deref().unwrap_or_default().as_bytes())?
        .put(&moment);
    let out = put_texts(out, places)?;
    if version < DESCRIBED_VERSION {
        return Ok(out);
    }
    let out = put_texts(put_texts(out, keywords)?, texts)?;
    let [latitude, longitude] = position.map_or([0; 2], Coordinates::e7);
    Ok(out
        .put(&[u8::from(position.is_some())])
        .put(&latitude.to_le_bytes())
        .put(&longitude.to_le_bytes()))
}

/// Their number, then each.
fn put_texts(out: Out, texts: &[String]) -> Result<Out, RecordsError> {
    let n = u32::try_from(texts.len()).map_err(|_| damaged("a list of texts longer than 4 GB"))?;
    let mut out = out.put(&n.to_le_bytes());
    for text in texts {
        out = out.put_sized(text.as_bytes())?;
    }
    Ok(out)
}

fn take_texts(input: &mut In<'_>) -> Result<Vec<String>, RecordsError> {
    let n = input.number()?;
    let mut texts = Vec::new();
    for _ in 0..n {
        texts.push(input.text()?);
    }
    Ok(texts)
}

fn take_details(input: &mut In<'_>, version: u8) -> Result<Details, RecordsError> {
    let camera = Some(input.text()?).filter(|camera| !camera.is_empty());
    let taken = match input.array::<8>()? {
        [0, 0, 0, 0, 0, 0, 0, 0] => None,
        [y0, y1, month, day, has_time, time @ ..] => {
            let time = (has_time != 0).then_some(time);
            let taken = Moment::new(u16::from_le_bytes([y0, y1]), month, day, time);
            Some(taken.ok_or(damaged(input.what))?)
        }
    };
    let mut details = Details {
        camera,
        taken,
        places: take_texts(input)?,
        ..Details::default()
    };
    if version >= DESCRIBED_VERSION {
        details.keywords = take_texts(input)?;
        details.texts = take_texts(input)?;
        let [has_position] = input.array()?;
        let position = [input.signed()?, input.signed()?];
        if has_position != 0 {
            let position = Coordinates::from_e7(position);
            details.position = Some(position.ok_or(damaged(input.what))?);
        }
    }
    Ok(details)
}

pub(crate) fn decode_language(bytes: &[u8]) -> Result<Language, RecordsError> {
    let code = std::str::from_utf8(bytes).ok();
    code.and_then(|code| code.parse().ok())
        .ok_or(damaged("the language of the words"))
}

pub(crate) fn encode_file(file: &FileRecord) -> Vec<u8> {
    let FileRecord {
        n_bytes,
        modified_ns,
        image,
        change,
    } = *file;
    let version = change.map_or(VERSION, |_| STAMPED_VERSION);
    let out = Out::with_version(version)
        .put(&n_bytes.to_le_bytes())
        .put(&modified_ns.to_le_bytes())
        .put(&image.0.to_le_bytes());
    let Some(change) = change else { return out.0 };
    let ChangeStamp {
        changed_ns,
        n_false_alarms,
        is_mounted,
    } = change;
    out.put(&changed_ns.to_le_bytes())
        .put(&[n_false_alarms, u8::from(is_mounted)])
        .0
}

pub(crate) fn decode_file(bytes: &[u8]) -> Result<FileRecord, RecordsError> {
    let (mut input, version) = In::up_to(STAMPED_VERSION, bytes, "a file")?;
    let mut file = FileRecord {
        n_bytes: input.long()?,
        modified_ns: i128::from_le_bytes(input.array()?),
        image: ItemId(input.number()?),
        change: None,
    };
    if version == STAMPED_VERSION {
        let changed_ns = i64::from_le_bytes(input.array()?);
        let [n_false_alarms, is_mounted] = input.array()?;
        file.change = Some(ChangeStamp {
            changed_ns,
            n_false_alarms,
            is_mounted: is_mounted != 0,
        });
    }
    input.end(file)
}

pub(crate) fn encode_library(library: &Library) -> Vec<u8> {
    let Library {
        folder: _,
        n_files,
        last_run_unix_s,
    } = library;
    Out::versioned()
        .put(&n_files.to_le_bytes())
        .put(&last_run_unix_s.to_le_bytes())
        .0
}

pub(crate) fn decode_library(folder: &Path, bytes: &[u8]) -> Result<Library, RecordsError> {
    let mut input = In::versioned(bytes, "a library folder")?;
    let library = Library {
        folder: folder.to_owned(),
        n_files: input.long()?,
        last_run_unix_s: input.long()?,
    };
    input.end(library)
}

pub(crate) fn encode_last_run(run: &LastRun) -> Vec<u8> {
    let LastRun {
        ended_unix_s,
        n_seen,
        n_added,
        n_changed,
        n_removed,
        n_skipped,
        interrupted,
    } = *run;
    let numbers = [
        ended_unix_s,
        n_seen,
        n_added,
        n_changed,
        n_removed,
        n_skipped,
    ];
    let out = numbers.iter().fold(Out::versioned(), |out, number| {
        out.put(&number.to_le_bytes())
    });
    out.put(&[u8::from(interrupted)]).0
}

pub(crate) fn decode_last_run(bytes: &[u8]) -> Result<LastRun, RecordsError> {
    let mut input = In::versioned(bytes, "the record of the last run")?;
    let run = LastRun {
        ended_unix_s: input.long()?,
        n_seen: input.long()?,
        n_added: input.long()?,
        n_changed: input.long()?,
        n_removed: input.long()?,
        n_skipped: input.long()?,
        interrupted: input.array::<1>()? != [0],
    };
    input.end(run)
}

pub(crate) fn encode_changes<'a>(ids: impl IntoIterator<Item = &'a (ItemKind, ItemId)>) -> Vec<u8> {
    let mut out = Out::versioned();
    for (kind, id) in ids {
        out = out.put(&[*kind as u8]).put(&id.0.to_le_bytes());
    }
    out.0
}

pub(crate) fn decode_changes(bytes: &[u8]) -> Result<Vec<(ItemKind, ItemId)>, RecordsError> {
    const WHAT: &str = "a list of changes";
    let mut input = In::versioned(bytes, WHAT)?;
    let mut ids = Vec::with_capacity(input.rest.len() / 5);
    while !input.rest.is_empty() {
        let [kind] = input.array()?;
        let kind = ItemKind::from_number(kind).ok_or(damaged(WHAT))?;
        ids.push((kind, ItemId(input.number()?)));
    }
    Ok(ids)
}

pub(crate) fn encode_counts(counts: &StoredCounts) -> Vec<u8> {
    let StoredCounts {
        n_images,
        n_captions,
        n_files,
    } = *counts;
    let out = Out::versioned()
        .put(&n_images.to_le_bytes())
        .put(&n_captions.to_le_bytes());
    out.put(&n_files.to_le_bytes()).0
}

pub(crate) fn decode_counts(bytes: &[u8]) -> Result<StoredCounts, RecordsError> {
    let mut input = In::versioned(bytes, "the counts")?;
    let counts = StoredCounts {
        n_images: input.long()?,
        n_captions: input.long()?,
        n_files: input.long()?,
    };
    input.end(counts)
}

#[cfg(test)]
pub(crate) fn encode_purged(purged: [Generation; 2]) -> Vec<u8> {
    Out::versioned()
        .put(&purged[0].0.to_le_bytes())
        .put(&purged[1].0.to_le_bytes())
        .0
}

pub(crate) fn decode_purged(bytes: &[u8]) -> Result<[Generation; 2], RecordsError> {
    let mut input = In::versioned(bytes, "the age of the oldest graph")?;
    let purged = [Generation(input.long()?), Generation(input.long()?)];
    input.end(purged)
}

pub(crate) fn encode_id(id: ItemId) -> Vec<u8> {
    id.0.to_le_bytes().to_vec()
}

pub(crate) fn decode_id(bytes: &[u8]) -> Result<ItemId, RecordsError> {
    let bytes = bytes.try_into().map_err(|_| damaged("an id"))?;
    Ok(ItemId(u32::from_le_bytes(bytes)))
}

pub(crate) fn decode_generation(bytes: &[u8]) -> Result<Generation, RecordsError> {
    let bytes = bytes.try_into().map_err(|_| damaged("the generation"))?;
    Ok(Generation(u64::from_le_bytes(bytes)))
}

pub(crate) fn encode_vector(vector: &[f32]) -> Vec<u8> {
    vector
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// Appends the values to `out`.
pub(crate) fn decode_vector(
    bytes: &[u8],
    dimension: usize,
    out: &mut Vec<f32>,
) -> Result<(), RecordsError> {
    let (values, rest) = bytes.as_chunks::<4>();
    if values.len() != dimension || !rest.is_empty() {
        return Err(damaged("a vector of another dimension"));
    }
    out.extend(values.iter().map(|value| f32::from_le_bytes(*value)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images with and without every part.
    fn images() -> Vec<StoredItem> {
        let image = |details| StoredItem::Image {
            content_hash: [7; 32],
            width: 640,
            height: u32::MAX,
            details,
            beside: Beside::new(),
            tags: None,
        };
        let tagged = |details| StoredItem::Image {
            content_hash: [7; 32],
            width: 640,
            height: 1,
            details,
            beside: Beside::new(),
            tags: Some(vec!["best".into(), "Ü".into()]),
        };
        let details = Details {
            camera: Some("Nikon".into()),
            taken: Moment::new(2023, 8, 14, Some([17, 3, 21])),
            places: vec!["Köln".into(), "Germany".into()],
            ..Details::default()
        };
        let described = Details {
            position: Coordinates::new(-33.85, 151.2),
            keywords: vec!["sea".into()],
            texts: vec!["a bay".into(), String::new()],
            ..details.clone()
        };
        let beside = |details, tags| StoredItem::Image {
            content_hash: [7; 32],
            width: 1,
            height: 1,
            details,
            beside: ["/a.xmp", "/b"]
                .map(|path| (PathBuf::from(path), described.clone()))
                .into(),
            tags,
        };
        let untaggable = |details| StoredItem::Image {
            content_hash: [7; 32],
            width: 1,
            height: 2,
            details,
            beside: Beside::new(),
            tags: Some(Vec::new()),
        };
        let dated = |month, day| Details {
            taken: Moment::new(1993, month, day, None),
            ..Details::default()
        };
        vec![
            image(None),
            image(Some(Details::default())),
            image(Some(details)),
            image(Some(dated(8, 1))),
            image(Some(dated(8, 0))),
            image(Some(dated(0, 0))),
            tagged(None),
            tagged(Some(Details::default())),
            image(Some(described.clone())),
            beside(None, None),
            beside(Some(described.clone()), None),
            beside(None, Some(vec!["best".into()])),
            untaggable(None),
            untaggable(Some(Details::default())),
            untaggable(Some(described.clone())),
            beside(None, Some(Vec::new())),
        ]
    }

    #[test]
    fn values_round_trip_and_every_truncation_is_detected() {
        let captions = [
            StoredItem::Caption {
                owner: None,
                rank: 3,
                source: PathBuf::from("/a.txt"),
                text: String::new(),
            },
            StoredItem::Caption {
                owner: Some(ItemId(5)),
                rank: 0,
                source: PathBuf::new(),
                text: "ein Hund ä".into(),
            },
        ];
        let mut n_cuts = 0;
        for item in images().into_iter().chain(captions) {
            let bytes = encode_item(&item).unwrap();
            assert_eq!(decode_item(&bytes).unwrap(), item);
            for cut in 0..bytes.len() {
                assert!(decode_item(&bytes[..cut]).is_err(), "cut at {cut}");
                n_cuts += 1;
            }
            assert!(
                decode_item(&[&bytes[..], &[0]].concat()).is_err(),
                "one byte too many"
            );
        }
        assert_eq!(
            n_cuts,
            42 + 4 * 58 + 83 + 61 + 77 + 25 + 30 + 129 + 223 + 301 + 231 + 51 + 84 + 129 + 223
        );
        let library = Library {
            folder: PathBuf::from("/x"),
            n_files: 3,
            last_run_unix_s: 9,
        };
        assert_eq!(
            decode_library(Path::new("/x"), &encode_library(&library)).unwrap(),
            library
        );
        let changes = vec![(ItemKind::Image, ItemId(1)), (ItemKind::Caption, ItemId(2))];
        assert_eq!(decode_changes(&encode_changes(&changes)).unwrap(), changes);
        let counts = StoredCounts {
            n_images: 1,
            n_captions: 2,
            n_files: 3,
        };
        assert_eq!(decode_counts(&encode_counts(&counts)).unwrap(), counts);
        let purged = [Generation(4), Generation(5)];
        assert_eq!(decode_purged(&encode_purged(purged)).unwrap(), purged);
    }

    #[test]
    fn languages_and_vectors_round_trip() {
        for language in Language::ALL {
            let code = language.code().as_bytes();
            assert_eq!(decode_language(code).unwrap(), language);
        }
        assert!(decode_language(b"xx").is_err());
        let mut vector = vec![];
        decode_vector(&encode_vector(&[0.5, -1.0]), 2, &mut vector).unwrap();
        assert_eq!(vector, [0.5, -1.0]);
        assert!(decode_vector(&encode_vector(&[0.5]), 2, &mut vector).is_err());
    }

    #[test]
    fn files_with_and_without_a_change_stamp_round_trip() {
        let file = FileRecord {
            n_bytes: u64::MAX,
            modified_ns: -5,
            image: ItemId(1),
            change: None,
        };
        let stamped = FileRecord {
            change: Some(ChangeStamp {
                changed_ns: -7,
                n_false_alarms: 3,
                is_mounted: true,
            }),
            ..file
        };
        let mut n_cuts = 0;
        for (file, n_bytes) in [(file, 29), (stamped, 39)] {
            let bytes = encode_file(&file);
            assert_eq!((bytes.len(), decode_file(&bytes).unwrap()), (n_bytes, file));
            for cut in 0..bytes.len() {
                assert!(decode_file(&bytes[..cut]).is_err(), "cut at {cut}");
                n_cuts += 1;
            }
        }
        assert_eq!(n_cuts, 29 + 39);
    }

    #[test]
    fn another_version_is_an_error_that_names_it() {
        let mut bytes = encode_file(&FileRecord {
            n_bytes: 1,
            modified_ns: 1,
            image: ItemId(1),
            change: None,
        });
        bytes[0] = 9;
        assert!(matches!(
            decode_file(&bytes),
            Err(RecordsError::OtherVersion {
                what: "a file",
                found: 9
            })
        ));
        let caption = StoredItem::Caption {
            owner: None,
            rank: 0,
            source: PathBuf::new(),
            text: String::new(),
        };
        let mut bytes = encode_item(&caption).unwrap();
        for version in [0, 2, 3, 4] {
            bytes[0] = version;
            let found = decode_item(&bytes);
            assert!(
                matches!(found, Err(RecordsError::OtherVersion { found, .. }) if found == version)
            );
        }
        assert!(matches!(
            decode_file(&[]),
            Err(RecordsError::Damaged { .. })
        ));
        assert!(matches!(
            decode_id(&[1, 2]),
            Err(RecordsError::Damaged { .. })
        ));
    }
}
