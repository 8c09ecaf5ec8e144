//! Errors of decoding a picture.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use image::error::ImageFormatHint;
use image::{ImageError, ImageFormat};
use tiff::TiffError;

/// Maximum length of a cause in [`DecodeError::reason`], in characters.
const MAX_CAUSE_CHARS: usize = 160;

/// Why bytes could not be decoded to a picture. Messages do not name the file; the caller does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes.
    #[error("the file is empty")]
    Empty,
    /// The content is not in a known picture format.
    #[error("this is not a picture")]
    NotAPicture,
    /// The content is a picture in a format or variant that cannot be decoded.
    #[error("unsupported picture format: {format}")]
    Unsupported {
        /// The format or variant.
        format: String,
    },
    /// The picture has more pixels than allowed.
    #[error(
        "the picture is too large: {width} × {height} pixels, the limit is {max_pixels} in all"
    )]
    TooLarge {
        /// Width in pixels, from the header.
        width: u32,
        /// Height in pixels, from the header.
        height: u32,
        /// The limit in pixels.
        max_pixels: u64,
    },
    /// Decoding the picture would take more memory than allowed.
    #[error(
        "the picture is too large: {width} × {height} pixels take {n_bytes} bytes to decode, the \
         limit is {max_bytes}"
    )]
    TooManyBytes {
        /// Width in pixels, from the header.
        width: u32,
        /// Height in pixels, from the header.
        height: u32,
        /// Estimated memory for decoding in bytes.
        n_bytes: u64,
        /// The limit in bytes.
        max_bytes: u64,
    },
    /// The file itself is larger than allowed.
    #[error("the file is larger than {max_bytes} bytes")]
    FileTooLarge {
        /// The limit in bytes.
        max_bytes: u64,
    },
    /// Decoding the picture takes longer than allowed.
    #[error("decoding takes longer than the limit of {} s", max_time.as_secs_f64())]
    TooSlow {
        /// The limit.
        max_time: Duration,
    },
    /// The file ends before the picture is complete. Partial pictures are never returned.
    #[error("the file is truncated")]
    Truncated,
    /// Decoding the picture would take more than allowed, by a decoder that does not say how much.
    #[error("the picture is too large: decoding it exceeds the limits")]
    BeyondLimits,
    /// The content violates its format.
    #[error("the picture is corrupt")]
    Corrupt {
        /// What is wrong with it, where that can be said in plain words.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl DecodeError {
    /// The message with its causes on one line, for lists of files.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut reason = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            reason.push_str(": ");
            reason.push_str(&error.to_string());
            source = error.source();
        }
        reason
    }

    /// The content violates its format in this way.
    pub(super) fn corrupt(reason: &'static str) -> Self {
        Self::Corrupt {
            source: Some(reason.into()),
        }
    }

    /// The error of a library. Its text is kept if it is meant for people.
    pub(super) fn damaged(error: &dyn Error) -> Self {
        let text = error.to_string();
        let text = plain(&text).or_else(|| plain(&error.source()?.to_string()));
        Self::Corrupt {
            source: text.map(Into::into),
        }
    }

    pub(super) fn unsupported(format: impl Into<String>) -> Self {
        Self::Unsupported {
            format: format.into(),
        }
    }

    /// A variant of a format that a library refuses. Its text is kept if it is meant for people.
    pub(super) fn unsupported_variant(format: &str, text: &str) -> Self {
        Self::unsupported(match plain(text) {
            Some(text) => format!("{format}: {text}"),
            None => format!("{format} of a rare kind"),
        })
    }
}

/// A text of a library without control characters and repeated spaces; `None` when it is not meant
/// for people. Libraries print their own data structures and the content of files, which may be
/// anything.
fn plain(text: &str) -> Option<String> {
    let words = text.split_whitespace();
    let words: Vec<String> = words.map(|w| w.replace(char::is_control, "")).collect();
    let is_plain = |word: &String| {
        let letters: Vec<char> = word.chars().collect();
        let is_mixed = letters
            .windows(2)
            .any(|pair| pair[0].is_lowercase() && pair[1].is_uppercase());
        let is_allowed = |c: &char| c.is_ascii_alphanumeric() || ",.;:/%+-'".contains(*c);
        !is_mixed && !word.contains("::") && letters.iter().all(is_allowed)
    };
    if !words.iter().all(is_plain) {
        return None;
    }
    let text: String = words.join(" ").chars().take(MAX_CAUSE_CHARS).collect();
    let text = text.trim_end_matches(['.', ':', ',', ' ']);
    (!text.is_empty()).then(|| text.to_owned())
}

