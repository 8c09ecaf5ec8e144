//! What an index holds and what was done to it.

use std::path::Path;

use serde::Serialize;
use sightline_index::{Compacted, GraphState, ItemKind, LastRun, Library, Problem, Repair};
use sightline_picture::{DecodeLimits, Format};

use super::{PathAnswer, SkippedAnswer, paths, skipped};
use crate::engine::exchange::{ExportReport, ImportReport};
use crate::engine::{IndexReport, KindStatus, ModelChange, RemoveReport, Status, UnfinishedChange};

/// The answer of `index`.
#[derive(Debug, Clone, Serialize)]
pub struct IndexAnswer<'a> {
    seen: usize,
    added: usize,
    changed: usize,
    unchanged: usize,
    moved: usize,
    copies: usize,
    removed: usize,
    captions_added: usize,
    captions_removed: usize,
    captions_cut: usize,
    skipped: Vec<SkippedAnswer<'a>>,
    held_back: Vec<HeldBackAnswer<'a>>,
    model_change: Option<ModelChangeAnswer<'a>>,
    interrupted: bool,
    seconds: f64,
    images_per_second: f64,
    batch_size: Option<usize>,
    starved: f64,
}

#[derive(Debug, Clone, Serialize)]
struct HeldBackAnswer<'a> {
    #[serde(flatten)]
    folder: PathAnswer<'a>,
    files: usize,
}

#[derive(Debug, Clone, Serialize)]
struct ModelChangeAnswer<'a> {
    from: &'a str,
    to: &'a str,
    done_before: u64,
    discarded: Option<&'a str>,
    done: bool,
}

impl<'a> From<&'a IndexReport> for IndexAnswer<'a> {
    fn from(report: &'a IndexReport) -> Self {
        let held_back = |(folder, n_files): &'a (std::path::PathBuf, usize)| HeldBackAnswer {
            folder: folder.as_path().into(),
            files: *n_files,
        };
        let model_change = |change: &'a ModelChange| ModelChangeAnswer {
            from: &change.from,
            to: &change.to,
            done_before: change.n_before,
            discarded: change.discarded.as_deref(),
            done: change.is_done,
        };
        Self {
            seen: report.n_seen,
            added: report.n_added,
            changed: report.n_changed + report.n_changed_to_known,
            unchanged: report.n_unchanged,
            moved: report.n_moved,
            copies: report.n_copies,
            removed: report.n_removed,
            captions_added: report.n_captions_added,
            captions_removed: report.n_captions_removed,
            captions_cut: report.cut_captions.len(),
            skipped: skipped(&report.skipped),
            held_back: report.held_back.iter().map(held_back).collect(),
            model_change: report.model_change.as_ref().map(model_change),
            interrupted: report.interrupted,
            seconds: report.elapsed.as_secs_f64(),
            images_per_second: report.rate(),
            batch_size: report.encoding.batch_size,
            starved: report.encoding.starved(),
        }
    }
}

/// The answer of `status`.
#[derive(Debug, Clone, Serialize)]
pub struct StatusAnswer<'a> {
    index: PathAnswer<'a>,
    model: ModelAnswer<'a>,
    language: &'static str,
    generation: u64,
    images: u64,
    files: u64,
    captions: u64,
    captions_with_image: u64,
    captions_alone: u64,
    graphs: GraphsAnswer<'a>,
    bytes_on_disk: u64,
    sizes: SizesAnswer,
    libraries: Vec<LibraryAnswer<'a>>,
    last_run: Option<LastRunAnswer>,
    unfinished_change: Option<UnfinishedAnswer<'a>>,
}

#[derive(Debug, Clone, Serialize)]
struct ModelAnswer<'a> {
    name: &'a str,
    fingerprint: &'a str,
    dimension: usize,
}

#[derive(Debug, Clone, Serialize)]
struct GraphsAnswer<'a> {
    image: GraphAnswer<'a>,
    caption: GraphAnswer<'a>,
}

#[derive(Debug, Clone, Serialize)]
struct GraphAnswer<'a> {
    state: &'static str,
    reason: Option<&'a str>,
    in_graph: u64,
    fresh: u64,
    tombstones: u64,
    loose: u64,
}

