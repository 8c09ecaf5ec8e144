//! Sightline's storage: vectors and records in, ids out.
//!
//! An index is a folder. [`IndexWriter`] puts items into it (images and captions, each with a
//! [`UnitVector`]). [`IndexReader`] finds them by [vector and words](IndexReader::search) and
//! returns them [by id](IndexReader::items). The index knows neither pictures nor models. It only
//! records which model made the vectors ([`Binding`]), so that vectors of different models are
//! never compared.
//!
//! The *records*, a RocksDB database, are the source of truth. One *graph* per kind of item and the
//! *word index* are derived from them and can be deleted at any time. One atomic batch of records
//! is a commit and makes a new [`Generation`]; wherever a writer is interrupted, the index opens at
//! the last one. `FORMAT.md` documents the bytes.
//!
//! ```
//! use sightline_index::{
//!     Binding, FileRecord, IndexReader, IndexWriter, ItemKind, Nearest, SearchQuery, UnitVector,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path();
//! let binding = Binding { dimension: 2, fingerprint: "f00d".into(), model: "toy".into() };
//!
//! let mut writer = IndexWriter::open_or_create(dir, &binding)?;
//! let vector = UnitVector::new(vec![0.6, 0.8])?;
//! let image = writer.put_image([7; 32], 640, 480, vector.clone())?;
//! let path = "/photos/DogOnBeach.jpg".as_ref();
//! writer.put_file(path, FileRecord { n_bytes: 12_345, modified_ns: 0, image, change: None })?;
//! let caption = ("a wet dog".into(), vector.clone());
//! writer.set_captions(Some(image), "/photos/DogOnBeach.txt".as_ref(), vec![caption])?;
//! writer.finish()?;
//!
//! let reader = IndexReader::open(dir, Some(&binding))?;
//! let candidates = reader.search(&SearchQuery {
//!     kind: ItemKind::Image,
//!     vector: Some(&vector),
//!     words: Some("beaches"),
//!     n: 10,
//!     among: None,
//!     filter: None,
//!     nearest: Nearest::default(),
//! })?;
//! assert_eq!(candidates[0].id, image);
//! assert_eq!(candidates[0].words, ["beaches"]);
//! assert_eq!(reader.captions_of(image)?[0].text, "a wet dog");
//! assert!(sightline_index::check(dir)?.is_empty());
//! # Ok(())
//! # }
//! ```

mod atomic;
mod bias;
mod circle;
mod derived;
mod disk;
mod error;
mod filter;
mod graph;
mod health;
mod ids;
mod item;
mod language;
mod reader;
mod records;
mod vector;
mod words;
mod writer;

pub use bias::HubReferences;
pub use derived::graph_files::{BuildProgress, BuildStep};
pub use disk::kept::{DamagedData, damaged_data};
pub use disk::manifest::{Binding, binding};
pub use error::IndexError;
pub use filter::Filter;
pub use graph::GraphError;
pub use health::check::check;
pub use health::problem::Problem;
pub use health::repair::{Repair, discard_damaged, repair};
pub use ids::IdSet;
pub use item::{
    Caption, ChangeStamp, Coordinates, Details, FileRecord, Generation, Image, Item, ItemId,
    ItemKind, LastRun, Library, Moment, Orientation, ParseMomentError,
};
pub use language::{Language, UnknownLanguage};
pub use reader::facet_counts::FacetCounts;
pub use reader::nearest::{Near, NearVector, Nearest};
pub use reader::search::{Candidate, FullItem, SearchQuery};
pub use reader::statistics::{Counts, GraphState, Leftovers, Sizes};
pub use reader::{IndexReader, ViewId};
pub use records::RecordsError;
pub use vector::{UnitVector, VectorError};
pub use words::WordsError;
pub use words::query::Match;
pub use writer::successor::{Successor, Unfinished, unfinished};
pub use writer::{CaptionRevision, Compacted, Finished, IndexWriter, WriterOptions};
