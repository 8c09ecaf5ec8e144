//! Captions of data sets in one JSON document: COCO's, with pictures and annotations in two lists,
//! and Karpathy's, with the sentences beside each picture. It is parsed as a stream; what is held
//! in memory are names, numbers and captions.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::rows::{CaptionFile, CaptionSet, RowPlace, add_captions};

const IMAGES: &str = "images";
const ANNOTATIONS: &str = "annotations";

/// Which of the two a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DatasetKind {
    Coco,
    Karpathy,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct DatasetFile {
    images: Entries<ImageEntry>,
    annotations: Option<Entries<Annotation>>,
}

#[derive(Deserialize)]
struct ImageEntry {
    id: Option<ImageKey>,
    file_name: Option<String>,
    filename: Option<String>,
    filepath: Option<String>,
    sentences: Option<Vec<Sentence>>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: Option<ImageKey>,
    caption: Option<String>,
}

#[derive(Deserialize)]
struct Sentence {
    raw: Option<String>,
    tokens: Option<Vec<String>>,
}

#[derive(Deserialize, PartialEq, Eq, Hash)]
#[serde(untagged)]
enum ImageKey {
    Number(i64),
    Text(String),
}

/// The entries of a list; `None` for one of another form.
struct Entries<T>(Vec<Option<T>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum AnyEntry<T> {
            Good(T),
            Bad(IgnoredAny),
        }

        struct List<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Vec<Option<T>>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = list.next_element()? {
                    entries.push(match entry {
                        AnyEntry::Good(entry) => Some(entry),
                        AnyEntry::Bad(IgnoredAny) => None,
                    });
                }
                Ok(entries)
            }
        }

        let list = List(std::marker::PhantomData);
        deserializer.deserialize_seq(list).map(Self)
    }
}

/// Whether a text begins as such a document: an object with a list of images. Reads no further than
/// to that list.
pub(super) fn is_document(text: impl Read) -> bool {
    struct TopKeys;

    impl<'de> Visitor<'de> for TopKeys {
        type Value = bool;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<bool, A::Error> {
            while let Some(key) = object.next_key::<String>()? {
                if key == IMAGES {
                    return Ok(true);
                }
                object.next_value::<IgnoredAny>()?;
            }
            Ok(false)
        }
    }

    // Once the list is found, the parser is left in the middle, which it reports as an error.
    struct ListSearch(std::cell::Cell<bool>);

    impl<'de> Visitor<'de> for &ListSearch {
        type Value = ();

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
            self.0.set(TopKeys.visit_map(object)?);
            Ok(())
        }
    }

    let found = ListSearch(std::cell::Cell::new(false));
    let mut parser = serde_json::Deserializer::from_reader(text);
    let _ = parser.deserialize_map(&found);
    found.0.get()
}

/// Reads a document, of this kind if one is given. `Ok(None)` if it has neither annotations nor
/// sentences, or not those of its kind.
///
/// # Errors
/// When it is not valid JSON or has no list of images.
pub(super) fn read(
    folder: &Path,
    wanted: Option<DatasetKind>,
    text: impl Read,
) -> Result<Option<CaptionFile>, serde_json::Error> {
    let DatasetFile {
        images,
        annotations,
    } = serde_json::from_reader(text)?;
    let has_sentences = |entry: &Option<ImageEntry>| {
        let entry = entry.as_ref();
        entry.is_some_and(|entry| entry.sentences.is_some())
    };
    let mut file = CaptionFile {
        is_by_name: true,
        ..CaptionFile::default()
    };
    match (wanted, annotations) {
        (None | Some(DatasetKind::Coco), Some(annotations)) => {
            coco(folder, images, annotations, &mut file);
        }
        (None | Some(DatasetKind::Karpathy), _) if images.0.iter().any(has_sentences) => {
            karpathy(folder, images, &mut file);
        }
        _ => return Ok(None),
    }
    file.sets.retain(|set| !set.captions.is_empty());
    Ok(Some(file.shortened("entry")))
}

fn entry(list: &'static str, number: usize) -> RowPlace {
    RowPlace::Entry { list, number }
}

/// The path of a picture, relative to its data set.
fn path_of(image: &ImageEntry) -> Option<PathBuf> {
    let name = image.file_name.as_ref().or(image.filename.as_ref())?;
    let folder = image.filepath.as_deref().unwrap_or_default();
    (!name.trim().is_empty()).then(|| Path::new(folder).join(name))
}

fn coco(
    folder: &Path,
    images: Entries<ImageEntry>,
    annotations: Entries<Annotation>,
    file: &mut CaptionFile,
) {
    let mut places: HashMap<ImageKey, usize> = HashMap::new();
    for (number, image) in images.0.into_iter().enumerate() {
        let at = entry(IMAGES, number);
        let path = image.as_ref().and_then(path_of);
        let (Some(path), Some(id)) = (path, image.and_then(|image| image.id)) else {
            file.refuse(at, "expected an object with `id` and `file_name`");
            continue;
        };
        places.insert(id, file.sets.len());
        file.sets.push(CaptionSet {
            image: Some(folder.join(path)),
            at,
            captions: Vec::new(),
        });
    }
    for (number, annotation) in annotations.0.into_iter().enumerate() {
        let at = entry(ANNOTATIONS, number);
        let Some(Annotation {
            image_id: Some(id),
            caption: Some(caption),
        }) = annotation
        else {
            file.refuse(at, "expected an object with `image_id` and `caption`");
            continue;
        };
        match places.get(&id) {
            Some(&place) => {
                let captions = &mut file.sets[place].captions;
                add_captions(&caption, at, captions, &mut file.bad);
            }
            None => file.refuse(at, format!("`images` has no picture with the id {id}")),
        }
    }
}

impl fmt::Display for ImageKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Text(text) => write!(formatter, "{text:?}"),
        }
    }
}

fn karpathy(folder: &Path, images: Entries<ImageEntry>, file: &mut CaptionFile) {
    for (number, image) in images.0.into_iter().enumerate() {
        let at = entry(IMAGES, number);
        let path = image.as_ref().and_then(path_of);
        let sentences = image.and_then(|image| image.sentences);
        let (Some(path), Some(sentences)) = (path, sentences) else {
            file.refuse(at, "expected an object with `filename` and `sentences`");
            continue;
        };
        let mut captions = Vec::new();
        for sentence in sentences {
            let joined = || sentence.tokens.map(|tokens| tokens.join(" "));
            match sentence.raw.or_else(joined) {
                Some(text) => add_captions(&text, at, &mut captions, &mut file.bad),
                None => file.bad.push(super::rows::BadRow {
                    at,
                    reason: "a sentence without `raw` or `tokens`".to_owned(),
                    is_whole: false,
                }),
            }
        }
        file.sets.push(CaptionSet {
            image: Some(folder.join(path)),
            at,
            captions,
        });
    }
}