impl From<ImageError> for DecodeError {
    fn from(error: ImageError) -> Self {
        match error {
            error if is_early_end(&error) => Self::Truncated,
            ImageError::Limits(_) => Self::BeyondLimits,
            ImageError::Unsupported(error) => {
                let name = match error.format_hint() {
                    ImageFormatHint::Exact(format) => name(format),
                    _ => "picture",
                };
                Self::unsupported_variant(name, &error.to_string())
            }
            ImageError::Decoding(error) => match error.source() {
                Some(cause) => Self::damaged(cause),
                None => Self::damaged(&error),
            },
            error => Self::damaged(&error),
        }
    }
}

/// The usual name of a format.
fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Gif => "GIF",
        ImageFormat::WebP => "WebP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Pnm => "PNM",
        ImageFormat::Ico => "ICO",
        ImageFormat::Qoi => "QOI",
        ImageFormat::Tga => "TGA",
        ImageFormat::OpenExr => "OpenEXR",
        ImageFormat::Hdr => "Radiance HDR",
        _ => "picture",
    }
}

impl From<TiffError> for DecodeError {
    fn from(error: TiffError) -> Self {
        match error {
            TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Self::Truncated
            }
            TiffError::LimitsExceeded => Self::BeyondLimits,
            TiffError::UnsupportedError(error) => {
                Self::unsupported_variant("TIFF", &error.to_string())
            }
            error => Self::damaged(&error),
        }
    }
}

impl From<heic_rs::Error> for DecodeError {
    fn from(error: heic_rs::Error) -> Self {
        match error {
            heic_rs::Error::Truncated(_) => Self::Truncated,
            heic_rs::Error::PixelLimit { .. } => Self::BeyondLimits,
            heic_rs::Error::Unsupported(what) => Self::unsupported_variant("HEIF", what),
            error => Self::damaged(&error),
        }
    }
}

/// Whether the error comes from running out of bytes.
fn is_early_end(error: &ImageError) -> bool {
    let is_eof = |error: &std::io::Error| error.kind() == ErrorKind::UnexpectedEof;
    // The source of `ImageError::IoError` is the source of its I/O error, not that error itself.
    if matches!(error, ImageError::IoError(error) if is_eof(error)) {
        return true;
    }
    let mut source = error.source();
    while let Some(error) = source {
        if error.downcast_ref().is_some_and(is_eof) {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Foreign(String);

    #[test]
    fn a_reason_is_one_line_in_plain_words() {
        let long = "x".repeat(500);
        let rows = [
            ("a chunk\nof\tkind 7.", Some("a chunk of kind 7")),
            (
                "CRC error: expected 0x1 have 0x2",
                Some("CRC error: expected 0x1 have 0x2"),
            ),
            (
                "while decoding ChunkType { type: IDAT, critical: true } chunk",
                None,
            ),
            ("Corrupt deflate stream. BadLiteralLengthHuffmanTree", None),
            ("Format(\"what a file contains\")", None),
            ("\"what a file contains\"", None),
            ("tiff::decoder failed", None),
            ("\u{1b}[31m red", None),
            ("\u{202e}detrever", None),
            ("", None),
            (&long, Some(&long[..MAX_CAUSE_CHARS])),
        ];
        assert_eq!(rows.len(), 11);
        for (text, expected) in rows {
            let reason = DecodeError::damaged(&Foreign(text.to_owned())).reason();
            let expected = match expected {
                Some(cause) => format!("the picture is corrupt: {cause}"),
                None => "the picture is corrupt".to_owned(),
            };
            assert_eq!(reason, expected, "{text:?}");
        }
        assert_eq!(DecodeError::Empty.reason(), "the file is empty");
        let own = DecodeError::corrupt("its data are interrupted").reason();
        assert_eq!(own, "the picture is corrupt: its data are interrupted");
        let kinds = [
            (
                "samples of 3 bits",
                "unsupported picture format: TIFF: samples of 3 bits",
            ),
            (
                "color type RGB(8)",
                "unsupported picture format: TIFF of a rare kind",
            ),
        ];
        for (text, expected) in kinds {
            assert_eq!(
                DecodeError::unsupported_variant("TIFF", text).reason(),
                expected
            );
        }
    }
}
