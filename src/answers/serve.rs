//! Answers that only the server gives.

use serde::Serialize;

use super::{IndexAnswer, PathAnswer, SkippedAnswer, StatusAnswer, each, paths};
use crate::engine::{
    Facets, GatherReport, Generation, IndexReport, MapPoint, Progress, Status, TextLanguage,
};

answers! {
    /// The answer of `/v1/tags`.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    pub struct TagsAnswer<'a> from facets in &'a Facets {
        tags: Vec<TagCountAnswer<'a>> = each(&facets.tags),
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct TagCountAnswer<'a> from (tag, n) in &'a (String, u64) {
        tag: &'a str = tag,
        count: u64 = *n,
    }

    /// The answer of `/v1/facets`.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    pub struct FacetsAnswer<'a> from facets in &'a Facets {
        cameras: Vec<CountAnswer<'a>> = each(&facets.cameras),
        folders: Vec<FolderCountAnswer<'a>> = each(&facets.folders),
        places: Vec<CountAnswer<'a>> = each(&facets.places),
        types: Vec<CountAnswer<'a>> = each(&facets.types),
        years: Vec<YearCountAnswer> = each(&facets.years),
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct CountAnswer<'a> from (name, n) in &'a (String, u64) {
        name: &'a str = name,
        count: u64 = *n,
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct FolderCountAnswer<'a> from (folder, n) in &'a (std::path::PathBuf, u64) {
        #[serde(flatten)]
        folder: PathAnswer<'a> = folder.as_path().into(),
        count: u64 = *n,
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct YearCountAnswer from (year, n) in &(u16, u64) {
        year: u16 = *year,
        count: u64 = *n,
    }

    /// The answer of `/v1/map`.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    pub struct MapAnswer from (generation, points) in (Generation, &[MapPoint]) {
        generation: u64 = generation.0,
        #[cfg_attr(feature = "serve", schema(value_type = Vec<Vec<f32>>))]
        points: Vec<(u32, f32, f32)> =
            points.iter().map(|point| (point.id.0, point.x, point.y)).collect(),
    }

    /// The answer of `/v1/copy`.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    pub struct CopyAnswer<'a> from (folder, report) in (&'a std::path::Path, &'a GatherReport) {
        folder: PathAnswer<'a> = folder.into(),
        copied: usize = report.n_done,
        already_there: usize = report.n_there,
        skipped: Vec<SkippedAnswer<'a>> = each(&report.skipped),
    }
}

/// The state of the server: its index, and the run that keeps it new.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct ServerStatusAnswer<'a> {
    #[serde(flatten)]
    status: StatusAnswer<'a>,
    indexing: Option<RunAnswer<'a>>,
    allows_copy: bool,
}

impl<'a> ServerStatusAnswer<'a> {
    /// The state of this index, whose model has these languages by text tower, and of its last run.
    #[must_use]
    pub fn new(
        status: &'a Status,
        texts: &'a [Vec<TextLanguage>],
        indexing: Option<RunAnswer<'a>>,
        allows_copy: bool,
    ) -> Self {
        Self {
            status: (status, texts).into(),
            indexing,
            allows_copy,
        }
    }
}

/// An index run of the server.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct RunAnswer<'a> {
    run: u64,
    running: bool,
    watcher: bool,
    folders: Vec<PathAnswer<'a>>,
    stage: Option<&'static str>,
    n_done: usize,
    n_total: usize,
    n_skipped: usize,
    rate: f64,
    seconds_left: Option<f64>,
    report: Option<IndexAnswer<'a>>,
    error: Option<&'a str>,
}

impl<'a> RunAnswer<'a> {
    /// Run number `run` over these folders, with its last progress. `is_watcher`: it was started by
    /// the watcher, not by a request. `ended`: its report, or why it failed.
    #[must_use]
    pub fn new(
        run: u64,
        is_watcher: bool,
        folders: &'a [std::path::PathBuf],
        progress: Option<&Progress>,
        ended: Option<Result<&'a IndexReport, &'a str>>,
    ) -> Self {
        let seconds = |left: std::time::Duration| (left.as_secs_f64() * 10.0).round() / 10.0;
        let (report, error) = match ended {
            None => (None, None),
            Some(Ok(report)) => (Some(report.into()), None),
            Some(Err(error)) => (None, Some(error)),
        };
        Self {
            run,
            running: ended.is_none(),
            watcher: is_watcher,
            folders: paths(folders),
            stage: progress.map(|progress| progress.stage.name()),
            n_done: progress.map_or(0, |progress| progress.n_done),
            n_total: progress.map_or(0, |progress| progress.n_total),
            n_skipped: progress.map_or(0, |progress| progress.n_skipped),
            rate: progress.map_or(0.0, |progress| (progress.rate() * 10.0).round() / 10.0),
            seconds_left: progress.and_then(|progress| progress.remaining().map(seconds)),
            report,
            error,
        }
    }
}
