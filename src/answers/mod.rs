//! The shape of every answer: what `--json` prints and what other faces of the program send.
//!
//! An answer is made from a report of the engine or of the models, borrows from it, and can only be
//! serialized. `docs/json.md` describes every key of every answer, and a test compares the two, so
//! a key is added there too, and none is renamed or removed within a major version.

/// Declares answers: each key with its type and its value in the report the answer is made from.
macro_rules! answers {
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $name:ident $(<$life:lifetime>)? from $report:pat_param in $source:ty {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $kind:ty = $value:expr,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Serialize)]
        $vis struct $name $(<$life>)? {
            $($(#[$field_meta])* $field_vis $field: $kind,)*
        }

        impl $(<$life>)? From<$source> for $name $(<$life>)? {
            fn from($report: $source) -> Self {
                Self { $($field: $value,)* }
            }
        }
    )*};
}

mod collection;
pub mod csv;
mod duplicates;
mod explain;
mod index;
mod item;
mod measure;
mod models;
mod schema;
mod search;
mod serve;
#[cfg(test)]
mod serve_tests;
mod tag;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::engine::Skipped;

pub use collection::CollectionAnswer;
pub use duplicates::DuplicatesAnswer;
pub use explain::ExplainAnswer;
pub use index::{
    CheckAnswer, CompactAnswer, ExportAnswer, FormatsAnswer, ImportAnswer, IndexAnswer,
    RemoveAnswer, StatusAnswer,
};
pub use item::ItemAnswer;
pub use measure::{BenchAnswer, EmbedAnswer, EvalAnswer};
pub use models::{ModelCheckAnswer, ModelInfoAnswer, ModelListAnswer};
pub(crate) use models::{PrecisionAnswer, SignatureAnswer, TensorAnswer};
pub use schema::schema;
pub use search::{
    CaptionHitAnswer, FoundAnswer, HitAnswer, ImageHitAnswer, PageAnswer, PhraseHitAnswer,
};
pub use serve::{CopyAnswer, FacetsAnswer, MapAnswer, RunAnswer, ServerStatusAnswer, TagsAnswer};
pub use tag::TagAnswer;

/// A file or folder: its path as text, and its exact bytes when that is not UTF-8.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub(crate) struct PathAnswer<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
}

impl<'a> From<&'a Path> for PathAnswer<'a> {
    fn from(path: &'a Path) -> Self {
        let bytes = || STANDARD.encode(path.as_os_str().as_encoded_bytes());
        Self {
            path: path.to_string_lossy(),
            path_base64: path.to_str().is_none().then(bytes),
        }
    }
}

/// Each path as an answer.
fn paths<P: AsRef<Path>>(paths: &[P]) -> Vec<PathAnswer<'_>> {
    paths.iter().map(|path| path.as_ref().into()).collect()
}

answers! {
    /// A file that was left out.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct SkippedAnswer<'a> from skipped in &'a Skipped {
        #[serde(flatten)]
        file: PathAnswer<'a> = skipped.path.as_path().into(),
        reason: &'a str = &skipped.reason,
    }
}

/// Each element as an answer.
fn each<'a, T, A: From<&'a T>>(elements: &'a [T]) -> Vec<A> {
    elements.iter().map(A::from).collect()
}
