//! Which values the facets of images have, and how many images have each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::IndexReader;
use crate::error::{IndexError, Within};
use crate::item::{ItemId, Moment};
use crate::records::facet_keys::{self, Facet};
use crate::records::facets::{self, PORTION};
use crate::records::keys::{self, Column};
use crate::records::read::Records;
use crate::records::{RecordsError, damaged};

/// The values that images have, each with the number of images, sorted by value. A value that is
/// spelled in two ways is two values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FacetCounts {
    /// Names of cameras.
    pub cameras: Vec<(String, u64)>,
    /// Dates without a time, as precise as they are known, the earliest first.
    pub days: Vec<(Moment, u64)>,
    /// Endings of file names without the dot, ASCII letters in lower case.
    pub extensions: Vec<(String, u64)>,
    /// Folders with files in themselves, not only in folders below.
    pub folders: Vec<(PathBuf, u64)>,
    /// Names of places.
    pub places: Vec<(String, u64)>,
    /// Tags and keywords.
    pub tags: Vec<(String, u64)>,
}

/// Values as they are in keys, without the escapes.
type Counts = BTreeMap<Vec<u8>, u64>;

impl IndexReader {
    /// The values of the facets that images can be chosen by, and how many images have each.
    ///
    /// Reads the facets, not the images: an eighth of a byte or less per image and value.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn facet_counts(&self) -> Result<FacetCounts, IndexError> {
        self.count_facets().within(self.dir())
    }

    fn count_facets(&self) -> Result<FacetCounts, RecordsError> {
        let mut counts = BTreeMap::from(COUNTED.map(|facet| (facet, Counts::new())));
        if facets::are_complete(&self.store)? {
            for (&facet, counts) in &mut counts {
                self.count_recorded(facet, counts)?;
            }
        } else {
            self.count_computed(&mut counts)?;
        }
        let mut of = |facet| counts.remove(&facet).unwrap_or_default();
        Ok(FacetCounts {
            cameras: texts(of(Facet::Camera)),
            days: days(of(Facet::Taken))?,
            extensions: texts(of(Facet::Extension)),
            folders: of(Facet::Folder)
                .into_iter()
                .map(|(folder, n)| Ok((keys::path_from(&folder)?, n)))
                .collect::<Result<_, RecordsError>>()?,
            places: texts(of(Facet::Place)),
            tags: texts(of(Facet::Tag)),
        })
    }

    fn count_recorded(&self, facet: Facet, counts: &mut Counts) -> Result<(), RecordsError> {
        let prefix = facet_keys::prefix(facet);
        let mut last: Option<(Vec<u8>, u64)> = None;
        let mut put = |(value, n): (Vec<u8>, u64)| {
            counts.insert(facet_keys::unescaped(&value).into_owned(), n);
        };
        self.store
            .scan(Column::Default, &prefix, &[], &mut |key, bytes| {
                let (value, _) = facet_keys::parts(key).ok_or(damaged("the key of a facet"))?;
                let n = facets::n_ids(bytes)?;
                match &mut last {
                    Some((known, sum)) if known == value => *sum += n,
                    _ => {
                        last.replace((value.to_vec(), n))
                            .into_iter()
                            .for_each(&mut put);
                    }
                }
                Ok(true)
            })?;
        last.into_iter().for_each(put);
        Ok(())
    }

    /// The same for an index whose facets are not recorded yet.
    fn count_computed(&self, counts: &mut BTreeMap<Facet, Counts>) -> Result<(), RecordsError> {
        let end = self.store.next_id()?.0;
        for first in (0..end).step_by(PORTION as usize) {
            let last = ItemId(first.saturating_add(PORTION - 1));
            facets::scan(&self.store, ItemId(first), last, &mut |_, values| {
                for value in values {
                    if let Some(counts) = counts.get_mut(&value.facet) {
                        *counts.entry(value.value).or_default() += 1;
                    }
                }
            })?;
        }
        Ok(())
    }
}

const COUNTED: [Facet; 6] = [
    Facet::Camera,
    Facet::Taken,
    Facet::Extension,
    Facet::Folder,
    Facet::Place,
    Facet::Tag,
];

fn texts(counts: Counts) -> Vec<(String, u64)> {
    let counts = counts.into_iter();
    // An ending need not be UTF-8.
    counts
        .map(|(value, n)| (String::from_utf8_lossy(&value).into_owned(), n))
        .collect()
}

fn days(counts: Counts) -> Result<Vec<(Moment, u64)>, RecordsError> {
    let day = |(value, n): (Vec<u8>, u64)| {
        let &[y1, y0, month, day] = value.as_slice() else {
            return Err(damaged("the date of a facet"));
        };
        let day = Moment::new(u16::from_be_bytes([y1, y0]), month, day, None);
        Ok((day.ok_or(damaged("the date of a facet"))?, n))
    };
    counts.into_iter().map(day).collect()
}
