//! Groups of `duplicates`.

use super::{PathAnswer, SkippedAnswer, each};
use crate::engine::{DuplicateFile, DuplicateGroup, DuplicatesReport};

answers! {
    /// The answer of `duplicates`.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    pub struct DuplicatesAnswer<'a> from report in &'a DuplicatesReport {
        groups: Vec<GroupAnswer<'a>> = each(&report.groups),
        compared: usize = report.n_compared,
        skipped: Vec<SkippedAnswer<'a>> = each(&report.skipped),
        interrupted: bool = report.interrupted,
        seconds: f64 = report.elapsed.as_secs_f64(),
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct GroupAnswer<'a> from group in &'a DuplicateGroup {
        kind: &'static str = if group.is_exact() { "exact" } else { "near" },
        keep: MemberAnswer<'a> = (&group.keep).into(),
        reason: &'static str = group.reason.text(),
        others: Vec<OtherAnswer<'a>> = each(&group.others),
        bytes_of_others: u64 = group.n_bytes_of_others(),
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct MemberAnswer<'a> from file in &'a DuplicateFile {
        #[serde(flatten)]
        file: PathAnswer<'a> = file.path.as_path().into(),
        id: u32 = file.id.0,
        width: u32 = file.width,
        height: u32 = file.height,
        bytes: u64 = file.n_bytes,
        taken: Option<String> = file.taken.map(|taken| taken.to_string()),
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct OtherAnswer<'a> from file in &'a DuplicateFile {
        #[serde(flatten)]
        file: MemberAnswer<'a> = file.into(),
        similarity: Option<f32> = file.similarity,
        hash_distance: u32 = file.hash_distance,
    }
}
