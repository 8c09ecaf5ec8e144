//! Perceptual hashes: nearly the same bits for pictures that look the same; and their colours.

use std::sync::LazyLock;

use image::{Rgb, RgbImage, imageops};
use image_hasher::{HashAlg, Hasher, HasherConfig};

use super::Smallest;
use super::thumbnail::within;

/// Side of the square of coefficients, each of which becomes a bit.
const N_COEFFICIENTS: u32 = 16;

/// The longer side of the picture that is hashed, in pixels.
const MAX_SIDE: u32 = 256;

static HASHER: LazyLock<Hasher<[u8; 32]>> = LazyLock::new(|| {
    HasherConfig::with_bytes_type::<[u8; 32]>()
        .hash_size(N_COEFFICIENTS, N_COEFFICIENTS)
        .hash_alg(HashAlg::Median)
        .preproc_dct()
        .to_hasher()
});

/// What a picture looks like, in 256 bits.
///
/// This is pHash (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions",
/// 2010) with four times as many bits: the picture is scaled to 32 × 32 grey pixels, and each of
/// its 16 × 16 lowest DCT coefficients becomes a bit, which says whether it is above their median.
/// Compression, another size and another brightness change a few bits; another framing or another
/// moment changes many. Colours do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerceptualHash([u8; 32]);

impl PerceptualHash {
    /// Number of bits.
    pub const N_BITS: u32 = N_COEFFICIENTS * N_COEFFICIENTS;

    /// The size that a picture keeps if it is decoded reduced to be hashed.
    pub const SMALLEST: Smallest = Smallest::longer_side(2 * MAX_SIDE);

    /// The hash of an upright picture, which may be decoded reduced to [`Self::SMALLEST`].
    #[must_use]
    pub fn of(picture: &RgbImage) -> Self {
        let hash = |picture: &RgbImage| {
            let hash = HASHER.hash_image(picture);
            // The container has this length.
            Self(hash.as_bytes().try_into().unwrap_or_default())
        };
        let small = within(picture, picture.dimensions(), MAX_SIDE);
        hash(small.as_ref().unwrap_or(picture))
    }

    /// Number of bits in which two hashes differ: 0 for equal pictures, about half of
    /// [`Self::N_BITS`] for pictures that have nothing to do with each other.
    #[must_use]
    pub fn distance(self, other: Self) -> u32 {
        let bytes = self.0.iter().zip(other.0);
        bytes.map(|(a, b)| (a ^ b).count_ones()).sum()
    }
}

/// Side of the grid of colours.
const N_CELLS: u32 = 8;

/// The colours of a picture without its light: the mean blue and red difference (Cb and Cr of JPEG)
/// of each cell of an 8 × 8 grid, as in the colour layout of MPEG-7 (ISO/IEC 15938-3) before its
/// transform.
///
/// They distinguish pictures that have the same [`PerceptualHash`], such as one shirt in two
/// colours, and change little with compression, size and brightness.
#[derive(Debug, Clone, PartialEq)]
pub struct ColourGrid(Vec<[f32; 2]>);

impl ColourGrid {
    /// The colours of an upright picture.
    #[must_use]
    pub fn of(picture: &RgbImage) -> Self {
        let cells = imageops::thumbnail(picture, N_CELLS, N_CELLS);
        let differences = |Rgb([red, green, blue]): &Rgb<u8>| {
            let [red, green, blue] = [*red, *green, *blue].map(f32::from);
            let light = 0.299 * red + 0.587 * green + 0.114 * blue;
            [(blue - light) / 1.772, (red - light) / 1.402]
        };
        Self(cells.pixels().map(differences).collect())
    }

