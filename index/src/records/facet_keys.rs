//! The keys of facets, in the column `default`.
//!
//! A value is escaped so that keys sort by value: each zero byte becomes 0 1, and 0 0 ends it. The
//! number of a chunk of ids follows.

use std::borrow::Cow;

use super::keys;
use crate::item::ItemId;

/// What a facet states of an image. The byte is the one on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Facet {
    /// Name of the camera.
    Camera = b'c',
    /// Date, as year u16, month and day; zero for what is not known.
    Taken = b'd',
    /// Ending of a file's name, ASCII letters in lower case.
    Extension = b'e',
    /// Folder of a file.
    Folder = b'f',
    /// An [`Orientation`](crate::item::Orientation). Every image has one.
    Orientation = b'o',
    /// Name of a place.
    Place = b'p',
    /// The smaller of width and height, u32.
    SmallestSide = b's',
    /// A tag.
    Tag = b't',
}

/// A facet of an image with its value. An image can have several values of a facet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FacetValue {
    pub(crate) facet: Facet,
    pub(crate) value: Vec<u8>,
}

/// Number of ids in a chunk.
pub(crate) const CHUNK: u32 = 4096;

/// The date in a key, so that dates sort by time, a month before its days.
pub(crate) fn date_bytes(year: u16, month: u8, day: u8) -> [u8; 4] {
    let [y1, y0] = year.to_be_bytes();
    [y1, y0, month, day]
}

pub(crate) fn prefix(facet: Facet) -> Vec<u8> {
    [keys::FACETS, &[facet as u8]].concat()
}

/// The first key of a facet whose value is `value` or greater.
pub(crate) fn first(facet: Facet, value: &[u8]) -> Vec<u8> {
    let mut key = prefix(facet);
    for &byte in value {
        key.push(byte);
        if byte == 0 {
            key.push(1);
        }
    }
    key
}

/// All chunks of a value.
pub(crate) fn value(value: &FacetValue) -> Vec<u8> {
    let mut key = first(value.facet, &value.value);
    key.extend([0, 0]);
    key
}

/// The chunk of a value that contains an id.
pub(crate) fn chunk(value: &FacetValue, id: ItemId) -> Vec<u8> {
    let mut key = self::value(value);
    key.extend((id.0 / CHUNK).to_be_bytes());
    key
}

/// The first key after all chunks of a value that is escaped.
pub(crate) fn after(facet: Facet, escaped: &[u8]) -> Vec<u8> {
    let mut key = prefix(facet);
    key.extend(escaped);
    key.extend([0, 1]);
    key
}

/// The value, still escaped, and the number of the chunk in a key made by [`chunk`].
pub(crate) fn parts(key: &[u8]) -> Option<(&[u8], u32)> {
    let (value, number) = key.get(2..)?.split_last_chunk::<4>()?;
    let value = value.strip_suffix(&[0, 0])?;
    Some((value, u32::from_be_bytes(*number)))
}

/// The value in a key made by [`chunk`], without the escapes.
pub(crate) fn unescaped(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&0) {
        return Cow::Borrowed(value);
    }
    let mut after_zero = false;
    let mut plain = Vec::with_capacity(value.len());
    for &byte in value {
        if !after_zero {
            plain.push(byte);
        }
        after_zero = byte == 0 && !after_zero;
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_documented_bytes_and_sort_by_value() {
        let of = |value: &[u8]| FacetValue {
            facet: Facet::Folder,
            value: value.to_vec(),
        };
        let key = chunk(&of(b"/a\0b"), ItemId(2 * CHUNK + 7));
        assert_eq!(key, b"xf/a\0\x01b\0\0\0\0\0\x02");
        let values: [&[u8]; 9] = [
            b"", b"\0", b"\0\0", b"\0\x01", b"\x01", b"a", b"a\0", b"a\0b", b"a/b",
        ];
        assert!(values.is_sorted());
        let keys: Vec<Vec<u8>> = values
            .iter()
            .flat_map(|value| [1, u32::MAX].map(|id| chunk(&of(value), ItemId(id))))
            .collect();
        assert!(keys.is_sorted());
        let mut n_checked = 0;
        for (key, expected) in keys.iter().step_by(2).zip(values) {
            let (found, number) = parts(key).unwrap();
            assert_eq!((&*unescaped(found), number), (expected, 0));
            assert!(key.starts_with(&first(Facet::Folder, expected)));
            n_checked += 1;
        }
        assert_eq!(n_checked, 9);
        assert_eq!(parts(b"xf\0"), None);
    }
}
