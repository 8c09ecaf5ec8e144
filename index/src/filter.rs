//! What a search is restricted to: conditions on images, joined by and, or, not.

use std::path::PathBuf;

use unicode_normalization::UnicodeNormalization;

use crate::circle::Circle;
use crate::ids::IdSet;
use crate::item::{Coordinates, Moment, Orientation};
use crate::records::RecordsError;
use crate::records::facet_keys::{self, Facet, date_bytes};
use crate::records::facets::FacetValues;
use crate::records::keys;

/// A condition on images. A caption meets it if its image does; a caption without an image meets
/// none.
///
/// An image can have several files, places and tags. It meets a condition on one of these if any of
/// them does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filter {
    /// Taken within a range of days, both ends included; without an end, the range is open there.
    ///
    /// An imprecise end stands for all of its days: from 1993 means from 1 January, to 1993-08
    /// means to 31 August. A picture of which only the month or the year is known is within a range
    /// that contains all of that month or year. A picture without a date is in no range.
    Taken {
        /// The first day.
        from: Option<Moment>,
        /// The last day.
        to: Option<Moment>,
    },
    /// A file in this folder or one below it, by the bytes of its path.
    Folder(PathBuf),
    /// A camera whose name contains this text; upper and lower case are equal.
    Camera(String),
    /// A place whose name contains this text; upper and lower case are equal.
    Place(String),
    /// A position within this distance, along a great circle. An image without a position is near
    /// nothing.
    Near {
        /// From where.
        centre: Coordinates,
        /// How far.
        metres: u32,
    },
    /// A file with this ending, such as `jpg`, with or without the dot; upper and lower case ASCII
    /// letters are equal.
    Extension(String),
    /// Wide, tall or square, as it is shown.
    Orientation(Orientation),
    /// At least this many pixels both wide and tall.
    SmallestSide(u32),
    /// Exactly this tag or keyword; upper and lower case are equal.
    Tag(String),
    /// Any tag or keyword at all.
    Tagged,
    /// Any caption at all.
    Captioned,
    /// Several files: copies with the same content.
    Copied,
    /// One of these images. Ids of other items are ignored.
    Ids(IdSet),
    /// All of these conditions. Every image meets an empty list.
    All(Vec<Self>),
    /// At least one of these conditions. No image meets an empty list.
    Any(Vec<Self>),
    /// Every image that does not meet this condition, also one of which the answer is not known.
    Not(Box<Self>),
}

/// A condition on the values of one facet.
pub(crate) struct Leaf {
    pub(crate) facet: Facet,
    /// No smaller value meets it.
    pub(crate) start: Vec<u8>,
    test: Test,
}

/// How a value is judged, given that it is not before the start of its [`Leaf`].
enum Test {
    Every,
    Equal,
    /// Within a folder, whose path has no separator at its end.
    Below,
    /// No earlier than the one day and no later than the other.
    Between([u8; 4], [u8; 4]),
    /// Contains a text, which is folded.
    Part(String),
    /// Is a text, which is folded.
    Text(String),
    /// Is a position within a circle.
    Within(Circle),
}

/// Whether a value meets a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Yes,
    No,
    /// Neither this value does nor any greater one.
    Beyond,
}

impl Leaf {
    /// The condition that every image meets.
    pub(crate) fn every_image() -> Self {
        Self {
            facet: Facet::Orientation,
            start: Vec::new(),
            test: Test::Every,
        }
    }

