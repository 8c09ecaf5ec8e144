//! Conditions on hits as users write them: a key and a value.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use sightline_index::{Filter, IndexError, IndexReader, Moment, Orientation};

use super::near::Vicinity;
use crate::engine::error::BadCondition;

/// The forms of a date that are understood.
const DATE: &str = "a date such as 2023, 2023-06 or 2023-06-14";

/// Endings of the same format. `type:jpg` means all of them.
const SAME_FORMAT: [&[&str]; 2] = [&["jpg", "jpeg", "jpe", "jfif"], &["tif", "tiff"]];

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Key {
    /// In a folder or one below it: a path, or the end of one, such as `Italy/Rome`.
    In,
    /// Taken on this day, in this month or in this year.
    Date,
    /// Taken on this day or later.
    After,
    /// Taken on this day or earlier.
    Before,
    /// A part of the camera's name.
    Camera,
    /// A part of a place's name.
    Place,
    /// Near a position or a town.
    Near,
    /// The ending of the file's name.
    Type,
    /// Landscape, portrait or square.
    Orientation,
    /// The least number of pixels of the smaller side.
    MinSize,
    /// A whole tag.
    Tag,
    /// What there is of an image: a caption.
    Has,
    /// What an image is: one with a copy.
    Is,
}

impl Key {
    /// All keys.
    pub const ALL: [Self; 13] = [
        Self::In,
        Self::Date,
        Self::After,
        Self::Before,
        Self::Camera,
        Self::Place,
        Self::Near,
        Self::Type,
        Self::Orientation,
        Self::MinSize,
        Self::Tag,
        Self::Has,
        Self::Is,
    ];

    /// The key as it is written before the colon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Date => "date",
            Self::After => "after",
            Self::Before => "before",
            Self::Camera => "camera",
            Self::Place => "place",
            Self::Near => "near",
            Self::Type => "type",
            Self::Orientation => "orientation",
            Self::MinSize => "min-size",
            Self::Tag => "tag",
            Self::Has => "has",
            Self::Is => "is",
        }
    }

    /// The key with this name, in capitals or not; `on` is another name of `date`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let mut keys = Self::ALL.into_iter();
        keys.find(|key| key.name() == name)
            .or_else(|| (name == "on").then_some(Self::Date))
    }

    /// The key that a name resembles without being one: a letter too many, too few, wrong or in
    /// the wrong place, two in a name of more than five letters.
    #[must_use]
    pub(super) fn similar_to(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let distance = |key: &Self| strsim::osa_distance(&name, key.name());
        // Two letters resemble everything, and few mistype the first: `year` is not `near`.
        let is_alike = |key: &Self| {
            let is_short = key.name().len() < 5;
            key.name().len() > 2 && !(is_short && key.name()[..1] != name[..name.len().min(1)])
        };
        let keys = Self::ALL.into_iter().filter(is_alike);
        let nearest = keys.min_by_key(distance)?;
        let n_most = if nearest.name().len() > 5 { 2 } else { 1 };
        (name.len() > 2 && (1..=n_most).contains(&distance(&nearest))).then_some(nearest)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A condition that hits meet, or with [`negated`](Self::negated) do not.
///
/// A caption meets it if its image does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    key: Key,
    value: String,
    is_negated: bool,
    /// A folder is as it was written; a search finds it in the index.
    filter: Filter,
    vicinity: Option<Vicinity>,
}

impl Condition {
    /// A condition of a key and its value as users write them.
    ///
    /// # Errors
    /// When the value is not one that the key takes.
    pub fn new(key: Key, value: &str) -> Result<Self, BadCondition> {
        let text = value.trim();
        let refused = |expected| BadCondition {
            key: key.name(),
            value: value.to_owned(),
            expected,
        };
        let (filter, vicinity) = if key == Key::Near {
            let vicinity = Vicinity::parse(text).map_err(refused)?;
            (vicinity.filter(), Some(vicinity))
        } else {
            let found = filter(key, text).filter(|_| !text.is_empty());
            (found.ok_or_else(|| refused(expected(key)))?, None)
        };
        Ok(Self {
            key,
            value: text.to_owned(),
            is_negated: false,
            filter,
            vicinity,
        })
    }

