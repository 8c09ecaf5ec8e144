//! The orientation of stored pixels, and turning them upright.

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

use super::directory::Tiff;

/// The orientation in an EXIF block, upright when there is none. Some writers of WebP and PNG keep
/// the marker that EXIF has in a JPEG.
pub(super) fn from_exif(exif: &[u8]) -> Orientation {
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Tiff::open(tiff)
        .and_then(|tiff| tiff.first()?.orientation(&tiff))
        .unwrap_or(Orientation::NoTransforms)
}

/// Whether turning a picture upright exchanges width and height.
pub(super) fn swaps_sides(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// Turns a picture upright.
pub(super) fn upright(picture: RgbImage, orientation: Orientation) -> RgbImage {
    let mut picture = DynamicImage::ImageRgb8(picture);
    picture.apply_orientation(orientation);
    picture.into_rgb8()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An EXIF block whose only entry is the orientation.
    fn exif(is_little: bool, kind: u16, n_values: u32, values: &[u8]) -> Vec<u8> {
        let short = |n: u16| {
            if is_little {
                n.to_le_bytes()
            } else {
                n.to_be_bytes()
            }
        };
        let long = |n: u32| {
            if is_little {
                n.to_le_bytes()
            } else {
                n.to_be_bytes()
            }
        };
        let mut block = if is_little { b"II*\0" } else { b"MM\0*" }.to_vec();
        block.extend(long(8));
        block.extend([short(1), short(0x0112), short(kind)].concat());
        block.extend(long(n_values));
        if values.len() > 4 {
            block.extend([long(26), long(0)].concat());
            block.extend(values);
        } else {
            block.extend(values);
            block.resize(26, 0);
        }
        block
    }

    /// A number in this many bytes.
    fn stored(is_little: bool, number: u64, n_bytes: usize) -> Vec<u8> {
        if is_little {
            number.to_le_bytes()[..n_bytes].to_vec()
        } else {
            number.to_be_bytes()[8 - n_bytes..].to_vec()
        }
    }

    /// Types of integers and their bytes: BYTE, SBYTE, SHORT, SSHORT, LONG, SLONG, IFD, LONG8,
    /// SLONG8, IFD8.
    const KINDS: [(u16, usize); 10] = [
        (1, 1),
        (6, 1),
        (3, 2),
        (8, 2),
        (4, 4),
        (9, 4),
        (13, 4),
        (16, 8),
        (17, 8),
        (18, 8),
    ];

    #[test]
    fn an_orientation_may_be_any_integer_and_the_first_of_several() {
        let mut n_cases = 0;
        for is_little in [true, false] {
            for (kind, n_bytes) in KINDS {
                for value in 0..=9 {
                    let expected = Orientation::from_exif(u8::try_from(value).unwrap());
                    for n_values in [1, 2, 3] {
                        let mut values = stored(is_little, value, n_bytes);
                        values.extend(stored(is_little, 7, n_bytes).repeat(n_values - 1));
                        let n_values = u32::try_from(n_values).unwrap();
                        let block = exif(is_little, kind, n_values, &values);
                        let marked = [b"Exif\0\0", &block[..]].concat();
                        for block in [block, marked] {
                            let found = from_exif(&block);
                            let expected = expected.unwrap_or(Orientation::NoTransforms);
                            assert_eq!(found, expected, "type {kind}, {value} of {n_values}");
                            n_cases += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(n_cases, 2 * 10 * 10 * 3 * 2);
    }

    #[test]
    fn other_orientations_count_as_missing() {
        let mut n_cases = 0;
        for is_little in [true, false] {
            let large = |n_bytes| stored(is_little, u64::MAX - 5, n_bytes);
            for (kind, n_bytes) in KINDS {
                let negative = exif(is_little, kind, 1, &large(n_bytes));
                assert_eq!(from_exif(&negative), Orientation::NoTransforms);
                let none = exif(is_little, kind, 0, &stored(is_little, 6, n_bytes));
                assert_eq!(from_exif(&none), Orientation::NoTransforms);
                n_cases += 2;
            }
            // Text, a fraction, bytes of undefined type, a float, an unknown type.
            for kind in [2, 5, 7, 11, 99] {
                let block = exif(is_little, kind, 1, &stored(is_little, 6, 4));
                assert_eq!(from_exif(&block), Orientation::NoTransforms, "type {kind}");
                n_cases += 1;
            }
        }
        assert_eq!(n_cases, 2 * 25);
    }
}
