//! Sightline's storage: vectors and records in, ids out.
//!
//! An index is a folder. [`IndexWriter`] puts items into it (images and captions, each with a [`UnitVector`]) and
//! [`IndexReader`] finds them: by [nearness](IndexReader::nearest) to a vector, by [words](IndexReader::matching), by
//! number. It knows no pictures and no models; what made the vectors is only noted ([`Binding`]), so that vectors of
//! different models never meet.
//!
//! The *records*, a RocksDB database, are the truth. A *graph* per kind of item and a *word index* are derived from
//! them and can be deleted at any time. One atomic batch of records is a commit and makes a new [`Generation`];
//! whatever cuts the writer short, the index opens at the last one. `FORMAT.md` has the bytes.
//!
//! ```
//! use sightline_index::{Binding, FileRecord, IndexReader, IndexWriter, ItemKind, Nearest, UnitVector};
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
//! writer.put_file(path, FileRecord { n_bytes: 12_345, modified_ns: 0, image })?;
//! writer.set_captions(Some(image), "/photos/DogOnBeach.txt".as_ref(), vec![("a wet dog".into(), vector.clone())])?;
//! writer.finish()?;
//!
//! let reader = IndexReader::open(dir, Some(&binding))?;
//! let near = reader.nearest(ItemKind::Image, &vector, 10, &Nearest::default())?;
//! assert_eq!(near[0].id, image);
//! let matches = reader.matching(ItemKind::Image, "beaches", 10)?;
//! assert_eq!((matches[0].id, &matches[0].words[..]), (image, &["beaches".to_owned()][..]));
//! assert_eq!(reader.captions_of(image)?[0].text, "a wet dog");
//! assert!(sightline_index::check(dir)?.is_empty());
//! # Ok(())
//! # }
//! ```

mod derived;
mod disk;
mod error;
mod graph;
mod health;
mod item;
mod language;
mod reader;
mod records;
mod vector;
mod words;
mod writer;

pub use derived::graph_files::BuildProgress;
pub use disk::manifest::{Binding, binding};
pub use error::IndexError;
pub use graph::GraphError;
pub use health::check::{Problem, check};
pub use health::repair::{Repair, repair, repair_with};
pub use item::{
    Caption, Details, FileRecord, Generation, Image, Item, ItemId, ItemKind, LastRun, Library,
    Moment, NoMoment,
};
pub use language::{Language, UnknownLanguage};
pub use reader::IndexReader;
pub use reader::nearest::{Near, Nearest};
pub use reader::search::{Candidate, FullItem, Match, SearchQuery};
pub use reader::statistics::{Counts, GraphState, Leftovers, Sizes};
pub use records::RecordsError;
pub use vector::{UnitVector, VectorError};
pub use words::WordsError;
pub use writer::successor::{Successor, Unfinished, unfinished};
pub use writer::{Compacted, IndexWriter, WriterOptions};
