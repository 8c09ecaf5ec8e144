//! HEIC and AVIF files.
//!
//! Both use the same container (HEIF, ISO/IEC 23008-12): items with properties. One item is the
//! picture, whole or as a grid of tiles; another may be its alpha. HEIC codes pixels as HEVC, AVIF
//! as AV1. The container and HEVC are read by `heic-rs`, AV1 by `re_rav1d`, both in Rust. The
//! conversion from planes to colours is ours, since it must also ask the coded pictures what their
//! colours mean: photos of many phones say it nowhere else.
//!
//! Tiles are decoded and placed one by one, so that only one of them is in memory beside the
//! picture. Rotation, mirroring and cropping are properties of the container, applied in its order.
//! Where it neither rotates nor mirrors, the orientation in EXIF counts, as some phones write it.
//! Where both exist, EXIF repeats the container's (as in libheif and libavif), so it is ignored.

mod av1;
mod hevc;
mod planes;
mod vui;

use std::borrow::Cow;

use heic_rs::Image;
use heic_rs::PixelLayout;
use heic_rs::context::Context;
use heic_rs::ftyp::{Brand, FileType};
use heic_rs::meta::iref::RefKind;
use heic_rs::props::simple::Mirror;
use heic_rs::props::{ItemProps, Transform};
use heic_rs::transform;
use image::RgbImage;
use image::metadata::Orientation;

use super::colour::ColourSpace;
use super::limits::Deadline;
use super::orientation::{from_exif, swaps_sides, upright};
use super::{DecodeError, DecodeLimits};
use planes::{Canvas, Coding, Planes};

/// Decodes the primary picture to upright 8-bit sRGB on white.
pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    let file = open(bytes)?;
    let picture = CodedImage::primary(&file)?;
    let (width, height) = picture.size;
    limits.check(width, height, picture.n_bytes()?)?;

    let mut canvas = Canvas::new(width, height, 3);
    let coding = picture.paint(&mut canvas, limits, deadline)?;
    let mut rgb = canvas.values;
    picture.colour_space(coding).apply::<3>(&mut rgb);
    if let Some(alpha) = &picture.alpha {
        let alpha = CodedImage::of_item(&file, *alpha)?;
        // No writer is known to make an alpha of another size.
        if alpha.size == picture.size {
            let mut canvas = Canvas::new(width, height, 1);
            alpha.paint(&mut canvas, limits, deadline)?;
            blend(&mut rgb, &canvas.values, picture.is_premultiplied);
        }
    }
    let shown = turn(rgb, width, height, &picture.props)?;
    Ok(upright(shown, picture.orientation()))
}

/// Upper estimate of the memory for decoding in bytes, from the header.
pub(super) fn memory_needed(bytes: &[u8]) -> Result<u64, DecodeError> {
    let file = open(bytes)?;
    CodedImage::primary(&file)?.n_bytes()
}

/// A block of metadata, borrowed from the file or joined from its parts.
type MetadataBlock<'a> = Option<Cow<'a, [u8]>>;

/// The EXIF and XMP blocks of the picture.
pub(super) fn metadata(bytes: &[u8]) -> (MetadataBlock<'_>, MetadataBlock<'_>) {
    let Ok(file) = open(bytes) else {
        return (None, None);
    };
    let id = file.meta.primary;
    let xmp = file.xmp_item(id).and_then(|item| file.item_data(item).ok());
    (exif(&file, id), xmp)
}

/// The EXIF block of an item.
fn exif<'a>(file: &Context<'a>, id: u32) -> MetadataBlock<'a> {
    Some(match file.item_data(file.exif_item(id)?).ok()? {
        Cow::Borrowed(item) => Cow::Borrowed(exif_tiff(item)?),
        Cow::Owned(item) => Cow::Owned(exif_tiff(&item)?.to_vec()),
    })
}

/// The TIFF in an EXIF item, which begins with the number of bytes before it. Some writers leave
/// that number out, or count wrongly.
pub(super) fn exif_tiff(item: &[u8]) -> Option<&[u8]> {
    /// Bytes that are searched for the start of the TIFF.
    const MAX_BEFORE: usize = 32;
    let is_tiff = |rest: &[u8]| rest.starts_with(b"II*\0") || rest.starts_with(b"MM\0*");
    let (n_before, rest) = item.split_first_chunk()?;
    let named = rest.get(usize::try_from(u32::from_be_bytes(*n_before)).ok()?..);
    if let Some(named) = named
        && is_tiff(named.strip_prefix(b"Exif\0\0").unwrap_or(named))
    {
        return Some(named);
    }
    let found = (0..MAX_BEFORE).filter_map(|at| item.get(at..));
    found.clone().find(|rest| is_tiff(rest)).or(named)
}

