//! What is looked for: a weighted sum of texts and pictures, and what hits must and must not have.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sightline_index::IndexReader;

use super::condition::{Condition, Key};
use crate::engine::error::EngineError;

/// What counts as a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The model's similarity.
    Meaning,
    /// Keywords in captions, file and folder names, camera, date and places (BM25).
    Words,
    /// Both, weighed by how likely they make a hit. Pictures have no words and are matched by
    /// meaning alone.
    #[default]
    Both,
}

/// The weight of a part that is subtracted, the best of 0.25, 0.5 and 1 and a projection in 26
/// queries on 2,000 photos with the starter model: a mean average precision of 0.600 (0.326 with
/// the words "without X") and none of the unwanted among the first 20 photos (77 %).
const NEGATIVE: f32 = 0.5;

/// The weight of words beside a picture: the cosine of a picture with pictures is far higher than
/// that of a text with pictures, so at equal weights the picture decides alone. Where a picture and
/// a word ask for photos with both (26 pairs), the mean average precision is 0.228; with equal
/// weights 0.178, with fused ranks 0.150, with a sum of z-scores, for which all photos have to be
/// compared, 0.230.
const WORDS_BESIDE_A_PICTURE: f32 = 2.0;

/// The largest weight of a part.
pub(super) const MAX_WEIGHT: f32 = 100.0;

/// A query. Its vector is the weighted sum of its parts' unit vectors, scaled to unit length; its
/// keywords are those of the texts that are added. Weighted sums are those of Rocchio's relevance
/// feedback (1971), and of the queries of rclip, which leaves the sum as long as it is.
///
/// [`Engine::understand`](crate::Engine::understand) makes one of what a user types. One made here
/// is taken literally.
///
/// ```
/// use sightline::{Part, Query};
///
/// let sunset = Part::picture("sunset.jpg").weighing(1.5);
/// let query = Query::text("beach").plus(sunset).minus(Part::text("people"));
/// assert_eq!(query.weights(), [2.0, 1.5, -0.5]);
/// assert_eq!(query.to_string(), "2 × “beach” + 1.5 × sunset.jpg − 0.5 × “people”");
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// The text that was typed, if it was not taken literally.
    pub typed: Option<String>,
    /// What is added and subtracted. Without any, the items that meet the conditions are listed.
    pub parts: Vec<Part>,
    /// Words that hits contain side by side: in a caption, a name or a fact of an image, or in the
    /// text of a caption.
    pub phrases: Vec<String>,
    /// Words that hits do not contain; of several, not side by side.
    pub excluded: Vec<String>,
    /// What hits must meet: for each key one of its conditions, and no negated one.
    pub conditions: Vec<Condition>,
    /// Words that look like a key with a typing error. They are searched as words.
    pub unknown_keys: Vec<UnknownKey>,
}

/// A word such as `cameras:canon`, which is not a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// The key as it was typed.
    pub typed: String,
    /// The key that it resembles.
    pub similar: &'static str,
}

/// A part of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What is encoded.
    pub content: PartContent,
    /// Whether it is subtracted.
    pub is_negative: bool,
    /// Its weight, above 0; `None` for the usual one: 0.5 where it is subtracted, 2 for words
    /// beside a picture, else 1.
    pub weight: Option<f32>,
}

/// What a part of a query is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartContent {
    /// Words.
    Text(String),
    /// The picture in this file, which need not be in the index.
    Picture(PathBuf),
    /// The bytes of a picture file.
    Bytes(Vec<u8>),
    /// The image of the index that this file has. It is not read, and need not exist any more.
    Item(PathBuf),
}