    /// Whether it names a town of which there are several.
    pub(in crate::engine) fn is_open(&self) -> bool {
        let vicinity = self.vicinity.as_ref();
        vicinity.is_some_and(|vicinity| !vicinity.others.is_empty())
    }

    /// The same condition, with the town that a name stands for in this index: of several, the one
    /// with the most pictures near it.
    pub(super) fn settled(&self, reader: &IndexReader) -> Result<Self, IndexError> {
        let Some(vicinity) = &self.vicinity else {
            return Ok(self.clone());
        };
        let vicinity = vicinity.settled(reader)?;
        Ok(Self {
            filter: vicinity.filter(),
            vicinity: Some(vicinity),
            ..self.clone()
        })
    }

    /// The opposite condition.
    #[must_use]
    pub fn negated(self) -> Self {
        Self {
            is_negated: !self.is_negated,
            ..self
        }
    }

    /// What it is about.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// Its value as it was written.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The circle that `near` asks for.
    #[must_use]
    pub fn vicinity(&self) -> Option<&Vicinity> {
        self.vicinity.as_ref()
    }

    /// Its value as people read it.
    pub(super) fn shown(&self) -> Cow<'_, str> {
        match &self.vicinity {
            Some(vicinity) => Cow::Owned(vicinity.to_string()),
            None => Cow::Borrowed(&self.value),
        }
    }

    /// Whether hits do not meet it.
    #[must_use]
    pub fn is_negated(&self) -> bool {
        self.is_negated
    }

    /// What it asks of the index, as if it was not negated.
    pub(in crate::engine) fn filter(&self) -> &Filter {
        &self.filter
    }
}

fn filter(key: Key, value: &str) -> Option<Filter> {
    let date = || date(value);
    Some(match key {
        Key::In => Filter::Folder(value.into()),
        Key::Date => Filter::Taken {
            from: Some(date()?),
            to: Some(date()?),
        },
        Key::After => Filter::Taken {
            from: Some(date()?),
            to: None,
        },
        Key::Before => Filter::Taken {
            from: None,
            to: Some(date()?),
        },
        Key::Camera => Filter::Camera(value.to_owned()),
        Key::Place => Filter::Place(value.to_owned()),
        Key::Type => of_format(value)?,
        Key::Orientation => Filter::Orientation(match value.to_ascii_lowercase().as_str() {
            "landscape" => Orientation::Landscape,
            "portrait" => Orientation::Portrait,
            "square" => Orientation::Square,
            _ => return None,
        }),
        Key::MinSize => Filter::SmallestSide(u32::from_str(value).ok().filter(|&n| n > 0)?),
        Key::Tag => Filter::Tag(value.to_owned()),
        Key::Has => match value.to_ascii_lowercase().as_str() {
            "caption" | "captions" => Filter::Captioned,
            _ => return None,
        },
        Key::Is => match value.to_ascii_lowercase().as_str() {
            "duplicate" | "duplicates" => Filter::Copied,
            _ => return None,
        },
        Key::Near => return None,
    })
}

/// What the value of a key must be.
fn expected(key: Key) -> &'static str {
    match key {
        Key::In => "a folder of the index",
        Key::Date | Key::After | Key::Before => DATE,
        Key::Camera => "a part of a camera's name",
        Key::Place => "a part of a place's name",
        Key::Type => "the ending of a file's name, such as jpg",
        Key::Orientation => "landscape, portrait or square",
        Key::MinSize => "a number of pixels from 1 to 4294967295",
        Key::Tag => "a tag",
        Key::Has => "caption",
        Key::Is => "duplicate",
        Key::Near => "latitude,longitude,km or a town",
    }
}

/// `2023`, `2023-06` or `2023-06-14`, also with `/` or `.` and without zeros.
fn date(text: &str) -> Option<Moment> {
    let separator = text.chars().find(|c| !c.is_ascii_digit()).unwrap_or('-');
    if !"-/.".contains(separator) {
        return None;
    }
    let parts: Vec<&str> = text.split(separator).collect();
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (year, rest) = parts.split_first()?;
    let is_short = |part: &&str| (1..=2).contains(&part.len());
    if year.len() != 4
        || rest.len() > 2
        || !parts.iter().all(is_number)
        || !rest.iter().all(is_short)
    {
        return None;
    }
    // A zero would stand for an unknown month or day.
    let mut numbers = rest
        .iter()
        .map(|part| part.parse::<u8>().ok().filter(|&n| n > 0));
    let month = numbers.next().map_or(Some(0), |month| month)?;
    let day = numbers.next().map_or(Some(0), |day| day)?;
    Moment::new(year.parse().ok()?, month, day, None)
}

