//! Tags of pictures.

use super::{PathAnswer, SkippedAnswer, each};
use crate::engine::{
    Confidence, RepeatedLabel, Strength, Tag, TagReport, TagSidecar, TaggedPicture,
};

answers! {
    /// The answer of `tag`.
    pub struct TagAnswer<'a> from report in &'a TagReport {
        pictures: Vec<TaggedAnswer<'a>> = each(&report.pictures),
        skipped: Vec<SkippedAnswer<'a>> = each(&report.skipped),
        unwritten: Vec<SkippedAnswer<'a>> = each(&report.unwritten),
        saved: usize = report.n_saved,
        not_indexed: usize = report.n_not_indexed,
        postponed: &'a [String] = &report.postponed,
        unknown_labels: &'a [String] = &report.labels.unknown,
        repeated_labels: Vec<RepeatedLabelAnswer<'a>> = each(&report.labels.repeated),
        interrupted: bool = report.interrupted,
    }

    struct RepeatedLabelAnswer<'a> from label in &'a RepeatedLabel {
        label: &'a str = &label.name,
        line: usize = label.line,
    }

    struct TaggedAnswer<'a> from picture in &'a TaggedPicture {
        #[serde(flatten)]
        file: PathAnswer<'a> = picture.path.as_path().into(),
        tags: Vec<TagOfPictureAnswer<'a>> = each(&picture.tags),
        sidecar: Option<SidecarAnswer<'a>> = picture.sidecar.as_ref().map(Into::into),
    }

    struct TagOfPictureAnswer<'a> from tag in &'a Tag {
        tag: &'a str = &tag.name,
        set: Option<&'a str> = tag.set.as_deref(),
        confidence: f32 = Confidence::value(tag.confidence),
        strength: Strength = tag.confidence.strength(),
        similarity: f32 = tag.similarity,
    }

    struct SidecarAnswer<'a> from sidecar in &'a TagSidecar {
        #[serde(flatten)]
        file: PathAnswer<'a> = sidecar.path.as_path().into(),
        changed: bool = sidecar.is_changed,
    }
}
