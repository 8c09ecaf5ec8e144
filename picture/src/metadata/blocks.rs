//! Finds the EXIF, XMP and IPTC blocks of a file.

use std::borrow::Cow;
use std::io::Read;

use heic_rs::boxes::BoxIter;
use image::ImageFormat;

use super::{iptc, xmp};
use crate::chunks::{jpeg_segments, png_chunks, webp_chunk};
use crate::directory::{Tiff, tag};
use crate::sniff::{FileKind, sniff};
use crate::{heif, raw};

/// The blocks of a file, the first of each type.
#[derive(Debug, Default)]
pub(super) struct Blocks<'a> {
    /// A TIFF, possibly after the marker that EXIF has in a JPEG.
    pub(super) exif: Option<Cow<'a, [u8]>>,
    pub(super) xmp: Option<Cow<'a, [u8]>>,
    pub(super) iptc: Option<&'a [u8]>,
}

impl<'a> Blocks<'a> {
    pub(super) fn find(bytes: &'a [u8]) -> Self {
        match sniff(bytes) {
            FileKind::Jpeg => in_jpeg(bytes),
            FileKind::Image(ImageFormat::Png) => in_png(bytes),
            FileKind::Image(ImageFormat::WebP) => in_webp(bytes),
            FileKind::Tiff => in_tiff(bytes),
            FileKind::Heif => {
                let (exif, xmp) = heif::metadata(bytes);
                let iptc = None;
                Self { exif, xmp, iptc }
            }
            FileKind::Jxl => in_jxl(bytes),
            FileKind::Raw(_) if Tiff::open(bytes).is_some() => in_tiff(bytes),
            FileKind::Raw(_) => {
                raw::preview(bytes).map_or_else(Self::default, |preview| in_jpeg(preview.jpeg))
            }
            FileKind::Image(_) | FileKind::Svg | FileKind::Unsupported(_) | FileKind::Unknown => {
                Self::default()
            }
        }
    }

    fn take_exif(&mut self, block: &'a [u8]) {
        self.exif.get_or_insert(Cow::Borrowed(block));
    }

    fn take_xmp(&mut self, block: &'a [u8]) {
        self.xmp.get_or_insert(Cow::Borrowed(block));
    }
}

fn in_jpeg(bytes: &[u8]) -> Blocks<'_> {
    let mut blocks = Blocks::default();
    for (marker, content) in jpeg_segments(bytes) {
        if marker == 0xE1 && content.starts_with(b"Exif\0\0") {
            blocks.take_exif(content);
        } else if marker == 0xE1
            && let Some(packet) = content.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0")
        {
            blocks.take_xmp(packet);
        } else if marker == 0xED
            && let Some(resources) = content.strip_prefix(b"Photoshop 3.0\0")
        {
            blocks.iptc = blocks.iptc.or_else(|| iptc::in_resources(resources));
        }
    }
    blocks
}

/// Chunks may stand before or after the pixels (PNG, third edition, 11.3).
fn in_png(bytes: &[u8]) -> Blocks<'_> {
    let mut blocks = Blocks::default();
    for (kind, content) in png_chunks(bytes) {
        match &kind {
            b"eXIf" => blocks.take_exif(content),
            b"iTXt" if blocks.xmp.is_none() => blocks.xmp = xmp_text(content),
            _ => {}
        }
    }
    blocks
}

/// The XMP packet in an `iTXt` chunk: keyword, whether and how it is compressed, language,
/// translated keyword, text.
fn xmp_text(content: &[u8]) -> Option<Cow<'_, [u8]>> {
    let rest = content.strip_prefix(b"XML:com.adobe.xmp\0")?;
    let ([is_compressed, _], rest) = rest.split_first_chunk()?;
    let mut parts = rest.splitn(3, |&byte| byte == 0);
    let text = parts.nth(2)?;
    if *is_compressed == 0 {
        return Some(Cow::Borrowed(text));
    }
    let mut decompressed = Vec::new();
    let reader = flate2::read::ZlibDecoder::new(text);
    let max_bytes = xmp::MAX_BYTES as u64 + 1;
    reader.take(max_bytes).read_to_end(&mut decompressed).ok()?;
    Some(Cow::Owned(decompressed))
}

fn in_webp(bytes: &[u8]) -> Blocks<'_> {
    Blocks {
        exif: webp_chunk(bytes, *b"EXIF").map(Cow::Borrowed),
        xmp: webp_chunk(bytes, *b"XMP ").map(Cow::Borrowed),
        iptc: None,
    }
}

/// The file itself has the form of an EXIF block; XMP and IPTC are entries of its first directory.
fn in_tiff(bytes: &[u8]) -> Blocks<'_> {
    let tiff = Tiff::open(bytes);
    let first = tiff.as_ref().and_then(Tiff::first);
    let entry = |tag| first.as_ref()?.bytes(tiff.as_ref()?, tag);
    Blocks {
        exif: Some(Cow::Borrowed(bytes)),
        xmp: entry(tag::XMP).map(Cow::Borrowed),
        iptc: entry(tag::IPTC).or_else(|| entry(tag::PHOTOSHOP).and_then(iptc::in_resources)),
    }
}

/// The boxes of the container (ISO/IEC 18181-2, clause 9). Compressed ones are ignored.
fn in_jxl(bytes: &[u8]) -> Blocks<'_> {
    let mut blocks = Blocks::default();
    for part in BoxIter::new(bytes).map_while(Result::ok) {
        match &part.boxtype {
            b"Exif" => {
                if let Some(tiff) = heif::exif_tiff(part.payload) {
                    blocks.take_exif(tiff);
                }
            }
            b"xml " => blocks.take_xmp(part.payload),
            _ => {}
        }
    }
    blocks
}
