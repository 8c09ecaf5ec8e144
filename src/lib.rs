//! Finds pictures by text and captions by picture, locally and offline.
//!
//! A CLIP-style model maps pictures and texts to unit vectors in one embedding space. An index on
//! disk holds the vectors of a photo folder and of its captions. A query is encoded by the same
//! model and answered with the nearest items, fused with a keyword search.
//!
//! [`Engine`] joins an index with a model: [`Engine::open`], [`Engine::index`],
//! [`Engine::search`], [`Engine::captions`]. A [`Workspace`] decides which model an index is used
//! with. The command line ([`cli`]) is a thin front end to both.
//!
//! ```
//! use sightline::{Encoders, Engine, IndexRequest, SearchRequest, platform};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?; // your photo folder
//! let save = |name: &str, colour: [u8; 3]| {
//!     image::RgbImage::from_pixel(320, 200, image::Rgb(colour)).save(folder.path().join(name))
//! };
//! save("sea.png", [20, 90, 200])?;
//! save("brick.png", [200, 30, 20])?;
//! std::fs::write(folder.path().join("sea.txt"), "the calm blue sea\n")?; // its caption
//!
//! let index = tempfile::tempdir()?; // where the index lives
//! let engine = Engine::open(index.path(), Encoders::starter(platform::runtime_source())?);
//! let report = engine.index(&IndexRequest::folder(folder.path()), &mut sightline::quietly)?;
//! assert_eq!((report.n_added, report.skipped.len()), (2, 0));
//!
//! let hits = engine.search(&SearchRequest::text("blue sea", 10))?;
//! assert!(hits[0].path().ends_with("sea.png"));
//!
//! let captions = engine.captions(&folder.path().join("sea.png"), 5)?; // reverse lookup
//! assert_eq!(captions[0].text, "the calm blue sea");
//! # Ok(())
//! # }
//! ```

/// Compiles the examples in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod answers;
mod atomic;
pub mod cli;
pub mod engine;
#[cfg(feature = "serve")]
pub mod mcp;
pub mod models;
pub mod platform;
#[cfg(feature = "serve")]
pub mod watch;
#[cfg(feature = "serve")]
pub mod web;
pub mod workspace;

pub use engine::{
    By, CaptionHit, CaptionMatch, CaptionSource, Condition, Confidence, DescribeRequest,
    Description, DescriptionHits, Details, Encoders, Engine, EngineError, IndexReport,
    IndexRequest, Key, Language, Moment, Part, Progress, Query, QueryChange, RefineError,
    RefineOptions, Refinement, SearchHit, SearchRequest, Strength, Tag, TagReport, TagRequest,
    TaggedPicture, Turn, quietly,
};
pub use workspace::{Workspace, WorkspaceError, WorkspaceOptions};