/// Reads the container. The library's own constructor refuses AVIF by its brand.
fn open(bytes: &[u8]) -> Result<Context<'_>, DecodeError> {
    Ok(Context {
        file: bytes,
        ftyp: FileType {
            major: Brand::Mif1,
            effective: Brand::Mif1,
            minor_version: 0,
            compatible_count: 0,
        },
        meta: heic_rs::meta::parse(bytes)?,
    })
}

/// How a picture's pixels are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Hevc,
    Av1,
}

/// An image item and what is needed to decode it.
struct CodedImage<'a> {
    file: &'a Context<'a>,
    id: u32,
    props: ItemProps<'a>,
    /// Width and height before rotation and cropping.
    size: (u32, u32),
    /// The coded items: one, or the tiles of a grid row by row.
    coded: Vec<u32>,
    /// Columns of the grid, 1 without one.
    n_columns: u32,
    codec: Codec,
    alpha: Option<u32>,
    is_premultiplied: bool,
}

impl<'a> CodedImage<'a> {
    fn primary(file: &'a Context<'a>) -> Result<Self, DecodeError> {
        let id = file.meta.primary;
        let mut picture = Self::of_item(file, id)?;
        picture.alpha = file.alpha_item(id)?;
        picture.is_premultiplied = file
            .meta
            .refs
            .iter()
            .any(|r| r.kind == RefKind::Other(*b"prem") && r.from == id);
        Ok(picture)
    }

    fn of_item(file: &'a Context<'a>, id: u32) -> Result<Self, DecodeError> {
        let props = file.props(id)?;
        let (items, n_columns, size) = match file.grid(id)? {
            Some((grid, tiles)) => (tiles, grid.columns, (grid.output_width, grid.output_height)),
            None => (vec![id], 1, file.coded_size(id, &props)?),
        };
        let kind = |id: u32| file.meta.item(id).map(|item| item.item_type);
        let first = items.first().and_then(|&id| kind(id));
        let codec = match first.as_ref() {
            Some(b"hvc1" | b"hev1") => Codec::Hevc,
            Some(b"av01") => Codec::Av1,
            Some(other) => {
                let letter = |b: &u8| match b.to_ascii_lowercase() {
                    b if b.is_ascii_alphanumeric() => char::from(b),
                    _ => '?',
                };
                let name: String = other.iter().map(letter).collect();
                return Err(DecodeError::unsupported(format!(
                    "HEIF with items of type {name}"
                )));
            }
            None => return Err(DecodeError::corrupt("the picture has no pixels")),
        };
        if size.0 == 0 || size.1 == 0 {
            return Err(DecodeError::corrupt("the picture has no pixels"));
        }
        Ok(Self {
            file,
            id,
            props,
            size,
            coded: items,
            n_columns,
            codec,
            alpha: None,
            is_premultiplied: false,
        })
    }

    /// Upper estimate of the memory for decoding in bytes: the picture, a turned copy, and one
    /// coded item.
    fn n_bytes(&self) -> Result<u64, DecodeError> {
        let n_pixels = u64::from(self.size.0) * u64::from(self.size.1);
        let mut largest = 0;
        for &id in &self.coded {
            let props = self.file.props(id)?;
            let (width, height) = match self.codec {
                Codec::Hevc => hevc::size(&props)?,
                Codec::Av1 => self.file.coded_size(id, &props)?,
            };
            largest = largest.max(u64::from(width) * u64::from(height));
        }
        let is_turned = !self.props.transforms.is_empty() || swaps_sides(self.orientation());
        let beside = 3 * u64::from(is_turned);
        let alpha = u64::from(self.alpha.is_some());
        // Planes of 16 bits, and what the decoders hold for each block.
        let coded = largest.saturating_mul(match self.codec {
            Codec::Hevc => 10,
            Codec::Av1 => 12,
        });
        Ok(n_pixels
            .saturating_mul(3 + alpha)
            .saturating_add(coded.max(n_pixels.saturating_mul(beside)))
            .saturating_add(1 << 20))
    }

