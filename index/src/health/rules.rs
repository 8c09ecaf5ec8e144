//! Rules that hold in a sound index, as both the check and the repair apply them.

use std::collections::BTreeMap;

use crate::item::{Generation, ItemId, ItemKind};
use crate::records::codec::{StoredCounts, StoredItem};

/// All items by id.
pub(super) type Items = BTreeMap<ItemId, StoredItem>;

/// A list of changed items per generation.
type ChangeLists = [(Generation, Vec<(ItemKind, ItemId)>)];

/// Whether a stored vector has unit length. False when a value is not finite.
pub(super) fn is_unit(values: &[f32]) -> bool {
    let length = values
        .iter()
        .map(|&value| f64::from(value) * f64::from(value))
        .sum::<f64>()
        .sqrt();
    (length - 1.0).abs() < 1e-3
}

/// The counts that the records have to state.
pub(super) fn counts(items: &Items, n_files: u64) -> StoredCounts {
    let count = |kind| items.values().filter(|item| item.kind() == kind).count() as u64;
    StoredCounts {
        n_images: count(ItemKind::Image),
        n_captions: count(ItemKind::Caption),
        n_files,
    }
}

/// Whether the lists of changes end with the newest generation and have no gaps.
pub(super) fn are_complete(lists: &ChangeLists, newest: Generation) -> bool {
    let first = lists.first().map_or(1, |(first, _)| first.0);
    let numbers = lists.iter().map(|(number, _)| number.0);
    numbers.eq(first..=newest.0)
}
