//! Options of `sightline search` that say what is looked for.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{StringValueParser, TypedValueParser};
use clap::{ArgGroup, Args};

use crate::engine::{Condition, Key};

/// What is added and subtracted.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("query").args([
    "text", "image", "like", "unlike", "plus", "minus", "phrase", "folder", "since", "until",
    "camera", "place", "near", "ending", "orientation", "min_size", "tag", "has", "is",
]).required(true).multiple(true))]
#[command(group = ArgGroup::new("texts").args(["text", "plus", "minus"]).multiple(true))]
pub(in crate::cli) struct QueryArgs {
    /// Words to search for, with "exact phrases", -excluded words and key:value filters among them
    #[arg(value_name = "TEXT")]
    pub(in crate::cli) text: Option<String>,
    /// Add the picture in a file to the query; - reads one from stdin
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) image: Vec<PathBuf>,
    /// Add an indexed picture to the query, by its path, without reading the file
    #[arg(long, value_name = "[WEIGHT:]PATH")]
    pub(in crate::cli) like: Vec<OsString>,
    /// Subtract an indexed picture from the query [default weight: 0.5]
    #[arg(long, value_name = "[WEIGHT:]PATH")]
    pub(in crate::cli) unlike: Vec<OsString>,
    /// Add a text or a picture file to the query, with a weight if you like: 2:"red car"
    #[arg(long, value_name = "[WEIGHT:]TEXT|FILE")]
    pub(in crate::cli) plus: Vec<String>,
    /// Subtract a text or a picture file from the query [default weight: 0.5]
    #[arg(long, value_name = "[WEIGHT:]TEXT|FILE")]
    pub(in crate::cli) minus: Vec<String>,
    /// Search for TEXT as it stands: no phrases, exclusions, filters or negation
    #[arg(long, requires = "text")]
    pub(in crate::cli) literal: bool,
}

/// What hits must meet: of one option any value, and all options.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub(in crate::cli) struct FilterArgs {
    /// Only pictures with these words side by side; given twice, with both phrases
    #[arg(long, value_name = "WORDS")]
    pub(in crate::cli) phrase: Vec<String>,
    /// Only pictures in this folder or below it
    #[arg(long = "in", value_name = "FOLDER", value_parser = condition(Key::In))]
    folder: Vec<Condition>,
    /// Only pictures taken on this day, month or year or later: 2023, 2023-06 or 2023-06-14
    #[arg(long, value_name = "DATE", value_parser = condition(Key::After))]
    since: Vec<Condition>,
    /// Only pictures taken on this day, month or year or earlier
    #[arg(long, value_name = "DATE", value_parser = condition(Key::Before))]
    until: Vec<Condition>,
    /// Only pictures of a camera whose name contains this
    #[arg(long, value_name = "TEXT", value_parser = condition(Key::Camera))]
    camera: Vec<Condition>,
    /// Only pictures of a place whose name contains this
    #[arg(long, value_name = "TEXT", value_parser = condition(Key::Place))]
    place: Vec<Condition>,
    /// Only pictures taken near a position or a town: 35.01,135.77,20 (latitude, longitude, km),
    /// kyoto or "Paris, US, 20" [default distance: 10 km]
    #[arg(long, value_name = "LAT,LON,KM|TOWN", allow_hyphen_values = true,
          value_parser = condition(Key::Near))]
    near: Vec<Condition>,
    /// Only files whose names end with this, such as jpg
    #[arg(long = "type", value_name = "EXT", value_parser = condition(Key::Type))]
    ending: Vec<Condition>,
    /// Only landscape, portrait or square pictures
    #[arg(long, value_name = "SHAPE", value_parser = condition(Key::Orientation))]
    orientation: Vec<Condition>,
    /// Only pictures of at least this many pixels both wide and tall
    #[arg(long, value_name = "N", value_parser = condition(Key::MinSize))]
    min_size: Vec<Condition>,
    /// Only pictures with this tag
    #[arg(long, value_name = "TAG", value_parser = condition(Key::Tag))]
    tag: Vec<Condition>,
    /// Only pictures that have this: caption
    #[arg(long, value_name = "WHAT", value_parser = condition(Key::Has))]
    has: Vec<Condition>,
    /// Only pictures that are this: duplicate, with several files of the same content
    #[arg(long, value_name = "WHAT", value_parser = condition(Key::Is))]
    is: Vec<Condition>,
}

impl FilterArgs {
    /// All conditions.
    pub(in crate::cli) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let options = [
            &self.folder,
            &self.since,
            &self.until,
            &self.camera,
            &self.place,
            &self.near,
            &self.ending,
            &self.orientation,
            &self.min_size,
            &self.tag,
            &self.has,
            &self.is,
        ];
        options.into_iter().flatten()
    }
}

fn condition(key: Key) -> impl TypedValueParser<Value = Condition> {
    StringValueParser::new().try_map(move |value| {
        let condition = Condition::new(key, &value);
        condition.map_err(|error| format!("expected {}", error.expected))
    })
}
