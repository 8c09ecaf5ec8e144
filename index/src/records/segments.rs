//! The list of graph segments of a kind, one record per segment.

use super::codec::{In, Out};
use super::{RecordsError, damaged, keys};
use crate::item::{ItemId, ItemKind};

/// A listed graph segment: a file that contains every item of its kind in a range of ids that
/// existed when it was built. Only listed files are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentEntry {
    /// The first id of the range.
    pub(crate) first_id: ItemId,
    /// The last id of the range.
    pub(crate) last_id: ItemId,
    /// The number in the name of its file. 0 is the one graph of an index of format 2.
    pub(crate) number: u64,
    /// Number of items in it, including those removed since.
    pub(crate) n_ids: u32,
    /// The checksum at the end of the file's header.
    pub(crate) header_sum: u32,
}

impl SegmentEntry {
    /// The key and the value of its record.
    #[allow(dead_code, reason = "writers of segments use it")]
    pub(crate) fn encode(&self, kind: ItemKind) -> (Vec<u8>, Vec<u8>) {
        let value = Out::versioned()
            .put(&self.last_id.0.to_le_bytes())
            .put(&self.number.to_le_bytes())
            .put(&self.n_ids.to_le_bytes())
            .put(&self.header_sum.to_le_bytes())
            .0;
        (keys::segment(kind, self.first_id), value)
    }

    pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Self, RecordsError> {
        const WHAT: &str = "the list of graph segments";
        let mut input = In::versioned(value, WHAT)?;
        let entry = Self {
            first_id: keys::id_at_end(key).ok_or(damaged(WHAT))?,
            last_id: ItemId(input.number()?),
            number: input.long()?,
            n_ids: input.number()?,
            header_sum: input.number()?,
        };
        let entry = input.end(entry)?;
        if entry.first_id <= entry.last_id {
            Ok(entry)
        } else {
            Err(damaged(WHAT))
        }
    }

    /// Whether an id is in the range.
    pub(crate) fn covers(&self, id: ItemId) -> bool {
        (self.first_id..=self.last_id).contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_round_trip_and_every_truncation_is_detected() {
        let entry = SegmentEntry {
            first_id: ItemId(7),
            last_id: ItemId(258),
            number: u64::MAX,
            n_ids: 200,
            header_sum: 0xdead_beef,
        };
        let (key, value) = entry.encode(ItemKind::Caption);
        assert_eq!(key, b"s\x01\0\0\0\x07");
        assert_eq!(value.len(), 21);
        assert_eq!(SegmentEntry::decode(&key, &value).unwrap(), entry);
        for n in 0..value.len() {
            assert!(SegmentEntry::decode(&key, &value[..n]).is_err(), "{n}");
        }
        let longer = [&value[..], &[0]].concat();
        assert!(SegmentEntry::decode(&key, &longer).is_err());
        let after_last = keys::segment(ItemKind::Caption, ItemId(259));
        assert!(SegmentEntry::decode(&after_last, &value).is_err());
        assert!(SegmentEntry::decode(b"s", &value).is_err());
        for (id, expected) in [(6, false), (7, true), (258, true), (259, false)] {
            assert_eq!(entry.covers(ItemId(id)), expected, "{id}");
        }
    }
}
