//! Where in a file are EXIF, XMP and IPTC?

use std::borrow::Cow;
use std::io::Read;

use image::ImageFormat;

use super::super::directories::Tiff;
use super::super::sniff::{self, Kind};
use super::super::{heif, raw};
use super::{iptc, xmp};

/// The blocks of a file, the first of each kind.
#[derive(Debug, Default)]
pub(super) struct Blocks<'a> {
    /// A TIFF, perhaps behind EXIF's marker.
    pub(super) exif: Option<Cow<'a, [u8]>>,
    pub(super) xmp: Option<Cow<'a, [u8]>>,
    pub(super) iptc: Option<&'a [u8]>,
}

impl<'a> Blocks<'a> {
    pub(super) fn find(bytes: &'a [u8]) -> Self {
        match sniff::kind(bytes) {
            Kind::Jpeg => in_jpeg(bytes),
            Kind::Readable(ImageFormat::Png) => in_png(bytes),
            Kind::Readable(ImageFormat::WebP) => in_webp(bytes),
            Kind::Readable(ImageFormat::Tiff) => in_tiff(bytes),
            Kind::Heif => {
                let (exif, xmp) = heif::metadata(bytes);
                Self {
                    exif,
                    xmp,
                    iptc: None,
                }
            }
            Kind::Jxl => in_jxl(bytes),
            Kind::Raw(_) if Tiff::open(bytes).is_some() => in_tiff(bytes),
            Kind::Raw(_) => {
                raw::preview(bytes).map_or_else(Self::default, |preview| in_jpeg(preview.jpeg))
            }
            Kind::Readable(_) | Kind::Svg | Kind::Svgz | Kind::Known(_) | Kind::Unknown => {
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

/// The segments of applications before the first scan (ITU-T T.81, B.2).
fn in_jpeg(bytes: &[u8]) -> Blocks<'_> {
    let mut blocks = Blocks::default();
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let [0xFF, marker, tail @ ..] = rest {
        if *marker == 0xFF {
            rest = &rest[1..];
            continue;
        }
        let segment = tail.first_chunk().and_then(|&length| {
            let length = usize::from(u16::from_be_bytes(length));
            tail.get(2..length)
        });
        let Some(segment) = segment else {
            break;
        };
        match marker {
            0xE1 if segment.starts_with(b"Exif\0\0") => blocks.take_exif(segment),
            0xE1 => {
                if let Some(packet) = segment.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                    blocks.take_xmp(packet);
                }
            }
            0xED => {
                let resources = segment.strip_prefix(b"Photoshop 3.0\0");
                let found = resources.and_then(iptc::in_resources);
                blocks.iptc = blocks.iptc.or(found);
            }
            0xDA | 0xD9 => break,
            _ => {}
        }
        rest = &tail[2 + segment.len()..];
    }
    blocks
}

/// Chunks may stand before or after the pixels (PNG, third edition, 11.3).
fn in_png(bytes: &[u8]) -> Blocks<'_> {
    let mut blocks = Blocks::default();
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((&length, tail)) = rest.split_first_chunk() {
        let Ok(length) = usize::try_from(u32::from_be_bytes(length)) else {
            break;
        };
        let Some((kind, tail)) = tail.split_first_chunk::<4>() else {
            break;
        };
        let Some((content, tail)) = tail.split_at_checked(length) else {
            break;
        };
        match kind {
            b"eXIf" => blocks.take_exif(content),
            b"iTXt" if blocks.xmp.is_none() => blocks.xmp = xmp_text(content),
            _ => {}
        }
        // A checksum follows.
        rest = tail.get(4..).unwrap_or_default();
    }
    blocks
}

/// The packet of an international text: a keyword, whether and how it is packed, a language, a translation, the text.
fn xmp_text(content: &[u8]) -> Option<Cow<'_, [u8]>> {
    let rest = content.strip_prefix(b"XML:com.adobe.xmp\0")?;
    let ([is_packed, _], rest) = rest.split_first_chunk()?;
    let mut parts = rest.splitn(3, |&byte| byte == 0);
    let text = parts.nth(2)?;
    if *is_packed == 0 {
        return Some(Cow::Borrowed(text));
    }
    let mut unpacked = Vec::new();
    let reader = flate2::read::ZlibDecoder::new(text);
    let most = xmp::MAX_BYTES as u64 + 1;
    reader.take(most).read_to_end(&mut unpacked).ok()?;
    Some(Cow::Owned(unpacked))
}

fn in_webp(bytes: &[u8]) -> Blocks<'_> {
    Blocks {
        exif: sniff::webp_chunk(bytes, *b"EXIF").map(Cow::Borrowed),
        xmp: sniff::webp_chunk(bytes, *b"XMP ").map(Cow::Borrowed),
        iptc: None,
    }
}

/// The file is what EXIF would be; the others are entries of its first directory.
fn in_tiff(bytes: &[u8]) -> Blocks<'_> {
    const XMP: u16 = 700;
    const IPTC: u16 = 33_723;
    const PHOTOSHOP: u16 = 34_377;
    let tiff = Tiff::open(bytes);
    let first = tiff.as_ref().and_then(Tiff::first);
    let entry = |tag| first.as_ref()?.bytes(tiff.as_ref()?, tag);
    Blocks {
        exif: Some(Cow::Borrowed(bytes)),
        xmp: entry(XMP).map(Cow::Borrowed),
        iptc: entry(IPTC).or_else(|| entry(PHOTOSHOP).and_then(iptc::in_resources)),
    }
}

/// The boxes of the container (ISO/IEC 18181-2, clause 9); packed ones are not read.
fn in_jxl(bytes: &[u8]) -> Blocks<'_> {
    let mut blocks = Blocks::default();
    let mut rest = bytes;
    while let Some((&size, tail)) = rest.split_first_chunk() {
        let Some((kind, tail)) = tail.split_first_chunk::<4>() else {
            break;
        };
        let size = u64::from(u32::from_be_bytes(size));
        let (size, n_header) = match size {
            // To the end of the file.
            0 => (rest.len() as u64, 8),
            1 => {
                let Some(long) = tail.first_chunk() else {
                    break;
                };
                (u64::from_be_bytes(*long), 16)
            }
            size => (size, 8),
        };
        let Some((whole, after)) = usize::try_from(size)
            .ok()
            .filter(|&size| size >= n_header)
            .and_then(|size| rest.split_at_checked(size))
        else {
            break;
        };
        let content = &whole[n_header..];
        match kind {
            b"Exif" => {
                let tiff = content.split_first_chunk().and_then(|(skip, tail)| {
                    tail.get(usize::try_from(u32::from_be_bytes(*skip)).ok()?..)
                });
                if let Some(tiff) = tiff {
                    blocks.take_exif(tiff);
                }
            }
            b"xml " => blocks.take_xmp(content),
            _ => {}
        }
        rest = after;
    }
    blocks
}
