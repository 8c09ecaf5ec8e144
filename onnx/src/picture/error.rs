//! Why did bytes not become a picture?

use std::time::Duration;

use image::ImageError;

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
    /// The content is a picture, in a format or variant that is not read.
    #[error("pictures of this kind are not supported: {format}")]
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
