//! Options of `sightline tag`.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};

use super::{DecodeArgs, confidence};
use crate::engine::{MIN_TAG_CONFIDENCE, TagRequest, TextLanguage};

/// What is tagged and where the tags go.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline tag photo.jpg                           dog 0.93, beach 0.71, outdoors 0.88
  sightline tag - < photo.jpg
  sightline tag ~/Pictures --csv > tags.csv
  sightline tag ~/Pictures --save                   store the tags in the index
  sightline tag ~/Pictures --write-xmp              write them into XMP sidecars
  sightline tag ~/Pictures --labels mine.txt --min-confidence 0.7

Without --labels, tags come from a built-in list of things, scenes and activities. A file of labels
has one label per line; lines that begin with # are left out, as are labels that the model does not
know. Of the labels written as `place: indoors` and `place: outdoors` a picture gets at most one.
Pictures that are in the index are not decoded again.

--write-xmp adds the tags to the keywords (dc:subject) of photo.jpg.xmp or photo.xmp, and creates
the former where there is neither, or where another picture shares the name photo. Everything else
in a sidecar stays as it is, and the picture itself is never changed. When the folder is indexed
again, they count as keywords. Exit status: 1 no picture got a tag, 2 a picture named here could not
be read, or a sidecar not be written.")]
#[command(group = ArgGroup::new("form").args(["json", "csv"]))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that can be given or not"
)]
pub(in crate::cli) struct TagArgs {
    /// Pictures, and folders with everything below them; - reads a picture from stdin
    #[arg(value_name = "IMAGE|FOLDER", required = true)]
    paths: Vec<PathBuf>,
    /// Tag with the labels of this file, one per line, instead of the built-in tags
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Leave out tags of lower confidence, 0 to 1
    #[arg(long, value_name = "C", value_parser = confidence, default_value_t = MIN_TAG_CONFIDENCE)]
    min_confidence: f32,
    /// Language of the labels of --labels; without it, zh shows the built-in tags in Chinese
    /// [default: that of the index]
    #[arg(long, value_name = "CODE")]
    language: Option<TextLanguage>,
    /// Add the tags to the XMP sidecars of the pictures
    #[arg(long)]
    write_xmp: bool,
    /// Store the tags in the index, in place of those stored before
    #[arg(long)]
    save: bool,
    #[command(flatten)]
    pub(in crate::cli) decode: DecodeArgs,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Print CSV with a header, one row per tag
    #[arg(long)]
    pub(in crate::cli) csv: bool,
}

impl TagArgs {
    /// The language that was asked for, if the built-in tags are not in it.
    pub(in crate::cli) fn language_without_tags(&self) -> Option<TextLanguage> {
        let is_built_in = |language: &TextLanguage| matches!(language.code(), "en" | "zh");
        let asked = self.language.filter(|_| self.labels.is_none());
        asked.filter(|language| !is_built_in(language))
    }

    /// Whether a file was named itself, as opposed to its folder.
    pub(in crate::cli) fn names(&self, file: &Path) -> bool {
        let whole = |path: &Path| std::path::absolute(path).ok();
        let file = whole(file);
        file.is_some() && self.paths.iter().any(|path| whole(path) == file)
    }

    /// The pictures and folders that were named, `-` among them.
    pub(in crate::cli) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// What is asked for, but for the picture of stdin.
    pub(in crate::cli) fn request(&self) -> TagRequest {
        let files = self.paths.iter().filter(|path| *path != Path::new("-"));
        TagRequest {
            labels: self.labels.clone(),
            min_confidence: self.min_confidence,
            language: self.language,
            write_xmp: self.write_xmp,
            save: self.save,
            ..TagRequest::new(files)
        }
    }
}
