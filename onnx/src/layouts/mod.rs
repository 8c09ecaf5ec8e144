//! Layouts of model folders.
//!
//! The files of each layout are read into a [`Manifest`]; `complete` adds what the graphs
//! themselves say and reports what is still missing.

mod complete;
mod files;
mod gaps;
mod keys;
mod languages;
mod license;
mod manifest;
mod open_clip;
mod outline;
mod processor;
mod sentence;
mod tokenizer;
mod transformers;
mod variants;

use std::path::{Path, PathBuf};

use crate::description::Description;
use crate::error::ModelError;
use crate::file::mapped::stays_inside;
use crate::precision::Precision;
use files::Tower;
use manifest::{ImageKeys, Manifest, TextKeys};

pub(crate) use complete::describe_built_in;

/// Describes the model in a folder, with the graphs of one precision.
pub(crate) fn describe(
    folder: &Path,
    precision: Option<Precision>,
) -> Result<Description, ModelError> {
    complete::describe_in(folder, find(folder)?, precision)
}

/// Describes the model whose towers lie in two folders, with the graphs of one precision.
pub(crate) fn describe_towers(
    image: &Path,
    text: &Path,
    precision: Option<Precision>,
) -> Result<Description, ModelError> {
    let (folder, manifest) = find_towers(image, text)?;
    let description = complete::describe_in(&folder, manifest, precision);
    description.map_err(|error| in_tower(error, image, text))
}

/// What no file says belongs into the manifest of the tower's own folder: the folder that holds
/// both has none.
fn in_tower(error: ModelError, image: &Path, text: &Path) -> ModelError {
    let ModelError::Unknown { keys, why, .. } = error else {
        return error;
    };
    let is_of_image = |key: &&String| !key.starts_with("text.");
    let of_image: Vec<String> = keys.iter().filter(is_of_image).cloned().collect();
    let (folder, keys) = if of_image.is_empty() {
        (text, keys)
    } else {
        (image, of_image)
    };
    ModelError::Unknown {
        folder: folder.to_path_buf(),
        keys,
        why,
    }
}

/// The precisions for which both towers of the model in a folder have graphs, the most exact first.
pub(crate) fn variants(folder: &Path) -> Result<Vec<Precision>, ModelError> {
    Ok(variants_of(folder, find(folder)?))
}

/// As [`variants`], of the model whose towers lie in two folders.
pub(crate) fn variants_of_towers(image: &Path, text: &Path) -> Result<Vec<Precision>, ModelError> {
    let (folder, manifest) = find_towers(image, text)?;
    Ok(variants_of(&folder, manifest))
}

fn variants_of(folder: &Path, manifest: Manifest) -> Vec<Precision> {
    let plain = manifest.precision.unwrap_or(Precision::Fp32);
    let file = |name: Option<String>| folder.join(name.unwrap_or_default());
    let (image, text) = (file(manifest.image.file), file(manifest.text.file));
    variants::in_common(&image, &text, plain)
}

/// Reads the files that describe a model's towers in two folders. Returns the folder that holds
/// both, to which the paths are relative.
fn find_towers(image: &Path, text: &Path) -> Result<(PathBuf, Manifest), ModelError> {
    let places = [image, text].map(|folder| {
        check_folder(folder)?;
        folder
            .canonicalize()
            .map_err(ModelError::unreadable(folder))
    });
    let [image, text] = places;
    let (image, text) = (image?, text?);
    let above = image.ancestors().find(|above| text.starts_with(above));
    let above = above.unwrap_or(Path::new(""));
    let inside = |folder: &Path| {
        let inside = folder.strip_prefix(above).ok();
        // A tower in the folder that holds both.
        let inside = inside.filter(|inside| !inside.as_os_str().is_empty());
        inside.map_or_else(
            || Some(".".to_owned()),
            |inside| inside.to_str().map(str::to_owned),
        )
    };
    let own = Manifest {
        name: Some(files::name_of(&image)),
        image: ImageKeys {
            folder: inside(&image),
            ..ImageKeys::default()
        },
        text: TextKeys {
            folder: inside(&text),
            ..TextKeys::default()
        },
        layout: manifest::FILE_NAME,
        ..Manifest::default()
    };
    Ok((
        above.to_path_buf(),
        with_others(above, towers(above, own)?)?,
    ))
}

/// Reads the files that describe the model in a folder, not its graphs.
pub(crate) fn check_description(folder: &Path) -> Result<(), ModelError> {
    find(folder).map(drop)
}

/// Reads the files that describe the model in a folder.
fn find(folder: &Path) -> Result<Manifest, ModelError> {
    check_folder(folder)?;
    let own = manifest::read(folder)?;
    let mut found = match own {
        Some(own) if own.image.folder.is_some() || own.text.folder.is_some() => {
            towers(folder, own)?
        }
        Some(own) if own.is_whole() => own,
        own => {
            let ignored = own.as_ref().map_or(&[][..], |own| &own.ignore);
            match (base(folder, ignored)?, own) {
                (Some(base), Some(own)) => own.over(base),
                (Some(base), None) => base,
                (None, Some(own)) => own,
                (None, None) => {
                    return Err(ModelError::NotAModel {
                        folder: folder.to_path_buf(),
                    });
                }
            }
        }
    };
    found.license = found.license.or_else(|| license::stated(folder));
    with_others(folder, found)
}