fn of_format(ending: &str) -> Option<Filter> {
    let ending = ending.trim_start_matches('.').to_ascii_lowercase();
    if ending.is_empty() || ending.contains(['/', '\\', '.']) {
        return None;
    }
    let one = |ending: &str| Filter::Extension(ending.to_owned());
    let same = SAME_FORMAT
        .into_iter()
        .find(|same| same.contains(&ending.as_str()));
    Some(match same {
        Some(same) => Filter::Any(same.iter().map(|ending| one(ending)).collect()),
        None => one(&ending),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_people_write_them() {
        let rows = [
            ("2023", Some("2023")),
            ("2023-06", Some("2023-06")),
            ("2023-6", Some("2023-06")),
            ("2023/06/14", Some("2023-06-14")),
            ("2023.6.4", Some("2023-06-04")),
            ("2024-02-29", Some("2024-02-29")),
            ("2023-02-29", None),
            ("2023-13", None),
            ("2023-00", None),
            ("2023-06-00", None),
            ("2023-06/14", None),
            ("2023-06-14-1", None),
            ("2023-", None),
            ("23-06", None),
            ("14.06.2023", None),
            ("last summer", None),
            ("+2023", None),
            ("", None),
        ];
        assert_eq!(rows.len(), 18);
        for (text, expected) in rows {
            let found = date(text).map(|date| date.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        let refused = Condition::new(Key::After, "last summer").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "after:\"last summer\": expected a date such as 2023, 2023-06 or 2023-06-14"
        );
    }

    #[test]
    fn values_are_checked_by_their_keys() {
        let rows = [
            (Key::Orientation, "Portrait", true),
            (Key::Orientation, "upright", false),
            (Key::MinSize, "2000", true),
            (Key::MinSize, "0", false),
            (Key::MinSize, "-5", false),
            (Key::MinSize, "2000px", false),
            (Key::Type, ".JPG", true),
            (Key::Type, "image/jpeg", false),
            (Key::Type, ".", false),
            (Key::Has, "caption", true),
            (Key::Has, "faces", false),
            (Key::Is, "Duplicate", true),
            (Key::Is, "sharp", false),
            (Key::Near, "35.01,135.77,20", true),
            (Key::Near, "95,135.77,20", false),
            (Key::Near, " ", false),
            (Key::Camera, " ", false),
            (Key::In, "Italy/Rome", true),
        ];
        assert_eq!(rows.len(), 18);
        for (key, value, expected) in rows {
            assert_eq!(
                Condition::new(key, value).is_ok(),
                expected,
                "{key}:{value}"
            );
        }
    }

    #[test]
    fn a_key_with_a_typing_error_is_recognized() {
        let rows = [
            ("cameras", Some(Key::Camera)),
            ("camrea", Some(Key::Camera)),
            ("CAMERAS", Some(Key::Camera)),
            ("orientatoin", Some(Key::Orientation)),
            ("befor", Some(Key::Before)),
            ("tags", Some(Key::Tag)),
            ("types", Some(Key::Type)),
            ("minsize", Some(Key::MinSize)),
            ("dates", Some(Key::Date)),
            ("http", None),
            ("ix", None),
            ("nera", Some(Key::Near)),
            ("year", None),
            ("", None),
            ("re", None),
            ("title", None),
            ("time", None),
            ("palette", None),
            ("note", None),
        ];
        for (name, expected) in rows {
            assert_eq!(Key::named(name), None, "{name}");
            assert_eq!(Key::similar_to(name), expected, "{name}");
        }
        assert_eq!(rows.len(), 19);
        for key in Key::ALL {
            assert_eq!(Key::named(key.name()), Some(key));
        }
        assert_eq!(Key::named("On"), Some(Key::Date));
    }
}
