//! Here is a vector, give me near ids.
//!
//! A graph is built by `hnsw_rs` in parallel ([`build`]), mended so that each point is found by its own vector
//! ([`mend`]), and frozen ([`write`]) into one file of flat arrays ([`format`]) that is memory-mapped ([`file`]) and searched by [`search`].
//! Both compare [`codes`], 8 bits a value; the best candidates are compared again with full vectors ([`distance`]).
//! [`exact`] scans vectors one by one: the oracle in tests, the search for small sets, and the fallback when there
//! is no usable file. Nothing here knows what an id stands for.

pub(crate) mod arrays;
pub(crate) mod build;
pub(crate) mod codes;
pub(crate) mod distance;
pub(crate) mod exact;
pub(crate) mod file;
pub(crate) mod format;
pub(crate) mod mend;
pub(crate) mod params;
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

/// The better one is the greater: higher similarity first, then the lower id. Never panics, whatever the values.
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

/// Why a graph cannot be built, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The file system refused.
    #[error("{}: the graph file cannot be read or written", path.display())]
    Io {
        /// The graph file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The bytes are not those that were written.
    #[error("{}: the graph file is damaged: {what}", path.display())]
    Damaged {
        /// The graph file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file is of a format that this program does not know.
    #[error("{}: the graph file has format {found}, this program reads {supported}", path.display())]
    OtherFormat {
        /// The graph file.
        path: PathBuf,
        /// The format number in the file.
        found: u32,
        /// The one that is understood.
        supported: u32,
    },
    /// More points than 32-bit numbers can name.
    #[error("{n_points} points are too many for one graph")]
    TooLarge {
        /// How many there are.
        n_points: usize,
    },
    /// The library that builds the graph gave up.
    #[error("the graph could not be built: {what}")]
    Build {
        /// What it said.
        what: String,
    },
}
