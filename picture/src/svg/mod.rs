//! What does an SVG drawing show?
//!
//! It is drawn on white, 768 pixels on its longer side: more than twice of what most encoders look
//! at. Texts are left out, since there are fonts on one machine and others on the next, and the
//! same file should give the same vector on both. Pictures inside the file are drawn, linked files
//! and addresses are not looked at.
//!
//! A drawing of a few bytes can ask for endless work. Neither its reading nor its drawing can be
//! stopped half-way, so both are weighed beforehand: memory may be a certain multiple of the text,
//! and work a certain number of pixels a second of the time limit.

mod cost;
mod encoding;
mod weight;

use std::io::Read;

use image::RgbImage;
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{ImageHrefResolver, ImageKind, Options, Tree, roxmltree};

use super::limits::Deadline;
use super::{DecodeError, DecodeLimits, sniff};
pub(super) use encoding::{from_utf16, is_utf16};

/// Pixels on the longer side.
const LENGTH: u32 = 768;

/// The longest text, unpacked.
const MAX_TEXT: u64 = 16 << 20;

/// Room for the stack: a drawing may be nested a thousand groups deep.
const N_STACK_BYTES: usize = 256 << 20;

/// Draws an SVG, packed or not.
pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    let unpacked;
    let text = if sniff::is_gzip(bytes) {
        unpacked = unpack(bytes, MAX_TEXT)?;
        &unpacked
    } else {
        bytes
    };
    let n_bytes = memory_for(text.len() as u64);
    limits.check(LENGTH, LENGTH, n_bytes)?;
    let text = encoding::text_of(text)?;
    // The libraries go down into groups by recursion: on a stack of its own that cannot overflow.
    let drawn = std::thread::scope(|scope| {
        let worker = std::thread::Builder::new()
            .stack_size(N_STACK_BYTES)
            .spawn_scoped(scope, || {
                super::guard::guarded(|| draw(&text, n_bytes, limits, deadline))
            });
        worker.map(|worker| worker.join().ok().flatten())
    });
    match drawn {
        Ok(Some(drawn)) => drawn,
        Ok(None) => Err(DecodeError::broken(
            "the decoder gave up on contradictory content",
        )),
        Err(error) => Err(DecodeError::broken(error)),
    }
}

/// The most bytes that drawing takes, by the length of the text.
pub(super) fn memory_needed(bytes: &[u8]) -> u64 {
    let n_bytes = match bytes.last_chunk() {
        // A gzip file ends with its content's length (RFC 1952); if that lies, decoding fails.
        Some(&length) if sniff::is_gzip(bytes) => u64::from(u32::from_le_bytes(length)),
        _ => bytes.len() as u64,
    };
    memory_for(n_bytes)
}

fn memory_for(n_text_bytes: u64) -> u64 {
    (32 << 20) + 64 * n_text_bytes.min(MAX_TEXT / 4)
}

/// The unpacked content, which must not be longer than this.
pub(super) fn unpack(bytes: &[u8], most: u64) -> Result<Vec<u8>, DecodeError> {
    let mut text = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(bytes).take(most + 1);
    if let Err(error) = reader.read_to_end(&mut text) {
        return Err(match error.kind() {
            std::io::ErrorKind::UnexpectedEof => DecodeError::Truncated,
            _ => DecodeError::broken(error),
        });
    }
    if text.len() as u64 > most {
        return Err(too_complex());
    }
    Ok(text)
}

fn too_complex() -> DecodeError {
    DecodeError::unsupported("SVG that is too complex to be drawn")
}

fn draw(
    text: &str,
    n_bytes: u64,
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    if text.len() as u64 > MAX_TEXT {
        return Err(too_complex());
    }
    let parsing = roxmltree::ParsingOptions {
        allow_dtd: true,
        nodes_limit: 1_000_000,
        ..roxmltree::ParsingOptions::default()
    };
    let document = roxmltree::Document::parse_with_options(text, parsing).map_err(from_xml)?;
    if weight::of(&document) > n_bytes {
        return Err(too_complex());
    }
    deadline.check()?;
    let inner = limits.clone().with_max_bytes(limits.max_bytes.min(n_bytes));
    let options = Options {
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(move |_, data, _| raster(&data, &inner)),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    let tree = Tree::from_xmltree(&document, &options).map_err(DecodeError::broken)?;
    deadline.check()?;
    let size = tree.size();
    let scale = LENGTH as f32 / size.width().max(size.height());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and at most LENGTH"
    )]
    let pixels = |length: f32| ((length * scale).round() as u32).clamp(1, LENGTH);
    let (width, height) = (pixels(size.width()), pixels(size.height()));
    cost::check(&tree, scale, (width, height), n_bytes, limits.max_time)?;
    let mut canvas =
        Pixmap::new(width, height).ok_or_else(|| DecodeError::broken("it has no size"))?;
    canvas.fill(Color::WHITE);
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut canvas.as_mut(),
    );
    // Everything is opaque: the ground is.
    let rgb = canvas
        .data()
        .chunks_exact(4)
        .flat_map(|p| [p[0], p[1], p[2]]);
    RgbImage::from_raw(width, height, rgb.collect())
        .ok_or_else(|| DecodeError::broken("it has no size"))
}

/// A picture inside the drawing: decoded within the limits by our own decoders, and handed on in a
/// form that takes no judgement to read. Drawings inside of drawings are left out.
fn raster(bytes: &[u8], limits: &DecodeLimits) -> Option<ImageKind> {
    if matches!(sniff::kind(bytes), sniff::Kind::Svg | sniff::Kind::Svgz) {
        return None;
    }
    // The picture is held as it was decoded, packed, and as it is drawn, four bytes a pixel each.
    let pixels = limits.max_bytes / 12;
    let limits = limits
        .clone()
        .with_max_pixels(limits.max_pixels.min(pixels));
    let kind = match sniff::kind(bytes) {
        sniff::Kind::Readable(image::ImageFormat::Png) => {
            // Kept as it is: on white it would hide what lies below it.
            let n_bytes = super::memory_needed(bytes);
            return (n_bytes > 0 && n_bytes <= limits.max_bytes)
                .then(|| ImageKind::PNG(bytes.to_vec().into()));
        }
        sniff::Kind::Unknown | sniff::Kind::Known(_) => return None,
        _ => super::decode(bytes, &limits).ok()?,
    };
    let mut packed = std::io::Cursor::new(Vec::new());
    kind.write_to(&mut packed, image::ImageFormat::Png).ok()?;
    Some(ImageKind::PNG(packed.into_inner().into()))
}

fn from_xml(error: roxmltree::Error) -> DecodeError {
    match error {
        roxmltree::Error::UnexpectedEndOfStream | roxmltree::Error::UnclosedRootNode => {
            DecodeError::Truncated
        }
        roxmltree::Error::NodesLimitReached => too_complex(),
        error => DecodeError::broken(error),
    }
}