    /// Decodes all coded items onto the canvas. Returns what the first one says about its colours.
    fn paint(
        &self,
        canvas: &mut Canvas,
        limits: &DecodeLimits,
        deadline: Deadline,
    ) -> Result<Coding, DecodeError> {
        let mut first: Option<(Coding, (u32, u32))> = None;
        for (n, &id) in (0u32..).zip(&self.coded) {
            deadline.check()?;
            let props = self.file.props(id)?;
            let data = self.file.item_data(id)?;
            let mut put = |planes: &Planes<'_>, coding: Coding| {
                let size = (planes.width, planes.height);
                let (coding, (width, height)) = *first.get_or_insert((coding, size));
                // All tiles have the same size; the last ones may exceed the picture.
                if size != (width, height) {
                    return Err(DecodeError::corrupt("the tiles differ in size"));
                }
                let place = (
                    (n % self.n_columns).saturating_mul(width),
                    (n / self.n_columns).saturating_mul(height),
                );
                canvas.put(planes, self.coding(&props, coding), place);
                Ok(())
            };
            match self.codec {
                Codec::Hevc => hevc::decode(&props, &data, limits, &mut put)?,
                Codec::Av1 => av1::decode(data.into_owned(), limits, &mut put)?,
            }
        }
        let (coding, (width, height)) =
            first.ok_or_else(|| DecodeError::corrupt("the picture has no pixels"))?;
        let n_rows = u32::try_from(self.coded.len()).unwrap_or(u32::MAX) / self.n_columns;
        let covers = |side: u32, n: u32, wanted: u32| side.saturating_mul(n) >= wanted;
        if !covers(width, self.n_columns, self.size.0) || !covers(height, n_rows, self.size.1) {
            return Err(DecodeError::corrupt("the tiles do not cover the picture"));
        }
        Ok(coding)
    }

    /// The colour coding: the container's, otherwise that of the coded item.
    fn coding(&self, tile: &ItemProps<'_>, coded: Coding) -> Coding {
        let nclx = self.props.nclx.or(tile.nclx);
        nclx.map_or(coded, |nclx| Coding {
            matrix: nclx.matrix_code,
            is_full_range: nclx.range == heic_rs::Range::Full,
            primaries: nclx.primaries,
            transfer: nclx.transfer,
        })
    }

    /// The orientation in EXIF, unless the container rotates or mirrors.
    fn orientation(&self) -> Orientation {
        let turns = |turn: &Transform| matches!(turn, Transform::Rotate(_) | Transform::Mirror(_));
        if self.props.transforms.iter().any(turns) {
            return Orientation::NoTransforms;
        }
        let exif = exif(self.file, self.id);
        exif.map_or(Orientation::NoTransforms, |exif| from_exif(&exif))
    }

    /// The colour space: by an ICC profile, otherwise by code points.
    fn colour_space(&self, coded: Coding) -> ColourSpace {
        let first = self.coded.first();
        let tile = first.and_then(|&id| self.file.props(id).ok());
        let tile = tile.unwrap_or_default();
        if let Some(icc) = self.props.icc.or(tile.icc) {
            return ColourSpace::Icc(icc.to_vec());
        }
        let coding = self.coding(&tile, coded);
        ColourSpace::Codes {
            primaries: coding.primaries,
            transfer: coding.transfer,
        }
    }
}

/// Puts the picture over white.
fn blend(rgb: &mut [u8], alpha: &[u8], is_premultiplied: bool) {
    for (pixel, &alpha) in rgb.chunks_exact_mut(3).zip(alpha) {
        let alpha = u32::from(alpha);
        let background = 255 * (255 - alpha);
        for value in pixel {
            let weight = if is_premultiplied { 255 } else { alpha };
            let sum = u32::from(*value) * weight + background + 127;
            *value = u8::try_from(sum / 255).unwrap_or(u8::MAX);
        }
    }
}

/// Applies the container's cropping, rotation and mirroring.
///
/// The values of `imir` changed their meaning in the standard's second edition: 0 exchanges top and
/// bottom, 1 left and right. libheif and libavif follow it; `heic-rs` has the first edition's
/// meaning.
fn turn(
    rgb: Vec<u8>,
    width: u32,
    height: u32,
    props: &ItemProps<'_>,
) -> Result<RgbImage, DecodeError> {
    let image = Image {
        data: rgb,
        width,
        height,
        layout: PixelLayout::Rgb8,
    };
    let turns: Vec<Transform> = props
        .transforms
        .iter()
        .map(|turn| match turn {
            Transform::Mirror(Mirror::LeftRight) => Transform::Mirror(Mirror::TopBottom),
            Transform::Mirror(Mirror::TopBottom) => Transform::Mirror(Mirror::LeftRight),
            turn => *turn,
        })
        .collect();
    let image = transform::apply_all(image, &turns)?;
    RgbImage::from_raw(image.width, image.height, image.data)
        .ok_or_else(|| DecodeError::corrupt("the picture's size is inconsistent"))
}
