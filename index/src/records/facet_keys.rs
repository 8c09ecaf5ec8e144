//! The keys of facets, in the column `default`.
//!
//! A value is escaped so that keys sort by value: each zero byte becomes 0 1, and 0 0 ends it. The
//! number of a chunk of ids follows.

use std::borrow::Cow;

use super::keys;
use crate::circle::GeoBox;
use crate::item::{Coordinates, ItemId};

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
    /// Position, as [`position_bytes`].
    Position = b'g',
    /// That it has several files. No value.
    Copied = b'm',
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

/// Height of a band of latitude in ten-millionths of a degree: a quarter of a degree, 28 km.
const BAND: u32 = 2_500_000;

/// What is added to ten-millionths of a degree so that none is below 0.
const SOUTH: u32 = 900_000_000;
const WEST: u32 = 1_800_000_000;

/// The position in a key, so that positions sort by their band of latitude, then by longitude: a
/// circle is a range of keys in each of its bands.
pub(crate) fn position_bytes(position: Coordinates) -> [u8; 9] {
    let [latitude, longitude] = position.e7();
    let north = SOUTH.wrapping_add_signed(latitude);
    let [_, _, b1, b0] = (north / BAND).to_be_bytes();
    let [e3, e2, e1, e0] = WEST.wrapping_add_signed(longitude).to_be_bytes();
    let [_, n2, n1, n0] = (north % BAND).to_be_bytes();
    [b1, b0, e3, e2, e1, e0, n2, n1, n0]
}

/// The position in a key made by [`position_bytes`].
pub(crate) fn position_of(value: &[u8]) -> Option<Coordinates> {
    let &[b1, b0, e3, e2, e1, e0, n2, n1, n0] = value else {
        return None;
    };
    let band = u32::from(u16::from_be_bytes([b1, b0]));
    let north = band.checked_mul(BAND)? + u32::from_be_bytes([0, n2, n1, n0]);
    let east = u32::from_be_bytes([e3, e2, e1, e0]);
    let signed = |number: u32, zero: u32| number.wrapping_sub(zero).cast_signed();
    Coordinates::from_e7([signed(north, SOUTH), signed(east, WEST)])
}

/// The first and the last value that a position in this box can have, for each band of latitude.
pub(crate) fn position_ranges(area: GeoBox) -> Vec<[Vec<u8>; 2]> {
    let corner = |side: usize| Coordinates::new(area.latitudes[side], area.longitudes[side]);
    let (Some(first), Some(last)) = (corner(0), corner(1)) else {
        return Vec::new();
    };
    let [first, last] = [first, last].map(position_bytes);
    let band_of = |bytes: [u8; 9]| u16::from_be_bytes([bytes[0], bytes[1]]);
    let in_band = |band: u16, bytes: [u8; 9], rest: u8| {
        let [e3, e2, e1, e0] = [bytes[2], bytes[3], bytes[4], bytes[5]];
        let [b1, b0] = band.to_be_bytes();
        vec![b1, b0, e3, e2, e1, e0, rest, rest, rest]
    };
    let bands = band_of(first)..=band_of(last);
    if area.longitudes == [-180.0, 180.0] {
        let (first, last) = (
            in_band(*bands.start(), first, 0),
            in_band(*bands.end(), last, u8::MAX),
        );
        return vec![[first, last]];
    }
    bands
        .map(|band| [in_band(band, first, 0), in_band(band, last, u8::MAX)])
        .collect()
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

    #[test]
    fn positions_sort_by_band_and_longitude_and_come_back() {
        let at = |latitude, longitude| Coordinates::new(latitude, longitude).unwrap();
        let sorted = [
            at(-90.0, -180.0),
            at(-90.0, 180.0),
            at(-89.75, -180.0),
            at(-0.000_000_1, 0.0),
            at(0.1, -0.000_000_1),
            at(0.2, 0.0),
            at(0.1, 0.000_000_1),
            at(0.25, -180.0),
            at(48.858_370_1, -2.294_481_3),
            at(90.0, -180.0),
            at(90.0, 180.0),
        ];
        let bytes = sorted.map(position_bytes);
        assert!(bytes.is_sorted());
        assert_eq!(bytes[0], [0; 9]);
        assert_eq!(bytes[10], [2, 208, 214, 147, 164, 0, 0, 0, 0]);
        let back: Vec<_> = bytes.iter().map(|bytes| position_of(bytes)).collect();
        assert_eq!(back, sorted.map(Some));
        assert_eq!(position_of(&[0; 8]), None);
        assert_eq!(position_of(&[255; 9]), None);
    }
}
