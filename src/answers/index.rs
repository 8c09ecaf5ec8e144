//! What an index holds and what was done to it.

use std::path::{Path, PathBuf};

use serde::Serialize;
use sightline_index::{
    Compacted, DamagedData, GraphState, ItemKind, LastRun, Library, Problem, Repair, Sizes,
};
use sightline_picture::{DecodeLimits, Format};

use super::{PathAnswer, SkippedAnswer, each, paths};
use crate::engine::exchange::{ExportReport, ImportReport};
use crate::engine::{
    IndexReport, KindStatus, ModelChange, RemoveReport, Status, TextLanguage, UnfinishedChange,
};

answers! {
    /// The answer of `index`.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    pub struct IndexAnswer<'a> from report in &'a IndexReport {
        seen: usize = report.n_seen,
        added: usize = report.n_added,
        changed: usize = report.n_changed + report.n_changed_to_known,
        unchanged: usize = report.n_unchanged,
        reread: usize = report.n_reread,
        moved: usize = report.n_moved,
        copies: usize = report.n_copies,
        removed: usize = report.n_removed,
        captions_added: usize = report.n_captions_added,
        captions_removed: usize = report.n_captions_removed,
        captions_cut: usize = report.cut_captions.len(),
        captions_skipped: usize = report.n_captions_skipped,
        skipped: Vec<SkippedAnswer<'a>> = each(&report.skipped),
        unused_texts: Vec<PathAnswer<'a>> = paths(&report.unused_texts),
        held_back: Vec<HeldBackAnswer<'a>> = each(&report.held_back),
        model_change: Option<ModelChangeAnswer<'a>> = report.model_change.as_ref().map(Into::into),
        postponed: &'a [String] = &report.postponed,
        tagged: Option<usize> = report.n_tagged,
        interrupted: bool = report.interrupted,
        seconds: f64 = report.elapsed.as_secs_f64(),
        images_per_second: f64 = report.rate(),
        batch_size: Option<usize> = report.encoding.batch_size,
        starved: f64 = report.encoding.starved(),
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct HeldBackAnswer<'a> from (folder, n_files) in &'a (PathBuf, usize) {
        #[serde(flatten)]
        folder: PathAnswer<'a> = folder.as_path().into(),
        files: usize = *n_files,
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct ModelChangeAnswer<'a> from change in &'a ModelChange {
        from: &'a str = &change.from,
        to: &'a str = &change.to,
        done_before: u64 = change.n_before,
        discarded: Option<&'a str> = change.discarded.as_deref(),
        done: bool = change.is_done,
    }

    /// The answer of `status`.
    /// `texts`: the languages of each text tower of its model.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    pub struct StatusAnswer<'a> from (status, texts) in (&'a Status, &[Vec<TextLanguage>]) {
        index: PathAnswer<'a> = status.folder.as_path().into(),
        model: ModelAnswer<'a> = ModelAnswer {
            name: &status.model,
            fingerprint: &status.fingerprint,
            dimension: status.dimension,
        },
        text_towers: Vec<TextTowerAnswer> = texts.iter().map(Into::into).collect(),
        language: &'static str = status.language.code(),
        generation: u64 = status.generation,
        images: u64 = status.n_images,
        files: u64 = status.n_files,
        captions: u64 = status.n_captions,
        captions_with_image: u64 = status.n_captions.saturating_sub(status.n_captions_alone),
        captions_alone: u64 = status.n_captions_alone,
        graphs: GraphsAnswer<'a> = status.into(),
        bytes_on_disk: u64 = status.n_bytes_on_disk,
        sizes: SizesAnswer = status.sizes.into(),
        damaged: Vec<DamagedAnswer<'a>> = each(&status.damaged),
        libraries: Vec<LibraryAnswer<'a>> = each(&status.libraries),
        last_run: Option<LastRunAnswer> = status.last_run.map(Into::into),
        unfinished_change: Option<UnfinishedAnswer<'a>> = {
            status.unfinished.as_ref().map(Into::into)
        },
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct TextTowerAnswer from languages in &Vec<TextLanguage> {
        languages: Vec<&'static str> = languages.iter().map(|language| language.code()).collect(),
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct GraphsAnswer<'a> from status in &'a Status {
        image: GraphAnswer<'a> = (&status.images).into(),
        caption: GraphAnswer<'a> = (&status.captions).into(),
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct SizesAnswer from sizes in Sizes {
        records: u64 = sizes.n_bytes_of_records,
        graphs: u64 = sizes.n_bytes_of_graphs,
        words: u64 = sizes.n_bytes_of_words,
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct DamagedAnswer<'a> from damaged in &'a DamagedData {
        #[serde(flatten)]
        folder: PathAnswer<'a> = damaged.folder.as_path().into(),
        bytes: u64 = damaged.n_bytes,
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct LibraryAnswer<'a> from library in &'a Library {
        #[serde(flatten)]
        folder: PathAnswer<'a> = library.folder.as_path().into(),
        files: u64 = library.n_files,
        last_run_unix_s: u64 = library.last_run_unix_s,
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct LastRunAnswer from run in LastRun {
        ended_unix_s: u64 = run.ended_unix_s,
        seen: u64 = run.n_seen,
        added: u64 = run.n_added,
        changed: u64 = run.n_changed,
        removed: u64 = run.n_removed,
        skipped: u64 = run.n_skipped,
        interrupted: bool = run.interrupted,
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct UnfinishedAnswer<'a> from change in &'a UnfinishedChange {
        model: ModelAnswer<'a> = ModelAnswer {
            name: &change.model,
            fingerprint: &change.fingerprint,
            dimension: change.dimension,
        },
        images: u64 = change.n_images,
        folder: PathAnswer<'a> = change.folder.as_path().into(),
    }

    /// The answer of `status --formats`.
    pub struct FormatsAnswer from (formats, limits) in (&[Format], &DecodeLimits) {
        formats: Vec<FormatAnswer> = each(formats),
        limits: LimitsAnswer = limits.into(),
    }

    struct FormatAnswer from format in &Format {
        name: &'static str = format.name,
        extensions: &'static [&'static str] = format.extensions,
        read: bool = format.supported,
        note: &'static str = format.note,
    }

    struct LimitsAnswer from limits in &DecodeLimits {
        pixels: u64 = limits.max_pixels,
        bytes: u64 = limits.max_bytes,
        seconds: f64 = limits.max_time.as_secs_f64(),
    }

    /// The answer of `remove`.
    pub struct RemoveAnswer<'a> from report in &'a RemoveReport {
        files: u64 = report.n_files,
        images: u64 = report.n_images,
        captions: u64 = report.n_captions,
        libraries: Vec<PathAnswer<'a>> = paths(&report.libraries),
        unknown: Vec<PathAnswer<'a>> = paths(&report.unknown),
    }

    struct RepairAnswer<'a> from repair in &'a Repair {
        left: Vec<ProblemAnswer<'a>> = each(&repair.left),
        lost: LostAnswer<'a> = repair.into(),
        files_to_read: u64 = repair.n_files_to_read,
        kept: Option<PathAnswer<'a>> = repair.kept.as_deref().map(Into::into),
    }

    struct LostAnswer<'a> from repair in &'a Repair {
        images: u64 = repair.n_lost_images,
        captions: u64 = repair.n_lost_captions,
        libraries: u64 = repair.n_lost_libraries,
        commits: u64 = repair.n_lost_commits,
        files: Vec<PathAnswer<'a>> = paths(&repair.lost_files),
        caption_files: Vec<PathAnswer<'a>> = paths(&repair.lost_caption_sources),
    }

    /// The answer of `compact`.
    pub struct CompactAnswer from compacted in &Compacted {
        bytes_before: u64 = compacted.n_bytes_before,
        bytes_after: u64 = compacted.n_bytes_after,
    }

    /// The answer of `export`.
    pub struct ExportAnswer<'a> from (folder, report) in (&'a Path, &ExportReport) {
        folder: PathAnswer<'a> = folder.into(),
        images: u64 = report.n_images,
        captions: u64 = report.n_captions,
    }

    /// The answer of `import`.
    pub struct ImportAnswer from report in &ImportReport {
        images: u64 = report.n_images,
        known: u64 = report.n_known,
        files: u64 = report.n_files,
        captions: u64 = report.n_captions,
    }
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
struct GraphAnswer<'a> {
    state: &'static str,
    reason: Option<&'a str>,
    segments: u64,
    in_graph: u64,
    fresh: u64,
    tombstones: u64,
    loose: u64,
}

impl<'a> From<&'a KindStatus> for GraphAnswer<'a> {
    fn from(kind: &'a KindStatus) -> Self {
        let (in_graph, fresh) = kind.in_graph_and_fresh();
        let (state, reason) = match &kind.graph {
            GraphState::Ready { .. } => ("ready", None),
            GraphState::Unusable { reason } => ("unusable", Some(reason.as_str())),
            _ => ("absent", None),
        };
        Self {
            state,
            reason,
            segments: kind.n_graphs,
            in_graph,
            fresh,
            tombstones: kind.n_tombstones,
            loose: kind.n_loose,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
struct ModelAnswer<'a> {
    name: &'a str,
    fingerprint: &'a str,
    dimension: usize,
}

/// The answer of `check`.
#[derive(Debug, Clone, Serialize)]
pub struct CheckAnswer<'a> {
    sound: bool,
    problems: Vec<ProblemAnswer<'a>>,
    repair: Option<RepairAnswer<'a>>,
    damaged: Vec<DamagedAnswer<'a>>,
    discarded: Vec<DamagedAnswer<'a>>,
}

impl<'a> CheckAnswer<'a> {
    /// The answer to a check, with the damaged data that are kept and that were discarded.
    #[must_use]
    pub fn new(
        found: &'a [Problem],
        damaged: &'a [DamagedData],
        discarded: &'a [DamagedData],
    ) -> Self {
        Self {
            sound: found.is_empty(),
            problems: each(found),
            repair: None,
            damaged: each(damaged),
            discarded: each(discarded),
        }
    }

    /// The answer to a repair.
    #[must_use]
    pub fn repaired(repair: &'a Repair, damaged: &'a [DamagedData]) -> Self {
        Self {
            sound: repair.left.is_empty(),
            repair: Some(repair.into()),
            ..Self::new(&repair.found, damaged, &[])
        }
    }
}

#[derive(Debug, Clone, Serialize)]
struct ProblemAnswer<'a> {
    about: &'static str,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<u32>,
    #[serde(flatten)]
    file: Option<PathAnswer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
}

impl<'a> From<&'a Problem> for ProblemAnswer<'a> {
    fn from(problem: &'a Problem) -> Self {
        let of = |about, what: &str| Self {
            about,
            what: what.to_owned(),
            item: None,
            file: None,
            kind: None,
        };
        match problem {
            Problem::Item { id, what } => Self {
                item: Some(id.0),
                ..of("item", what)
            },
            Problem::File { path, what } => Self {
                file: Some(path.as_path().into()),
                ..of("file", what)
            },
            Problem::Graph { kind, what } => Self {
                kind: Some(match kind {
                    ItemKind::Image => "image",
                    ItemKind::Caption => "caption",
                }),
                ..of("graph", what)
            },
            Problem::Words { what } => of("words", what),
            Problem::Hubs { what } => of("hubs", what),
            Problem::Records { what } => of("records", what),
            Problem::Manifest { what } => of("manifest", what),
            Problem::Counts { .. } => of("counts", &problem.to_string()),
            Problem::Generations { what } => of("generations", what),
            problem => of("index", &problem.to_string()),
        }
    }
}
