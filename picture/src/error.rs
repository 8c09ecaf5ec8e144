//! Errors of decoding a picture.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use image::ImageError;
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
    /// The content violates its format.
    #[error("the picture is corrupt")]
    Corrupt {
        /// The decoder's error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl DecodeError {
    /// The message with its causes on one line, for lists of files.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut reason = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            // Decoders quote the file's content, which may be anything.
            let cause: String = error
                .to_string()
                .split_whitespace()
                .map(|word| word.replace(char::is_control, ""))
                .collect::<Vec<_>>()
                .join(" ")
                .chars()
                .take(MAX_CAUSE_CHARS)
                .collect();
            // Many libraries repeat the cause in their own message.
            let start: String = cause.chars().take(20).collect();
            if !cause.is_empty() && !reason.contains(&start) {
                reason.push_str(": ");
                reason.push_str(&cause);
            }
            source = error.source();
        }
        reason
    }

    pub(super) fn corrupt(source: impl Into<Box<dyn Error + Send + Sync + 'static>>) -> Self {
        Self::Corrupt {
            source: source.into(),
        }
    }

    pub(super) fn unsupported(format: impl Into<String>) -> Self {
        Self::Unsupported {
            format: format.into(),
        }
    }
}

impl From<ImageError> for DecodeError {
    fn from(error: ImageError) -> Self {
        match error {
            error if is_early_end(&error) => Self::Truncated,
            ImageError::Unsupported(error) => Self::unsupported(error.to_string()),
            error => Self::corrupt(error),
        }
    }
}

impl From<TiffError> for DecodeError {
    fn from(error: TiffError) -> Self {
        match error {
            TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Self::Truncated
            }
            TiffError::UnsupportedError(error) => Self::unsupported(format!("TIFF: {error}")),
            error => Self::corrupt(error),
        }
    }
}

impl From<heic_rs::Error> for DecodeError {
    fn from(error: heic_rs::Error) -> Self {
        match error {
            heic_rs::Error::Truncated(_) => Self::Truncated,
            heic_rs::Error::Unsupported(what) => Self::unsupported(format!("HEIF: {what}")),
            error => Self::corrupt(error),
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

    #[test]
    fn a_reason_is_one_line_with_its_causes() {
        let cause = format!("a chunk\nof\tkind \u{1b}[31m {}", "x".repeat(500));
        let reason = DecodeError::corrupt(cause).reason();
        let expected = format!(
            "the picture is corrupt: a chunk of kind [31m {}",
            "x".repeat(MAX_CAUSE_CHARS - 21)
        );
        assert_eq!(reason, expected);
        assert_eq!(DecodeError::Empty.reason(), "the file is empty");
        let io = std::io::Error::other(DecodeError::corrupt("the cause"));
        let reason = DecodeError::corrupt(io).reason();
        assert_eq!(reason, "the picture is corrupt: the cause");
    }
}
