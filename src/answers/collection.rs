//! A collection in a few lines.

use super::{PathAnswer, each};
use crate::engine::{Facets, Status};

answers! {
    /// What a collection contains: numbers, dates, and of each facet the `n` values that most
    /// images have.
    pub struct CollectionAnswer<'a> from (status, facets, n) in (&'a Status, &'a Facets, usize) {
        images: u64 = status.n_images,
        files: u64 = status.n_files,
        captions: u64 = status.n_captions,
        libraries: Vec<PathAnswer<'a>> = {
            let libraries = status.libraries.iter();
            libraries.map(|library| library.folder.as_path().into()).collect()
        },
        first_taken: Option<String> = facets.dates.map(|(first, _)| first.to_string()),
        last_taken: Option<String> = facets.dates.map(|(_, last)| last.to_string()),
        years: Vec<ValueCountAnswer> = each(&facets.years),
        cameras: CommonValuesAnswer = (&facets.cameras[..], n).into(),
        folders: CommonValuesAnswer = {
            let mut folders: Vec<_> = facets.folders.iter().collect();
            folders.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
            let folders = folders.iter().map(|(folder, n)| (folder.display().to_string(), *n));
            (&folders.collect::<Vec<_>>()[..], n).into()
        },
        places: CommonValuesAnswer = (&facets.places[..], n).into(),
        tags: CommonValuesAnswer = (&facets.tags[..], n).into(),
        types: CommonValuesAnswer = (&facets.types[..], n).into(),
    }

    /// The number of different values, and the first `n`.
    struct CommonValuesAnswer from (values, n) in (&[(String, u64)], usize) {
        distinct: usize = values.len(),
        most_common: Vec<ValueCountAnswer> = each(&values[..n.min(values.len())]),
    }
}

/// A value, and how many images have it.
#[derive(Debug, Clone, serde::Serialize)]
struct ValueCountAnswer {
    name: String,
    count: u64,
}

impl<T: ToString> From<&(T, u64)> for ValueCountAnswer {
    fn from((name, n): &(T, u64)) -> Self {
        Self {
            name: name.to_string(),
            count: *n,
        }
    }
}
