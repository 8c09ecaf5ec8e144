//! Groups around the files to keep. No I/O.
//!
//! Looking the same is not transitive: in a slow pan each picture looks like the next one, and the
//! last not like the first. So images are not joined along chains. The best image is the middle of
//! the first group and takes every image that looks like it, the best of the rest is the middle of
//! the second, and so on: each file of a group looks the same as the one that is kept.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use sightline_index::ItemId;

use super::copies::Copies;
use super::keeper::Rated;
use super::near::{LookAlike, Pairs};
use super::report::DuplicateGroup;

/// The groups of at least two files, by the path of the file to keep.
pub(super) fn of(mut images: Vec<Copies>, pairs: &Pairs) -> Vec<DuplicateGroup> {
    let mut alike: HashMap<ItemId, BTreeMap<ItemId, LookAlike>> = HashMap::new();
    for (&(a, b), &agreement) in pairs {
        alike.entry(a).or_default().insert(b, agreement);
        alike.entry(b).or_default().insert(a, agreement);
    }
    images.sort_by(|a, b| {
        let mut best = a.files.iter().zip(&b.files);
        best.next().map_or(Ordering::Equal, |(a, b)| a.compare(b))
    });
    let order: Vec<ItemId> = images.iter().map(|image| image.id).collect();
    let mut left: HashMap<ItemId, Copies> =
        images.into_iter().map(|image| (image.id, image)).collect();
    let mut groups = Vec::new();
    for id in order {
        let Some(middle) = left.remove(&id) else {
            continue;
        };
        let mut files = middle.files;
        let agreements = alike.remove(&id).unwrap_or_default();
        let members: BTreeSet<ItemId> = agreements.keys().copied().collect();
        for member in members {
            let (Some(image), Some(agreement)) = (left.remove(&member), agreements.get(&member))
            else {
                continue;
            };
            files.extend(image.files.into_iter().map(|mut rated| {
                rated.file.similarity = Some(agreement.similarity);
                rated.file.hash_distance = agreement.hash_distance;
                rated
            }));
        }
        groups.extend(group(files));
    }
    groups.sort_by(|a, b| a.keep.path.cmp(&b.keep.path));
    groups
}

/// A group of these files, if there are at least two.
fn group(mut files: Vec<Rated>) -> Option<DuplicateGroup> {
    files.sort_by(Rated::compare);
    let mut files = files.into_iter();
    let (keep, next) = (files.next()?, files.next()?);
    let reason = keep.reason(&next);
    let others = std::iter::once(next).chain(files);
    Some(DuplicateGroup {
        keep: keep.file,
        reason,
        others: others.map(|rated| rated.file).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::engine::duplicates::report::DuplicateFile;

    const AGREEMENT: LookAlike = LookAlike {
        similarity: 0.95,
        hash_distance: 3,
    };

    /// An image whose id is also its number of pixels.
    fn image(id: u32, n_files: usize) -> Copies {
        let file = |number| DuplicateFile {
            path: PathBuf::from(format!("{id}-{number}.jpg")),
            id: ItemId(id),
            width: id,
            height: 1,
            n_bytes: 1,
            taken: None,
            similarity: None,
            hash_distance: 0,
        };
        Copies {
            id: ItemId(id),
            files: (0..n_files)
                .map(|number| Rated::new(file(number), 0))
                .collect(),
        }
    }

    fn pairs(pairs: &[(u32, u32)]) -> Pairs {
        let pairs = pairs
            .iter()
            .map(|&(a, b)| ((ItemId(a.min(b)), ItemId(a.max(b))), AGREEMENT));
        pairs.collect()
    }

    /// The images of each group, by their widths, the one to keep first.
    fn widths(groups: &[DuplicateGroup]) -> Vec<Vec<u32>> {
        let widths = |group: &DuplicateGroup| {
            let files = std::iter::once(&group.keep).chain(&group.others);
            files.map(|file| file.width).collect()
        };
        groups.iter().map(widths).collect()
    }

    #[test]
    fn a_chain_is_cut_where_pictures_no_longer_look_the_same() {
        let images = || (1..=4).map(|id| image(id, 1)).collect();
        let chain = pairs(&[(1, 2), (2, 3), (3, 4)]);
        assert_eq!(widths(&of(images(), &chain)), [[2, 1], [4, 3]]);
        let star = pairs(&[(4, 1), (4, 2), (4, 3)]);
        assert_eq!(widths(&of(images(), &star)), [[4, 3, 2, 1]]);
        assert!(of(images(), &Pairs::new()).is_empty());
        // Two files of one image are a group without any pair.
        let groups = of(vec![image(9, 2)], &Pairs::new());
        assert_eq!(
            (widths(&groups), groups[0].is_exact()),
            (vec![vec![9, 9]], true)
        );
    }

    proptest! {
        #[test]
        fn each_file_is_in_one_group_and_looks_like_the_one_to_keep(
            chosen in proptest::collection::vec((1_u32..20, 1_u32..20), 0..60),
            n_files in proptest::collection::vec(1_usize..3, 20),
        ) {
            let chosen: Vec<_> = chosen.into_iter().filter(|(a, b)| a != b).collect();
            let pairs = pairs(&chosen);
            let images = (1..).zip(&n_files).map(|(id, &n)| image(id, n)).collect();
            let mut met = BTreeSet::new();
            for group in of(images, &pairs) {
                prop_assert!(met.insert(group.keep.path.clone()));
                for file in &group.others {
                    prop_assert!(met.insert(file.path.clone()));
                    let ids = [file.width, group.keep.width].map(ItemId);
                    let pair = (ids[0].min(ids[1]), ids[0].max(ids[1]));
                    prop_assert_eq!(file.similarity.is_some(), pairs.contains_key(&pair));
                    prop_assert!(ids[0] == ids[1] || pairs.contains_key(&pair));
                    prop_assert!(file.width <= group.keep.width);
                }
            }
            // Whatever has another file or looks like anything is in a group, unless all that
            // looks like it is in others.
            for (id, &n) in (1_u32..).zip(&n_files) {
                let is_met = met.contains(&PathBuf::from(format!("{id}-0.jpg")));
                prop_assert!(is_met || n == 1);
            }
        }
    }
}
