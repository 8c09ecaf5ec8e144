//! Why did bytes not become a picture?

use std::time::Duration;

use image::ImageError;

/// Letters of a cause that are told.
const MAX_TOLD: usize = 160;

/// Why bytes did not become a picture. The caller knows the file's name and says it first.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes.
    #[error("the file is empty")]
    Empty,
    /// The content is no picture format that is known.
    #[error("this is not a picture")]
    NotAPicture,
    /// The content is a picture, in a format or variant that is not read. Another program can
    /// make one of it that is, so that is said too.
    #[error(
        "pictures of this kind are not supported: {format}; convert it, for example to JPEG or PNG"
    )]
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
        /// The limit.
        max_pixels: u64,
    },
    /// Decoding the picture takes more memory than allowed.
    #[error(
        "the picture is too large: {width} × {height} pixels take {n_bytes} bytes to decode, the \
         limit is {max_bytes}"
    )]
    TooManyBytes {
        /// Width in pixels, from the header.
        width: u32,
        /// Height in pixels, from the header.
        height: u32,
        /// What decoding takes.
        n_bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// The file itself has more bytes than a picture may take.
    #[error("the file is larger than {max_bytes} bytes")]
    FileTooLarge {
        /// The limit.
        max_bytes: u64,
    },
    /// Decoding the picture takes longer than allowed.
    #[error("decoding takes longer than the limit of {} s", max_time.as_secs_f64())]
    TooSlow {
        /// The limit.
        max_time: Duration,
    },
    /// The file ends before the picture does. Half a picture is not shown for a whole one.
    #[error("the file ends before the picture does")]
    Truncated,
    /// The content contradicts its format.
    #[error("the picture is broken")]
    Broken {
        /// What the decoder said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl DecodeError {
    /// The message with its causes, on one line, for lists of files.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut reason = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let told = error.to_string();
            // Decoders quote what they found, which may be anything.
            let told: String = told
                .split_whitespace()
                .map(|word| word.replace(char::is_control, ""))
                .collect::<Vec<_>>()
                .join(" ");
            let told: String = told.chars().take(MAX_TOLD).collect();
            // Libraries often say the cause in their own message too.
            let start: String = told.chars().take(20).collect();
            if !told.is_empty() && !reason.contains(&start) {
                reason.push_str(": ");
                reason.push_str(&told);
            }
            cause = error.source();
        }
        reason
    }

    /// A broken picture, in the words of a decoder.
    pub(super) fn broken(
        source: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
    ) -> Self {
        Self::Broken {
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
            error => Self::broken(error),
        }
    }
}

/// Whether the cause is that the bytes ran out.
fn is_early_end(error: &ImageError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::UnexpectedEof
        {
            return true;
        }
        cause = error.source();
    }
    // `ImageError::IoError` shows its error's source, not the error itself.
    matches!(error, ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_with_its_causes() {
        let cause = format!("a chunk\nof\tkind \u{1b}[31m {}", "x".repeat(500));
        let reason = DecodeError::broken(cause).reason();
        let expected = format!(
            "the picture is broken: a chunk of kind [31m {}",
            "x".repeat(MAX_TOLD - 21)
        );
        assert_eq!(reason, expected);
        assert_eq!(DecodeError::Empty.reason(), "the file is empty");
        let io = std::io::Error::other(DecodeError::broken("the cause"));
        let reason = DecodeError::broken(io).reason();
        assert_eq!(reason, "the picture is broken: the cause");
    }
}
