//! An image of the index.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{PathAnswer, each, paths};
use crate::engine::{Caption, Coordinates, Image};

/// The first of the paths of an image, which has at least one.
fn first_of(paths: &[PathBuf]) -> &Path {
    paths.first().map_or(Path::new(""), PathBuf::as_path)
}

answers! {
    /// An image, its files and its captions.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    pub struct ItemAnswer<'a> from (image, captions) in (&'a Image, &'a [Caption]) {
        id: u32 = image.id.0,
        #[serde(flatten)]
        file: PathAnswer<'a> = first_of(&image.paths).into(),
        other_paths: Vec<PathAnswer<'a>> = paths(image.paths.get(1..).unwrap_or_default()),
        width: u32 = image.width,
        height: u32 = image.height,
        camera: Option<&'a str> =
            image.details.as_ref().and_then(|details| details.camera.as_deref()),
        taken: Option<String> =
            image.details.as_ref().and_then(|details| Some(details.taken?.to_string())),
        places: &'a [String] =
            image.details.as_ref().map_or(&[], |details| &details.places),
        position: Option<PositionAnswer> =
            image.details.as_ref().and_then(|details| Some((&details.position?).into())),
        keywords: &'a [String] =
            image.details.as_ref().map_or(&[], |details| &details.keywords),
        tags: &'a [String] = &image.tags,
        captions: Vec<SourcedCaptionAnswer<'a>> = each(captions),
        #[serde(skip_serializing_if = "Option::is_none")]
        thumbhash: Option<String> = None,
    }

    /// Where a picture was taken.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct PositionAnswer from position in &Coordinates {
        latitude: f64 = position.latitude(),
        longitude: f64 = position.longitude(),
    }

    /// A caption and the file that it was read from.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct SourcedCaptionAnswer<'a> from caption in &'a Caption {
        text: &'a str = &caption.text,
        source: PathAnswer<'a> = caption.source.as_path().into(),
    }
}

impl ItemAnswer<'_> {
    /// The same with a blurred picture of it, a [ThumbHash](https://evanw.github.io/thumbhash/).
    #[must_use]
    pub fn with_thumbhash(self, hash: Option<&[u8]>) -> Self {
        Self {
            thumbhash: hash.map(|hash| STANDARD.encode(hash)),
            ..self
        }
    }
}