/// Reads the folders of the text towers besides the first, and checks the languages of all.
fn with_others(folder: &Path, mut manifest: Manifest) -> Result<Manifest, ModelError> {
    let file = folder.join(manifest::FILE_NAME);
    let ignored = manifest.ignore.clone();
    for text in &mut manifest.others {
        let Some(name) = text.folder.clone() else {
            continue;
        };
        let found = tower(folder, Tower::Text, ("text.other.folder", &name), &ignored)?;
        if !found.others.is_empty() {
            let reason = "a folder with several text towers cannot be one of them";
            return Err(ModelError::invalid(
                &file,
                "text.other.folder",
                name,
                reason,
            ));
        }
        *text = std::mem::take(text).over(found.text);
        text.hints.dimension = found.dimension;
        if text.hints.file.as_os_str().is_empty() {
            text.hints.file.clone_from(&file);
        }
    }
    languages::check(folder, &file, &mut manifest)?;
    Ok(manifest)
}

fn check_folder(folder: &Path) -> Result<(), ModelError> {
    if folder.is_dir() {
        return Ok(());
    }
    Err(ModelError::NoFolder {
        folder: folder.to_path_buf(),
    })
}

/// What a folder's layout says about the whole model.
fn base(folder: &Path, ignored: &[String]) -> Result<Option<Manifest>, ModelError> {
    if open_clip::is_immich(folder) {
        open_clip::read_immich(folder, ignored).map(Some)
    } else if transformers::is_one(folder) {
        transformers::read(folder, ignored).map(Some)
    } else if folder.join(open_clip::CONFIG).is_file() {
        open_clip::read(folder, ignored).map(Some)
    } else {
        Ok(None)
    }
}

/// Joins towers that lie in folders of their own, each read by its own layout.
fn towers(folder: &Path, own: Manifest) -> Result<Manifest, ModelError> {
    let file = folder.join(manifest::FILE_NAME);
    let of = |kind, key, name: &Option<String>| match name {
        Some(name) => tower(folder, kind, (key, name), &own.ignore),
        None => Ok(base(folder, &own.ignore)?.unwrap_or_default()),
    };
    let of_image = of(Tower::Image, "image.folder", &own.image.folder)?;
    let of_text = of(Tower::Text, "text.folder", &own.text.folder)?;
    // What is said in one folder must hold for the other.
    let dimension = match (of_text.dimension, of_image.dimension) {
        // A tower without a projection of its own says nothing about the space.
        (text, image) if text == image => text,
        (text, None) => text,
        (None, image) => image,
        _ => None,
    };
    let base = Manifest {
        dimension,
        license: of_image.license.or(of_text.license),
        image: of_image.image,
        text: of_text.text,
        others: of_text.others,
        layout: manifest::FILE_NAME,
        ..Manifest::default()
    };
    let mut joined = own.over(base);
    for hints in [&mut joined.image.hints, &mut joined.text.hints] {
        if hints.file.as_os_str().is_empty() {
            hints.file.clone_from(&file);
        }
    }
    Ok(joined)
}

/// What the layout of a tower's folder says about it. `key` gives the folder's name.
fn tower(
    folder: &Path,
    tower: Tower,
    (key, name): (&str, &str),
    ignored: &[String],
) -> Result<Manifest, ModelError> {
    if !stays_inside(name) {
        let reason = "a model's files must be inside its folder";
        let file = folder.join(manifest::FILE_NAME);
        return Err(ModelError::invalid(&file, key, name, reason));
    }
    let place = folder.join(name);
    check_folder(&place)?;
    let own = manifest::read(&place)?;
    let of_own = own.as_ref().map_or(&[][..], |own| &own.ignore);
    let ignored = [ignored, of_own].concat();
    let found = match tower {
        _ if open_clip::is_immich(&place) || place.join(open_clip::CONFIG).is_file() => {
            base(&place, &ignored)?
        }
        Tower::Image if transformers::is_one(&place) => {
            Some(transformers::read_image(&place, &ignored)?)
        }
        Tower::Text if transformers::is_text(&place) => {
            Some(transformers::read_text(&place, &ignored)?)
        }
        _ => None,
    };
    let mut found = match (own, found) {
        (Some(own), Some(found)) => own.over(found),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return Err(ModelError::NotAModel { folder: place }),
    };
    let inside = |file: &mut Option<String>| {
        if let Some(file) = file {
            *file = format!("{}/{file}", name.trim_end_matches('/'));
        }
    };
    inside(&mut found.image.file);
    for text in found.texts_mut() {
        inside(&mut text.file);
        inside(&mut text.tokenizer);
    }
    for text in &mut found.others {
        inside(&mut text.folder);
    }
    Ok(found)
}
