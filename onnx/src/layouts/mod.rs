//! Layouts of model folders.
//!
//! The files of each layout are read into a [`Manifest`]; `complete` adds what the graphs
//! themselves say and reports what is still missing.

mod complete;
mod files;
mod license;
mod manifest;
mod open_clip;
mod processor;
mod transformers;
mod variants;

use std::path::Path;

use crate::description::Description;
use crate::error::ModelError;
use crate::precision::Precision;
use manifest::Manifest;

pub(crate) use complete::describe_built_in;

/// Describes the model in a folder, with the graphs of one precision.
pub(crate) fn describe(
    folder: &Path,
    precision: Option<Precision>,
) -> Result<Description, ModelError> {
    complete::describe_in(folder, find(folder)?, precision)
}

/// The precisions for which both towers of the model in a folder have graphs, the most exact first.
pub(crate) fn variants(folder: &Path) -> Result<Vec<Precision>, ModelError> {
    let manifest = find(folder)?;
    let plain = manifest.precision.unwrap_or(Precision::Fp32);
    let file = |name: Option<String>| folder.join(name.unwrap_or_default());
    let (image, text) = (file(manifest.image.file), file(manifest.text.file));
    Ok(variants::in_common(&image, &text, plain))
}

/// Reads the files that describe the model in a folder, not its graphs.
pub(crate) fn check_description(folder: &Path) -> Result<(), ModelError> {
    find(folder).map(drop)
}

/// Reads the files that describe the model in a folder.
fn find(folder: &Path) -> Result<Manifest, ModelError> {
    if !folder.is_dir() {
        return Err(ModelError::NoFolder {
            folder: folder.to_path_buf(),
        });
    }
    let own = manifest::read(folder)?;
    let base = if own.as_ref().is_some_and(Manifest::is_whole) {
        None
    } else if open_clip::is_immich(folder) {
        Some(open_clip::read_immich(folder)?)
    } else if transformers::is_one(folder) {
        Some(transformers::read(folder)?)
    } else if folder.join(open_clip::CONFIG).is_file() {
        Some(open_clip::read(folder)?)
    } else {
        None
    };
    let mut found = match (own, base) {
        (Some(own), Some(base)) => own.over(base),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => {
            return Err(ModelError::NotAModel {
                folder: folder.to_path_buf(),
            });
        }
    };
    found.license = found.license.or_else(|| license::stated(folder));
    Ok(found)
}