impl Part {
    fn new(content: PartContent) -> Self {
        Self {
            content,
            is_negative: false,
            weight: None,
        }
    }

    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(PartContent::Text(text.into()))
    }

    /// The picture in this file, which need not be in the index.
    pub fn picture(path: impl Into<PathBuf>) -> Self {
        Self::new(PartContent::Picture(path.into()))
    }

    /// The picture whose file has these bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(PartContent::Bytes(bytes.into()))
    }

    /// The image of the index that this file has.
    pub fn item(path: impl Into<PathBuf>) -> Self {
        Self::new(PartContent::Item(path.into()))
    }

    /// A part as users write it: a text, or the path of a picture file, both with or without a
    /// weight in front, as in `2:red car`. What names an existing file is that file; so is a name
    /// without spaces that ends like one of a picture, and a missing one is an error of the search.
    /// In quotation marks behind a weight, as in `1:"dog.jpg"`, it is always a text.
    ///
    /// # Errors
    /// When the weight is not above 0 and at most 100, or nothing follows it.
    pub fn parse(value: &str) -> Result<Self, EngineError> {
        if Path::new(value).is_file() {
            return Ok(Self::picture(value));
        }
        let weighted = value.split_once(':').and_then(|(weight, rest)| {
            let is_number = |c: char| c.is_ascii_digit() || c == '.';
            let is_weight = !weight.is_empty() && weight.chars().all(is_number);
            is_weight.then_some((weight, rest))
        });
        let (weight, rest) = match weighted {
            Some((weight, rest)) => {
                let weight = read_weight(weight).filter(|_| !rest.trim().is_empty());
                let Some(weight) = weight else {
                    return Err(EngineError::BadWeight(value.to_owned()));
                };
                if let Some(text) = without_quotes(rest.trim()) {
                    return Ok(Self::text(text).weighing(weight));
                }
                (Some(weight), rest.trim())
            }
            None => (None, value),
        };
        let part = if Path::new(rest).is_file() || is_named_like_a_picture(rest) {
            Self::picture(rest)
        } else {
            Self::text(rest)
        };
        Ok(Self { weight, ..part })
    }

    /// An image of the index as users write it: the path of one of its files, with or without a
    /// weight in front, as in `2:photos/dog.jpg`. What names an existing file is that file.
    ///
    /// # Errors
    /// When the weight is not above 0 and at most 100, or nothing follows it.
    pub fn parse_item(value: &OsStr) -> Result<Self, EngineError> {
        if Path::new(value).exists() {
            return Ok(Self::item(value));
        }
        let bytes = value.as_encoded_bytes();
        let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let n_digits = bytes.iter().take_while(|byte| is_number(byte)).count();
        if n_digits == 0 || bytes.get(n_digits) != Some(&b':') {
            return Ok(Self::item(value));
        }
        let weight = str::from_utf8(&bytes[..n_digits]).ok();
        let weight = weight.and_then(read_weight);
        let rest = after_ascii(value, n_digits + 1);
        match weight.filter(|_| !rest.is_empty()) {
            Some(weight) => Ok(Self::item(&*rest).weighing(weight)),
            None => Err(EngineError::BadWeight(value.to_string_lossy().into_owned())),
        }
    }

    /// The same with another weight, above 0.
    #[must_use]
    pub fn weighing(self, weight: f32) -> Self {
        let weight = Some(weight);
        Self { weight, ..self }
    }

    fn is_text(&self) -> bool {
        matches!(self.content, PartContent::Text(_))
    }

    fn is_blank(&self) -> bool {
        matches!(&self.content, PartContent::Text(text) if text.trim().is_empty())
    }
}

fn read_weight(text: &str) -> Option<f32> {
    let weight = text.parse::<f32>().ok();
    weight.filter(|&weight| weight > 0.0 && weight <= MAX_WEIGHT)
}

/// What stands in quotation marks, if it is not blank.
fn without_quotes(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    Some(inner).filter(|inner| !inner.trim().is_empty())
}

/// What follows the first `n` bytes of a path, which are ASCII. On Windows, of a path that is not
/// Unicode, with replacement characters.
#[cfg(unix)]
fn after_ascii(path: &OsStr, n: usize) -> Cow<'_, OsStr> {
    use std::os::unix::ffi::OsStrExt as _;
    Cow::Borrowed(OsStr::from_bytes(&path.as_bytes()[n..]))
}

#[cfg(not(unix))]
fn after_ascii(path: &OsStr, n: usize) -> Cow<'_, OsStr> {
    let text = path.to_string_lossy();
    Cow::Owned(text[n..].into())
}

/// What a text is that may have been meant as a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypedPath {
    /// The path of a picture file.
    Picture,
    /// Named like a picture, but no such file is there.
    MissingPicture,
    /// The path of a folder, with a separator in it: a single word may be a folder by accident.
    Folder,
    /// Words, as far as can be seen.
    No,
}

impl TypedPath {
    /// Of this text, as it was typed.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let path = Path::new(text);
        if path.is_file() {
            let is_picture = path.extension().is_none() || has_ending_of_picture(path);
            return if is_picture { Self::Picture } else { Self::No };
        }
        if is_named_like_a_picture(text) {
            return Self::MissingPicture;
        }
        if text.contains(std::path::is_separator) && path.is_dir() {
            return Self::Folder;
        }
        Self::No
    }
}

/// Whether a text without spaces ends like the name of a picture.
fn is_named_like_a_picture(text: &str) -> bool {
    has_ending_of_picture(Path::new(text)) && !text.contains(char::is_whitespace)
}

fn has_ending_of_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| sightline_picture::is_picture(&ending.to_ascii_lowercase()))
}

impl Query {
    /// A text, taken literally.
    pub fn text(text: impl Into<String>) -> Self {
        Self::default().plus(Part::text(text))
    }

    /// The picture in this file.
    pub fn picture(path: impl Into<PathBuf>) -> Self {
        Self::default().plus(Part::picture(path))
    }

