//! Sightline finds pictures with words and words with pictures, on this machine, offline.
//!
//! A CLIP-style model maps pictures and texts into one space of unit vectors; an index on disk
//! keeps the vectors of a photo folder and of its captions; a query is turned into a vector by
//! the same model and answered with the nearest items, joined with a keyword search.
//!
//! [`Engine`] is the library's face: [`Engine::open`], [`Engine::index`], [`Engine::search`],
//! [`Engine::captions`]. The command line ([`cli`]) is a thin layer over it.
//!
//! ```
//! use sightline::{Encoders, Engine, IndexRequest, SearchRequest, platform};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?; // your photo folder
//! image::RgbImage::from_pixel(320, 200, image::Rgb([20, 90, 200])).save(folder.path().join("sea.png"))?;
//! image::RgbImage::from_pixel(200, 320, image::Rgb([200, 30, 20])).save(folder.path().join("brick.png"))?;
//! std::fs::write(folder.path().join("sea.txt"), "the calm blue sea\n")?; // a caption beside its picture
//!
//! let index = tempfile::tempdir()?; // where the index lives
//! let engine = Engine::open(index.path(), Encoders::starter(platform::runtime_source())?);
//! let report = engine.index(&IndexRequest::folder(folder.path()), &mut sightline::quietly)?;
//! assert_eq!((report.n_added, report.skipped.len()), (2, 0));
//!
//! let hits = engine.search(&SearchRequest::text("blue sea", 10))?;
//! assert!(hits[0].path().ends_with("sea.png"));
//!
//! let captions = engine.captions(&folder.path().join("sea.png"), 5)?; // the other way round
//! assert_eq!(captions[0].text, "the calm blue sea");
//! # Ok(())
//! # }
//! ```

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod answers;
mod atomic;
pub mod cli;
pub mod engine;
pub mod models;
pub mod platform;

pub use engine::{
    By, CaptionHit, Details, Encoders, Engine, EngineError, IndexReport, IndexRequest, Language,
    Moment, Progress, Query, SearchHit, SearchRequest, quietly,
};