#[derive(Debug, Clone, Serialize)]
struct SizesAnswer {
    records: u64,
    graphs: u64,
    words: u64,
}

#[derive(Debug, Clone, Serialize)]
struct LibraryAnswer<'a> {
    #[serde(flatten)]
    folder: PathAnswer<'a>,
    files: u64,
    last_run_unix_s: u64,
}

#[derive(Debug, Clone, Serialize)]
struct LastRunAnswer {
    ended_unix_s: u64,
    seen: u64,
    added: u64,
    changed: u64,
    removed: u64,
    skipped: u64,
    interrupted: bool,
}

#[derive(Debug, Clone, Serialize)]
struct UnfinishedAnswer<'a> {
    model: ModelAnswer<'a>,
    images: u64,
    folder: PathAnswer<'a>,
}

impl<'a> From<&'a Status> for StatusAnswer<'a> {
    fn from(status: &'a Status) -> Self {
        let library = |library: &'a Library| LibraryAnswer {
            folder: library.folder.as_path().into(),
            files: library.n_files,
            last_run_unix_s: library.last_run_unix_s,
        };
        Self {
            index: status.folder.as_path().into(),
            model: ModelAnswer {
                name: &status.model,
                fingerprint: &status.fingerprint,
                dimension: status.dimension,
            },
            language: status.language.code(),
            generation: status.generation,
            images: status.n_images,
            files: status.n_files,
            captions: status.n_captions,
            captions_with_image: status.n_captions.saturating_sub(status.n_captions_alone),
            captions_alone: status.n_captions_alone,
            graphs: GraphsAnswer {
                image: (&status.images).into(),
                caption: (&status.captions).into(),
            },
            bytes_on_disk: status.n_bytes_on_disk,
            sizes: SizesAnswer {
                records: status.sizes.n_bytes_of_records,
                graphs: status.sizes.n_bytes_of_graphs,
                words: status.sizes.n_bytes_of_words,
            },
            libraries: status.libraries.iter().map(library).collect(),
            last_run: status.last_run.map(LastRunAnswer::from),
            unfinished_change: status.unfinished.as_ref().map(UnfinishedAnswer::from),
        }
    }
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
            in_graph,
            fresh,
            tombstones: kind.n_tombstones,
            loose: kind.n_loose,
        }
    }
}

impl From<LastRun> for LastRunAnswer {
    fn from(run: LastRun) -> Self {
        Self {
            ended_unix_s: run.ended_unix_s,
            seen: run.n_seen,
            added: run.n_added,
            changed: run.n_changed,
            removed: run.n_removed,
            skipped: run.n_skipped,
            interrupted: run.interrupted,
        }
    }
}

impl<'a> From<&'a UnfinishedChange> for UnfinishedAnswer<'a> {
    fn from(change: &'a UnfinishedChange) -> Self {
        Self {
            model: ModelAnswer {
                name: &change.model,
                fingerprint: &change.fingerprint,
                dimension: change.dimension,
            },
            images: change.n_images,
            folder: change.folder.as_path().into(),
        }
    }
}

/// The answer of `status --formats`.
#[derive(Debug, Clone, Serialize)]
pub struct FormatsAnswer {
    formats: Vec<FormatAnswer>,
    limits: LimitsAnswer,
}

#[derive(Debug, Clone, Serialize)]
struct FormatAnswer {
    name: &'static str,
    extensions: &'static [&'static str],
    read: bool,
    note: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct LimitsAnswer {
    pixels: u64,
    bytes: u64,
    seconds: f64,
}

impl FormatsAnswer {
    /// Picture formats, and the limits of one picture.
    #[must_use]
    pub fn new(formats: &[Format], limits: &DecodeLimits) -> Self {
        let one = |format: &Format| FormatAnswer {
            name: format.name,
            extensions: format.extensions,
            read: format.supported,
            note: format.note,
        };
        Self {
            formats: formats.iter().map(one).collect(),
            limits: LimitsAnswer {
                pixels: limits.max_pixels,
                bytes: limits.max_bytes,
                seconds: limits.max_time.as_secs_f64(),
            },
        }
    }
}

