//! What the images of an index can be chosen by.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;

use sightline_index::{Filter, IndexReader, ItemKind, Moment};

use super::error::EngineError;
use super::search::{Condition, Key};

/// The values that images have, each with the number of images that have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// Cameras, the most frequent first.
    pub cameras: Vec<(String, u64)>,
    /// Folders with images in themselves, not only in folders below, sorted by path.
    pub folders: Vec<(PathBuf, u64)>,
    /// Places, the most frequent first.
    pub places: Vec<(String, u64)>,
    /// Tags and keywords, the most frequent first.
    pub tags: Vec<(String, u64)>,
    /// Endings of file names as `type:` takes them, the most frequent first. Endings of one format,
    /// such as `jpg` and `jpeg`, are one, named as most of its files are.
    pub types: Vec<(String, u64)>,
    /// Years in which pictures were taken, the latest first.
    pub years: Vec<(u16, u64)>,
    /// The earliest and the latest date, as precise as they are known; none if no image has one.
    pub dates: Option<(Moment, Moment)>,
}

impl Facets {
    pub(super) fn read(reader: &IndexReader) -> Result<Self, EngineError> {
        let counts = reader.facet_counts()?;
        let mut years: BTreeMap<u16, u64> = BTreeMap::new();
        for (day, n) in &counts.days {
            *years.entry(day.year()).or_default() += n;
        }
        let ends = (counts.days.first(), counts.days.last());
        Ok(Self {
            cameras: by_number(counts.cameras),
            folders: counts.folders,
            places: by_number(counts.places),
            tags: by_number(counts.tags),
            types: types(reader, counts.extensions)?,
            years: years.into_iter().rev().collect(),
            dates: Some(ends).and_then(|(first, last)| Some((first?.0, last?.0))),
        })
    }
}

fn by_number(mut counts: Vec<(String, u64)>) -> Vec<(String, u64)> {
    // They are sorted by value, and the sort is stable.
    counts.sort_by_key(|&(_, n)| Reverse(n));
    counts
}

/// Endings with those of the same format together.
fn types(
    reader: &IndexReader,
    endings: Vec<(String, u64)>,
) -> Result<Vec<(String, u64)>, EngineError> {
    let (mut types, mut known) = (Vec::new(), Vec::<Filter>::new());
    for (ending, n) in by_number(endings) {
        // An ending that no condition can name is shown as it is.
        let Ok(condition) = Condition::new(Key::Type, &ending) else {
            types.push((ending, n));
            continue;
        };
        let filter = condition.filter();
        if known.contains(filter) {
            continue;
        }
        let n = match filter {
            // An image with files of two endings counts once.
            Filter::Any(_) => reader.select(ItemKind::Image, filter)?.len() as u64,
            _ => n,
        };
        known.push(filter.clone());
        types.push((ending, n));
    }
    Ok(by_number(types))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::{BLUE, GREEN, Place, RED};

    #[test]
    fn values_are_counted_and_endings_of_one_format_are_one_type() {
        let place = Place::new();
        place.draw("red.jpeg", RED, 10);
        place.draw("a/green.jpg", GREEN, 10);
        place.draw("a/blue.jpg", BLUE, 10);
        place.draw("a/more/red.png", RED, 11);
        // The same picture under both endings of its format counts once.
        fs_err::copy(place.photos.join("red.jpeg"), place.photos.join("copy.jpg")).unwrap();
        // A sidecar of each gives them dates and tags.
        let xmp = |date: &str, tags: &[&str]| {
            let tags = tags.join("</rdf:li><rdf:li>");
            format!(
                "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
                 xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description \
                 xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
                 xmlns:exif=\"http://ns.adobe.com/exif/1.0/\" \
                 exif:DateTimeOriginal=\"{date}\"><dc:subject><rdf:Bag><rdf:li>{tags}</rdf:li>\
                 </rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
            )
        };
        for (name, date, tags) in [
            ("red.jpeg", "2019-05-01T10:00:00", &["sea", "best"][..]),
            ("a/green.jpg", "2023-06-14T10:00:00", &["best"]),
            ("a/blue.jpg", "2023-01-02T10:00:00", &[]),
        ] {
            fs_err::write(place.photos.join(format!("{name}.xmp")), xmp(date, tags)).unwrap();
        }
        assert_eq!(place.index().n_added, 4);
        let facets = place.engine().facets().unwrap();
        let counts = |counts: &[(&str, u64)]| -> Vec<(String, u64)> {
            counts
                .iter()
                .map(|&(name, n)| (name.to_owned(), n))
                .collect()
        };
        assert_eq!(facets.types, counts(&[("jpg", 3), ("png", 1)]));
        assert_eq!(facets.tags, counts(&[("best", 2), ("sea", 1)]));
        assert_eq!(facets.years, [(2023, 2), (2019, 1)]);
        let dates = facets
            .dates
            .map(|(first, last)| [first.to_string(), last.to_string()]);
        assert_eq!(
            dates,
            Some(["2019-05-01".to_owned(), "2023-06-14".to_owned()])
        );
        let folders = ["", "a", "a/more"].map(|name| place.photos.join(name));
        let folders: Vec<(PathBuf, u64)> = folders.into_iter().zip([1, 2, 1]).collect();
        assert_eq!(facets.folders, folders);
        assert_eq!((facets.cameras, facets.places), (vec![], vec![]));
    }
}
