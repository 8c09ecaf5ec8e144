//! SVG drawings.
//!
//! A drawing is rendered on white, 768 pixels on its longer side: more than twice the input size of
//! most encoders. Text is left out, since fonts differ between machines and the same file should
//! give the same vector everywhere. Pictures embedded in the file are drawn; linked files and
//! addresses are ignored.
//!
//! A drawing of a few bytes can ask for endless work, and neither parsing nor rendering can be
//! interrupted. So both are estimated first: memory is bounded by a multiple of the text's length,
//! work by pixel operations per second of the time limit.

mod cost;
mod encoding;
mod weight;

use std::io::Read;

use image::RgbImage;
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{ImageHrefResolver, ImageKind, Options, Tree, roxmltree};

use super::limits::{Deadline, guarded};
use super::{DecodeError, DecodeLimits};
use cost::too_complex;
use encoding::is_gzip;
pub(super) use encoding::is_svg;

/// Pixels on the longer side.
const LONGER_SIDE: u32 = 768;

/// Maximum length of the decompressed text in bytes.
const MAX_TEXT_BYTES: u64 = 16 << 20;

/// Stack size in bytes: groups may be nested a thousand deep.
const STACK_BYTES: usize = 256 << 20;

/// Decodes a picture embedded in a drawing to the content of a PNG; `None` leaves it out.
pub(super) type EmbeddedDecoder = fn(&[u8], &DecodeLimits) -> Option<Vec<u8>>;

/// Renders an SVG, compressed or not.
pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
    embedded: EmbeddedDecoder,
) -> Result<RgbImage, DecodeError> {
    let decompressed;
    let text = if is_gzip(bytes) {
        decompressed = decompress(bytes)?;
        &decompressed
    } else {
        bytes
    };
    let n_bytes = memory_for(text.len() as u64);
    limits.check(LONGER_SIDE, LONGER_SIDE, n_bytes)?;
    let text = encoding::text_of(text)?;
    // The libraries recurse into groups: a thread with a large stack cannot overflow.
    let drawn = std::thread::scope(|scope| {
        let worker = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || {
                guarded(|| draw(&text, n_bytes, limits, deadline, embedded))
            });
        worker.map(|worker| worker.join().ok().flatten())
    });
    match drawn {
        Ok(Some(drawn)) => drawn,
        Ok(None) => Err(DecodeError::corrupt("the decoder panicked")),
        Err(error) => Err(DecodeError::damaged(&error)),
    }
}

/// Upper estimate of the memory for rendering in bytes, from the length of the text.
pub(super) fn memory_needed(bytes: &[u8]) -> u64 {
    let n_bytes = match bytes.last_chunk() {
        // A gzip file ends with the length of its content (RFC 1952). If that is wrong, decoding
        // fails.
        Some(&length) if is_gzip(bytes) => u64::from(u32::from_le_bytes(length)),
        _ => bytes.len() as u64,
    };
    memory_for(n_bytes)
}

fn memory_for(n_text_bytes: u64) -> u64 {
    (32 << 20) + 64 * n_text_bytes.min(MAX_TEXT_BYTES / 4)
}

fn decompress(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut text = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(bytes).take(MAX_TEXT_BYTES + 1);
    if let Err(error) = reader.read_to_end(&mut text) {
        return Err(match error.kind() {
            std::io::ErrorKind::UnexpectedEof => DecodeError::Truncated,
            _ => DecodeError::damaged(&error),
        });
    }
    if text.len() as u64 > MAX_TEXT_BYTES {
        return Err(too_complex());
    }
    Ok(text)
}

fn draw(
    text: &str,
    n_bytes: u64,
    limits: &DecodeLimits,
    deadline: Deadline,
    embedded: EmbeddedDecoder,
) -> Result<RgbImage, DecodeError> {
    if text.len() as u64 > MAX_TEXT_BYTES {
        return Err(too_complex());
    }
    let parsing = roxmltree::ParsingOptions {
        allow_dtd: true,
        nodes_limit: 1_000_000,
        ..roxmltree::ParsingOptions::default()
    };
    let document = roxmltree::Document::parse_with_options(text, parsing).map_err(from_xml)?;
    if weight::estimate(&document) > n_bytes {
        return Err(too_complex());
    }
    deadline.check()?;
    let inner = limits.clone().with_max_bytes(limits.max_bytes.min(n_bytes));
    let options = Options {
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(move |_, data, _| {
                Some(ImageKind::PNG(embedded(&data, &inner)?.into()))
            }),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    let tree =
        Tree::from_xmltree(&document, &options).map_err(|error| DecodeError::damaged(&error))?;
    deadline.check()?;
    let size = tree.size();
    let scale = LONGER_SIDE as f32 / size.width().max(size.height());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and at most LONGER_SIDE"
    )]
    let pixels = |length: f32| ((length * scale).round() as u32).clamp(1, LONGER_SIDE);
    let (width, height) = (pixels(size.width()), pixels(size.height()));
    cost::check(&tree, scale, (width, height), n_bytes, limits.max_time)?;
    let mut canvas = Pixmap::new(width, height)
        .ok_or_else(|| DecodeError::corrupt("the drawing has no size"))?;
    canvas.fill(Color::WHITE);
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut canvas.as_mut(),
    );
    // The white background makes every pixel opaque.
    let rgb = canvas
        .data()
        .chunks_exact(4)
        .flat_map(|p| [p[0], p[1], p[2]]);
    RgbImage::from_raw(width, height, rgb.collect())
        .ok_or_else(|| DecodeError::corrupt("the drawing has no size"))
}

fn from_xml(error: roxmltree::Error) -> DecodeError {
    match error {
        roxmltree::Error::UnexpectedEndOfStream | roxmltree::Error::UnclosedRootNode => {
            DecodeError::Truncated
        }
        roxmltree::Error::NodesLimitReached => too_complex(),
        error => DecodeError::damaged(&error),
    }
}