/// The answer of `remove`.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveAnswer<'a> {
    files: u64,
    images: u64,
    captions: u64,
    libraries: Vec<PathAnswer<'a>>,
    unknown: Vec<PathAnswer<'a>>,
}

impl<'a> From<&'a RemoveReport> for RemoveAnswer<'a> {
    fn from(report: &'a RemoveReport) -> Self {
        Self {
            files: report.n_files,
            images: report.n_images,
            captions: report.n_captions,
            libraries: paths(&report.libraries),
            unknown: paths(&report.unknown),
        }
    }
}

/// The answer of `check`.
#[derive(Debug, Clone, Serialize)]
pub struct CheckAnswer<'a> {
    sound: bool,
    problems: Vec<ProblemAnswer<'a>>,
    repair: Option<RepairAnswer<'a>>,
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

#[derive(Debug, Clone, Serialize)]
struct RepairAnswer<'a> {
    left: Vec<ProblemAnswer<'a>>,
    lost: LostAnswer<'a>,
    files_to_read: u64,
    kept: Option<PathAnswer<'a>>,
}

#[derive(Debug, Clone, Serialize)]
struct LostAnswer<'a> {
    images: u64,
    captions: u64,
    libraries: u64,
    commits: u64,
    files: Vec<PathAnswer<'a>>,
    caption_files: Vec<PathAnswer<'a>>,
}

impl<'a> From<&'a [Problem]> for CheckAnswer<'a> {
    fn from(found: &'a [Problem]) -> Self {
        Self {
            sound: found.is_empty(),
            problems: problems(found),
            repair: None,
        }
    }
}

impl<'a> From<&'a Repair> for CheckAnswer<'a> {
    fn from(repair: &'a Repair) -> Self {
        Self {
            sound: repair.left.is_empty(),
            problems: problems(&repair.found),
            repair: Some(RepairAnswer {
                left: problems(&repair.left),
                lost: LostAnswer {
                    images: repair.n_lost_images,
                    captions: repair.n_lost_captions,
                    libraries: repair.n_lost_libraries,
                    commits: repair.n_lost_commits,
                    files: paths(&repair.lost_files),
                    caption_files: paths(&repair.lost_caption_sources),
                },
                files_to_read: repair.n_files_to_read,
                kept: repair.kept.as_deref().map(PathAnswer::from),
            }),
        }
    }
}

fn problems(problems: &[Problem]) -> Vec<ProblemAnswer<'_>> {
    problems.iter().map(ProblemAnswer::from).collect()
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
            Problem::Records { what } => of("records", what),
            Problem::Manifest { what } => of("manifest", what),
            Problem::Counts { .. } => of("counts", &problem.to_string()),
            Problem::Generations { what } => of("generations", what),
            problem => of("index", &problem.to_string()),
        }
    }
}

/// The answer of `compact`.
#[derive(Debug, Clone, Serialize)]
pub struct CompactAnswer {
    bytes_before: u64,
    bytes_after: u64,
}

impl From<&Compacted> for CompactAnswer {
    fn from(compacted: &Compacted) -> Self {
        Self {
            bytes_before: compacted.n_bytes_before,
            bytes_after: compacted.n_bytes_after,
        }
    }
}

/// The answer of `export`.
#[derive(Debug, Clone, Serialize)]
pub struct ExportAnswer<'a> {
    folder: PathAnswer<'a>,
    images: u64,
    captions: u64,
}

impl<'a> ExportAnswer<'a> {
    /// What was exported to `folder`.
    #[must_use]
    pub fn new(folder: &'a Path, report: &ExportReport) -> Self {
        Self {
            folder: folder.into(),
            images: report.n_images,
            captions: report.n_captions,
        }
    }
}

/// The answer of `import`.
#[derive(Debug, Clone, Serialize)]
pub struct ImportAnswer {
    images: u64,
    known: u64,
    files: u64,
    captions: u64,
}

impl From<&ImportReport> for ImportAnswer {
    fn from(report: &ImportReport) -> Self {
        Self {
            images: report.n_images,
            known: report.n_known,
            files: report.n_files,
            captions: report.n_captions,
        }
    }
}
