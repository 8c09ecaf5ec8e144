//! What can be wrong with an index.

use std::path::PathBuf;

use crate::item::{ItemId, ItemKind};

/// A defect of an index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// `manifest.json` is missing or damaged. The next writer restores it from its copy in the
    /// records.
    #[error("the manifest: {what}")]
    Manifest {
        /// What is wrong.
        what: String,
    },
    /// A file of the records cannot be read or is damaged.
    #[error("the records: {what}")]
    Records {
        /// What is wrong.
        what: String,
    },
    /// A record contradicts another one or is missing.
    #[error("item {}: {what}", id.0)]
    Item {
        /// The item.
        id: ItemId,
        /// What is wrong.
        what: &'static str,
    },
    /// A file refers to an image that does not exist or does not refer back.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The stored counts are wrong.
    #[error("the counts: stored as {stored}, but found {found}")]
    Counts {
        /// The stored counts.
        stored: String,
        /// The actual counts.
        found: String,
    },
    /// The records of generations contradict each other.
    #[error("the generations: {what}")]
    Generations {
        /// What is wrong.
        what: &'static str,
    },
    /// The facets, by which filters select images, do not match the items.
    #[error("the facets: {what}")]
    Facets {
        /// What is wrong.
        what: &'static str,
    },
    /// A graph is damaged or does not belong to the records. Searches compare every vector until
    /// the next writer rebuilds it.
    #[error("the {} graph: {what}", kind.name())]
    Graph {
        /// The kind of items in the graph.
        kind: ItemKind,
        /// What is wrong.
        what: String,
    },
    /// The hub biases are damaged or not those of the images. Readers compute their own until the
    /// next writer computes them again.
    #[error("the hub biases: {what}")]
    Hubs {
        /// What is wrong.
        what: String,
    },
    /// The word index is damaged or does not belong to the records. Readers build one in memory
    /// until the next writer rebuilds it.
    #[error("the word index: {what}")]
    Words {
        /// What is wrong.
        what: String,
    },
}