    /// The condition of a filter on one facet; none for a set of ids, a combination, or captions.
    pub(crate) fn new(filter: &Filter) -> Result<Option<Self>, RecordsError> {
        let leaf = |facet, start: &[u8], test| {
            let start = start.to_vec();
            Ok(Some(Self { facet, start, test }))
        };
        let part = |facet, text: &str| leaf(facet, &[], Test::Part(folded(text)));
        match filter {
            Filter::Taken { from, to } => {
                let from = from.map_or([0; 4], |from| bytes(from.days().0));
                let to = to.map_or([u8::MAX; 4], |to| bytes(to.days().1));
                // A month comes before its days, a year before its months.
                let [y1, y0, month, day] = from;
                let start = match (month, day) {
                    (0 | 1, 0 | 1) => [y1, y0, 0, 0],
                    (_, 1) => [y1, y0, month, 0],
                    _ => from,
                };
                leaf(Facet::Taken, &start, Test::Between(from, to))
            }
            Filter::Folder(folder) => {
                let folder = keys::without_separator(keys::path_bytes(folder)?);
                leaf(Facet::Folder, &folder, Test::Below)
            }
            Filter::Camera(text) => part(Facet::Camera, text),
            Filter::Place(text) => part(Facet::Place, text),
            Filter::Near { centre, metres } => {
                let (centre, metres) = (*centre, *metres);
                leaf(
                    Facet::Position,
                    &[],
                    Test::Within(Circle { centre, metres }),
                )
            }
            Filter::Copied => leaf(Facet::Copied, &[], Test::Every),
            Filter::Extension(ending) => {
                let ending = ending.trim_start_matches('.').to_ascii_lowercase();
                leaf(Facet::Extension, ending.as_bytes(), Test::Equal)
            }
            Filter::Orientation(orientation) => {
                leaf(Facet::Orientation, &[orientation.number()], Test::Equal)
            }
            Filter::SmallestSide(n) => leaf(Facet::SmallestSide, &n.to_be_bytes(), Test::Every),
            Filter::Tag(tag) => leaf(Facet::Tag, &[], Test::Text(folded(tag.trim()))),
            Filter::Tagged => leaf(Facet::Tag, &[], Test::Every),
            Filter::Captioned
            | Filter::Ids(_)
            | Filter::All(_)
            | Filter::Any(_)
            | Filter::Not(_) => Ok(None),
        }
    }

    /// Where the values that can meet the condition are: each range from its first value to its
    /// last; without a last one, until a value is beyond.
    pub(crate) fn ranges(&self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        match &self.test {
            Test::Within(circle) => {
                let boxes = circle.boxes().into_iter();
                let ranges = boxes.flat_map(facet_keys::position_ranges);
                ranges.map(|[first, last]| (first, Some(last))).collect()
            }
            _ => vec![(self.start.clone(), None)],
        }
    }

    pub(crate) fn judge(&self, value: &[u8]) -> Verdict {
        if value < self.start.as_slice() {
            return Verdict::No;
        }
        let yes = |is_met| if is_met { Verdict::Yes } else { Verdict::No };
        match &self.test {
            Test::Every => Verdict::Yes,
            Test::Equal if value == self.start => Verdict::Yes,
            Test::Equal => Verdict::Beyond,
            Test::Below => match value.strip_prefix(self.start.as_slice()) {
                Some(rest) => yes(rest.first().is_none_or(|&byte| byte == keys::separator())),
                None => Verdict::Beyond,
            },
            Test::Between(from, to) => match <[u8; 4]>::try_from(value) {
                Ok(date) if date > *to => Verdict::Beyond,
                Ok([y1, y0, month, day]) => {
                    let moment = Moment::new(u16::from_be_bytes([y1, y0]), month, day, None);
                    yes(moment.is_some_and(|moment| {
                        let (first, last) = moment.days();
                        bytes(first) >= *from && bytes(last) <= *to
                    }))
                }
                Err(_) => Verdict::No,
            },
            Test::Part(text) => yes(folded(&String::from_utf8_lossy(value)).contains(text)),
            Test::Text(text) => yes(folded(&String::from_utf8_lossy(value)) == *text),
            Test::Within(circle) => {
                yes(facet_keys::position_of(value)
                    .is_some_and(|position| circle.contains(position)))
            }
        }
    }