    /// How much two pictures differ in colour: the mean absolute difference, from 0 for equal
    /// colours (and for any two grey pictures) to 255.
    #[must_use]
    pub fn difference(&self, other: &Self) -> f32 {
        let cells = self.0.iter().flatten().zip(other.0.iter().flatten());
        let n = 2 * N_CELLS * N_CELLS;
        cells.map(|(a, b)| (a - b).abs()).sum::<f32>() / n as f32
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use image::codecs::jpeg::JpegEncoder;
    use image::imageops::{self, FilterType};

    use super::*;
    use crate::{DecodeLimits, decode, decode_reduced};

    /// The content of the sample photos of some folders.
    fn photos() -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/photos");
        let mut photos = Vec::new();
        for below in ["animals", "buildings", "nature"] {
            for entry in fs_err::read_dir(folder.join(below)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|ending| ending == "jpg") {
                    photos.push(fs_err::read(path).unwrap());
                }
            }
        }
        photos
    }

    fn decoded(bytes: &[u8]) -> RgbImage {
        decode(bytes, &DecodeLimits::default()).unwrap()
    }

    fn as_jpeg(picture: &RgbImage, quality: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
        picture.write_with_encoder(encoder).unwrap();
        bytes
    }

    #[test]
    fn copies_differ_in_few_bits_and_other_pictures_in_many() {
        let photos = photos();
        assert!(photos.len() >= 20, "{}", photos.len());
        let mut hashes = Vec::new();
        for bytes in &photos {
            let photo = decoded(bytes);
            let (width, height) = photo.dimensions();
            let hash = PerceptualHash::of(&photo);
            let resized =
                |by| imageops::resize(&photo, width / by, height / by, FilterType::Triangle);
            let large = imageops::resize(&photo, 4 * width, 4 * height, FilterType::CatmullRom);
            let large = as_jpeg(&large, 90);
            let limits = DecodeLimits::default();
            let reduced = decode_reduced(&large, &limits, PerceptualHash::SMALLEST).unwrap();
            assert!(reduced.image.width() < reduced.width, "not reduced");
            let copies = [
                decoded(&as_jpeg(&photo, 40)),
                resized(2),
                resized(3),
                imageops::brighten(&photo, 20),
                reduced.image,
            ];
            for (number, copy) in copies.iter().enumerate() {
                let distance = hash.distance(PerceptualHash::of(copy));
                assert!(distance <= 24, "copy {number}: {distance}");
            }
            assert_eq!(hash.distance(hash), 0);
            hashes.push(hash);
        }
        let mut n_pairs = 0;
        for (at, a) in hashes.iter().enumerate() {
            for b in &hashes[at + 1..] {
                let distance = a.distance(*b);
                assert!((64..=192).contains(&distance), "{distance}");
                assert_eq!(distance, b.distance(*a));
                n_pairs += 1;
            }
        }
        assert_eq!(n_pairs, photos.len() * (photos.len() - 1) / 2);
    }

    #[test]
    fn colours_of_copies_are_equal_and_of_other_colours_different() {
        let photos = photos();
        for bytes in &photos {
            let photo = decoded(bytes);
            let (width, height) = photo.dimensions();
            let colours = ColourGrid::of(&photo);
            let third = imageops::resize(&photo, width / 3, height / 3, FilterType::Triangle);
            let copies = [
                decoded(&as_jpeg(&photo, 20)),
                decoded(&as_jpeg(&third, 40)),
                imageops::brighten(&photo, 20),
                imageops::resize(&photo, 2 * width, height, FilterType::Triangle),
            ];
            for (number, copy) in copies.iter().enumerate() {
                let difference = colours.difference(&ColourGrid::of(copy));
                assert!(difference < 6.0, "copy {number}: {difference}");
            }
            assert_eq!(colours.difference(&colours), 0.0);
        }
        assert!(photos.len() >= 20);
        let of = |colour| ColourGrid::of(&RgbImage::from_pixel(30, 20, Rgb(colour)));
        let red = of([200, 40, 40]);
        for other in [[40, 40, 200], [40, 200, 40], [88, 88, 88]] {
            let difference = red.difference(&of(other));
            assert!(difference > 40.0, "{other:?}: {difference}");
            assert_eq!(difference, of(other).difference(&red));
        }
        assert!(of([0, 0, 0]).difference(&of([255, 255, 255])) < 0.01);
    }

    #[test]
    fn pictures_of_any_shape_have_a_hash() {
        let shapes = [(1, 1), (1, 5000), (5000, 1), (3, 2), (256, 257)];
        for (width, height) in shapes {
            let picture = RgbImage::new(width, height);
            let hash = PerceptualHash::of(&picture);
            assert_eq!(hash.distance(PerceptualHash::of(&picture)), 0);
            let colours = ColourGrid::of(&picture);
            assert_eq!(colours.difference(&colours), 0.0);
        }
        assert_eq!(shapes.len(), 5);
    }
}