    /// The same with a part added to the sum.
    #[must_use]
    pub fn plus(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// The same with a part subtracted from the sum.
    #[must_use]
    pub fn minus(self, part: Part) -> Self {
        self.plus(Part {
            is_negative: true,
            ..part
        })
    }

    /// The same with a condition that hits meet.
    #[must_use]
    pub fn under(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// The weight of each part, negative where it is subtracted.
    #[must_use]
    pub fn weights(&self) -> Vec<f32> {
        let is_beside_a_picture = self.has_added_pictures();
        let weight = |part: &Part| match (part.is_negative, part.weight) {
            (true, weight) => -weight.unwrap_or(NEGATIVE),
            (false, Some(weight)) => weight,
            (false, None) if part.is_text() && is_beside_a_picture => WORDS_BESIDE_A_PICTURE,
            (false, None) => 1.0,
        };
        self.parts.iter().map(weight).collect()
    }

    /// Whether a picture is added.
    pub(super) fn has_added_pictures(&self) -> bool {
        let mut added = self.parts.iter().filter(|part| !part.is_negative);
        added.any(|part| !part.is_text())
    }

    /// The texts that are added: those that are searched by keywords.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let added = self.parts.iter().filter(|part| !part.is_negative);
        added.filter_map(|part| match &part.content {
            PartContent::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// How it is ranked unless something else is asked for: by both where there are words, else by
    /// meaning.
    #[must_use]
    pub fn usual_ranking(&self) -> By {
        let has_words = self.texts().next().is_some() || self.parts.is_empty();
        if has_words { By::Both } else { By::Meaning }
    }

    /// Replaces each name of several towns by the town that it stands for in this index.
    pub(in crate::engine) fn settle(&mut self, reader: &IndexReader) -> Result<(), EngineError> {
        for condition in &mut self.conditions {
            *condition = condition.settled(reader)?;
        }
        Ok(())
    }

    /// Whether it is one text or one picture and nothing else.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let is_single =
            matches!(&self.parts[..], [part] if !part.is_negative && part.weight.is_none());
        is_single && !self.is_restricted()
    }

    /// Whether it has phrases, excluded words or conditions.
    pub(super) fn is_restricted(&self) -> bool {
        !self.phrases.is_empty() || !self.excluded.is_empty() || !self.conditions.is_empty()
    }

    /// Refuses what cannot be searched by this ranking.
    ///
    /// # Errors
    /// When it is empty, only subtracts, or is searched by words alone and has more than words.
    pub(super) fn check(&self, by: By) -> Result<(), EngineError> {
        if self.parts.iter().any(Part::is_blank) {
            return Err(EngineError::EmptyQuery);
        }
        if by == By::Words && self.parts.iter().any(|part| !part.is_text()) {
            return Err(EngineError::PictureByWords);
        }
        if by == By::Words && self.parts.iter().any(|part| part.is_negative) {
            return Err(EngineError::NegativeByWords);
        }
        if !self.parts.is_empty() && self.parts.iter().all(|part| part.is_negative) {
            return Err(EngineError::OnlyNegative);
        }
        let is_usable = |weight: f32| weight.is_finite() && weight > 0.0;
        let mut weights = self.parts.iter().filter_map(|part| part.weight);
        match weights.find(|&weight| !is_usable(weight)) {
            Some(weight) => Err(EngineError::BadWeight(weight.to_string())),
            None => Ok(()),
        }
    }
}

/// The query as people read it: `“beach” − 0.5 × “people”; camera: canon or nikon`.
impl fmt::Display for Query {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.sum();
        let mut add = |what: &str| {
            if !said.is_empty() {
                said += "; ";
            }
            said += what;
        };
        for phrase in &self.phrases {
            add(&format!("with “{phrase}”"));
        }
        for word in &self.excluded {
            add(&format!("not with “{word}”"));
        }
        let (negated, wanted): (Vec<_>, Vec<_>) =
            self.conditions.iter().partition(|c| c.is_negated());
        for key in Key::ALL {
            let of_key = wanted.iter().filter(|condition| condition.key() == key);
            let values: Vec<_> = of_key.map(|condition| condition.shown()).collect();
            if !values.is_empty() {
                add(&format!("{key}: {}", values.join(" or ")));
            }
        }
        for condition in negated {
            add(&format!("not {}: {}", condition.key(), condition.shown()));
        }
        formatter.write_str(&said)
    }
}

impl Query {
    /// Its parts with their weights; a single text without quotes.
    pub(super) fn sum(&self) -> String {
        if let [
            Part {
                content: PartContent::Text(text),
                is_negative: false,
                ..
            },
        ] = &self.parts[..]
        {
            return text.clone();
        }
        let mut said = String::new();
        for (part, weight) in self.parts.iter().zip(self.weights()) {
            match (said.is_empty(), part.is_negative) {
                (true, false) => {}
                (true, true) => said += "− ",
                (false, false) => said += " + ",
                (false, true) => said += " − ",
            }
            if part.is_negative || weight != 1.0 {
                let _ = write!(said, "{} × ", weight.abs());
            }
            let _ = match &part.content {
                PartContent::Text(text) => write!(said, "“{text}”"),
                PartContent::Picture(path) | PartContent::Item(path) => {
                    write!(said, "{}", path.display())
                }
                PartContent::Bytes(_) => write!(said, "the given picture"),
            };
        }
        said
    }
}
