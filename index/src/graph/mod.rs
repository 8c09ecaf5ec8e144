//! Here is a vector, give me near ids.
//!
//! A graph is built in parallel by `hnsw_rs` ([`build`]), copied into flat arrays ([`arrays`]),
//! mended so that each point is found by its own vector ([`mend`]), and written ([`write`]) to one
//! file ([`format`]) that is memory-mapped ([`file`]) and searched ([`search`]). Vectors in no file
//! are kept in memory ([`coded`]). Building and searching compare [`codes`] of 8 bits per value, of
//! the [`points`] of a file or in memory; the best candidates of all of them are compared again
//! with full vectors ([`distance`], [`ranking`]). [`exact`] scans all vectors: the oracle in tests,
//! and the search of small sets. Nothing here knows what an id stands for.

pub(crate) mod arrays;
pub(crate) mod build;
pub(crate) mod coded;
pub(crate) mod codes;
pub(crate) mod distance;
pub(crate) mod exact;
pub(crate) mod file;
pub(crate) mod format;
pub(crate) mod header;
pub(crate) mod mend;
pub(crate) mod params;
pub(crate) mod points;
pub(crate) mod ranking;
pub(crate) mod search;
pub(crate) mod write;

use std::cmp::Ordering;
use std::path::PathBuf;

/// Marks an unused slot in a list of links.
pub(crate) const NONE: u32 = u32::MAX;

/// An id near a vector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Neighbour {
    pub(crate) similarity: f32,
    pub(crate) id: u32,
}

impl Eq for Neighbour {}

/// The better one is greater: by higher similarity, then by lower id. Total for all values, NaN
/// included.
impl Ord for Neighbour {
    fn cmp(&self, other: &Self) -> Ordering {
        self.similarity
            .total_cmp(&other.similarity)
            .then_with(|| other.id.cmp(&self.id))
    }
}

impl PartialOrd for Neighbour {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An error of a graph.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The graph file could not be read or written.
    #[error("{}: failed to read or write the graph file", path.display())]
    Io {
        /// The graph file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The file is damaged.
    #[error("{}: the graph file is damaged: {what}", path.display())]
    Damaged {
        /// The graph file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file has an unsupported format.
    #[error(
        "{}: the graph file has format {found}, but this program reads only format {supported}",
        path.display()
    )]
    OtherFormat {
        /// The graph file.
        path: PathBuf,
        /// The format number in the file.
        found: u32,
        /// The supported format.
        supported: u32,
    },
    /// More points than 32-bit numbers can count.
    #[error("too many points for one graph: {n_points}")]
    TooLarge {
        /// The number of points.
        n_points: usize,
    },
    /// The graph could not be built.
    #[error("failed to build the graph: {what}")]
    Build {
        /// The cause.
        what: String,
    },
}