    /// Whether an image with these facets meets the condition.
    pub(crate) fn accepts(&self, values: &FacetValues) -> bool {
        let own = values.iter().filter(|value| value.facet == self.facet);
        own.map(|value| self.judge(&value.value))
            .any(|verdict| verdict == Verdict::Yes)
    }
}

fn bytes(date: Moment) -> [u8; 4] {
    date_bytes(date.year(), date.month(), date.day())
}

/// A text in which upper and lower case, and composed and decomposed characters, are equal.
fn folded(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Moment {
        text.parse().unwrap()
    }

    fn leaf(filter: &Filter) -> Leaf {
        Leaf::new(filter).unwrap().unwrap()
    }

    #[test]
    fn an_imprecise_date_is_in_a_range_that_contains_all_of_it() {
        use Verdict::{Beyond, No, Yes};
        let rows = [
            ("1993", "1993", "1993", Yes),
            ("1993", "1993", "1993-08", Yes),
            ("1993", "1993", "1993-08-31", Yes),
            ("1993-01", "1993-12", "1993", Yes),
            ("1993-01-02", "1993-12", "1993", No),
            ("1993-01-01", "1993-12-30", "1993", No),
            ("1993-08-01", "1993-08", "1993-08", Yes),
            ("1993-08-02", "1993-08", "1993-08", No),
            ("1993-08", "1993-08-30", "1993-08", No),
            ("1993-02", "1993-02-28", "1993-02", Yes),
            ("1993-08", "1993-09", "1993-08-01", Yes),
            ("1993-08", "1993-09", "1993-09-30", Yes),
            ("1993-08", "1993-09", "1993-10-01", Beyond),
            ("1993-08", "1993-09", "1993-07-31", No),
            ("1993-08", "1993-09", "1993", No),
            ("1993-08", "1992", "1993-08-01", Beyond),
        ];
        assert_eq!(rows.len(), 16);
        for (from, to, taken, expected) in rows {
            let leaf = leaf(&Filter::Taken {
                from: Some(date(from)),
                to: Some(date(to)),
            });
            let found = leaf.judge(&bytes(date(taken)));
            assert_eq!(found, expected, "{taken} in {from} to {to}");
        }
        let open = leaf(&Filter::Taken {
            from: None,
            to: None,
        });
        assert_eq!(open.judge(&bytes(date("0001"))), Yes);
        assert_eq!(open.judge(&bytes(date("9999-12-31"))), Yes);
    }

    #[test]
    fn texts_and_folders_are_compared_by_their_rules() {
        use Verdict::{Beyond, No, Yes};
        let camera = |text: &str| Filter::Camera(text.into());
        let folder = |path: &str| Filter::Folder(path.into());
        let tag = |text: &str| Filter::Tag(text.into());
        let rows = [
            (camera("nikon"), "NIKON Z 6", Yes),
            (camera("z 6"), "NIKON Z 6", Yes),
            (camera(""), "NIKON Z 6", Yes),
            (camera("canon"), "NIKON Z 6", No),
            (Filter::Place("KÖLN".into()), "Ko\u{308}ln", Yes),
            (tag("Best "), "best", Yes),
            (tag("bes"), "best", No),
            (folder("/a/b"), "/a/b", Yes),
            (folder("/a/b/"), "/a/b/c/d", Yes),
            (folder("/a/b"), "/a/b!", No),
            (folder("/a/b"), "/a/bc", No),
            (folder("/a/b"), "/a", No),
            (folder("/a/b"), "/a/c", Beyond),
            (folder("/"), "/", Yes),
            (folder("/"), "/a", Yes),
            (folder("/"), "a", No),
            (Filter::Extension(".JPG".into()), "jpg", Yes),
            (Filter::Extension("jpg".into()), "jpga", Beyond),
        ];
        assert_eq!(rows.len(), 18);
        for (filter, value, expected) in rows {
            let found = leaf(&filter).judge(value.as_bytes());
            assert_eq!(found, expected, "{filter:?} of {value}");
        }
    }
}
