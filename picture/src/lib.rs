//! Decodes pictures: the bytes of a file to upright 8-bit RGB in sRGB.
//!
//! - The format is detected from the content; file names are not trusted.
//! - Size and memory are checked against the header before anything is allocated
//!   ([`DecodeLimits`]).
//! - The orientation in EXIF or in the container is applied, and embedded colour profiles are
//!   converted to sRGB.
//! - Transparent pictures are put on white. Animations and files of several pictures show the
//!   first one, camera RAW its largest embedded JPEG.
//! - Large JPEGs can be decoded at a reduced size ([`decode_reduced`]).
//!
//! [`metadata`] reads what a file says about its picture, [`reduced`] makes a small picture of it
//! and [`thumbnail`] a small JPEG, [`PerceptualHash`] compares how pictures look, and [`formats`]
//! lists the formats. All functions take any bytes: they return errors and never panic.
//!
//! ```
//! use sightline_picture::{DecodeError, DecodeLimits, decode, thumbnail};
//!
//! let bitmap = b"P6 2 1 255\n\xff\x00\x00\x00\x00\xff";
//! let picture = decode(bitmap, &DecodeLimits::default())?;
//! assert_eq!(picture.dimensions(), (2, 1));
//! assert_eq!(picture.get_pixel(0, 0).0, [255, 0, 0]);
//!
//! let small = thumbnail(bitmap, &DecodeLimits::default(), 480)?;
//! assert_eq!((small.width, small.height), (2, 1));
//! assert!(small.jpeg.starts_with(b"\xff\xd8"));
//!
//! let error = decode(b"Dear diary", &DecodeLimits::default()).unwrap_err();
//! assert!(matches!(error, DecodeError::NotAPicture));
//! # Ok::<(), DecodeError>(())
//! ```

mod chunks;
mod colour;
mod decode;
mod directory;
mod error;
mod exr;
mod formats;
mod heif;
mod image_crate;
mod jpeg;
mod jxl;
mod limits;
mod metadata;
mod orientation;
mod perceptual;
mod png;
mod raw;
mod sniff;
mod svg;
mod thumbnail;
mod tiff;

pub use decode::{
    Decoded, decode, decode_reduced, memory_needed, memory_needed_reduced, unsupported,
};
pub use error::DecodeError;
pub use formats::{Format, formats, is_picture, is_supported};
pub use jpeg::Smallest;
pub use limits::{DecodeLimits, panics_are_caught};
pub use metadata::{Metadata, Taken, metadata, sidecar_metadata, with_keywords};
pub use perceptual::{ColourGrid, PerceptualHash};
pub use thumbnail::{Thumbnail, reduced, thumbnail};
