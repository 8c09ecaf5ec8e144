//! What was typed. Parsing touches no file, so `--help` works whatever the state of the machine.

mod bench;
mod embed;
mod models;
mod models_fetch;
mod upkeep;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgGroup, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use sightline_onnx::{Device, Precision};

use crate::engine::{DecodeOptions, Language};

pub(super) use bench::BenchArgs;
pub(super) use embed::EmbedArgs;
pub(super) use models::{
    AddArgs, CheckArgs, DefaultArgs, InfoArgs, ListArgs, ModelsArgs, ModelsCommand, RemoveArgs,
};
pub(super) use models_fetch::{PullArgs, QuantizeArgs};
pub(super) use upkeep::{CheckIndexArgs, CompactArgs, ExportArgs, ImportArgs, RemoveFilesArgs};

/// Find pictures with words and words with pictures, on your own machine, offline
#[derive(Debug, Parser)]
#[command(
    name = "sightline",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  sightline index ~/Pictures
  sightline search \"a dog on the beach\"
  sightline search --image ~/Pictures/cat.jpg --html cats.html
  sightline captions holiday.jpg

Exit status: 0 found, 1 nothing found, 2 error, 130 stopped by Ctrl-C."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

impl Cli {
    /// Understands what was typed, the program's name first.
    pub(super) fn understand(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(arguments)?;
        let mut cli =
            Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        let source = matches.value_source("model");
        cli.global.is_model_typed = source == Some(ValueSource::CommandLine);
        if let Command::Index(index) = &cli.command
            && index.names_nothing()
            && !cli.global.is_model_typed
        {
            let what = "name folders to index, captions with --captions, or with --model the model \
                        that the index is to be changed to";
            // With the usage of that command.
            return Err(match command.find_subcommand_mut("index") {
                Some(index) => index.error(ErrorKind::MissingRequiredArgument, what),
                None => command.error(ErrorKind::MissingRequiredArgument, what),
            });
        }
        Ok(cli)
    }
}

/// Options every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Global {
    /// Folder of the index [default: sightline/index in the user's data folder]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "SIGHTLINE_INDEX",
        hide_env_values = true
    )]
    pub(super) index: Option<PathBuf>,
    /// Model to use: a name of `sightline models list`, or a folder [default: the index's own, or
    /// that of `sightline models default`]
    #[arg(
        long,
        global = true,
        value_name = "NAME|FOLDER",
        env = "SIGHTLINE_MODEL",
        hide_env_values = true
    )]
    pub(super) model: Option<PathBuf>,
    /// Whether the model was typed, and not taken from the environment.
    #[arg(skip)]
    pub(super) is_model_typed: bool,
    /// Which copy of the model's graphs to run: fp32, fp16 or int8 [default: the index's own, or
    /// the one that `sightline models check` chose]
    #[arg(long, global = true, value_name = "PRECISION")]
    pub(super) precision: Option<Precision>,
    /// What runs the model: cpu, cuda, coreml or directml (all but cpu are cargo features)
    #[arg(long, global = true, value_name = "DEVICE", default_value_t)]
    pub(super) device: Device,
    /// Threads for the model and for decoding [default: one a core]
    #[arg(long, global = true, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Index photo folders, or bring their index up to date
    Index(IndexArgs),
    /// Find pictures by words or by a picture
    Search(SearchArgs),
    /// Find the captions that fit a picture (reverse look-up)
    Captions(CaptionsArgs),
    /// Show what the index holds
    Status(StatusArgs),
    /// Take files or folders out of the index; on disk nothing is touched
    Remove(RemoveFilesArgs),
    /// Look whether the index is sound, and repair it
    Check(CheckIndexArgs),
    /// Make the index as small and quick as it can be
    Compact(CompactArgs),
    /// Write the index as NumPy and JSON lines, for other programs
    Export(ExportArgs),
    /// Put an export into the index
    Import(ImportArgs),
    /// Measure Recall@K on a captioned data set, by exact scan
    Eval(EvalArgs),
    /// List, add, check and choose models
    Models(ModelsArgs),
    /// Turn pictures or texts into vectors
    Embed(EmbedArgs),
    /// Measure how near indexing comes to what this machine allows
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline index ~/Pictures                             index it, or catch up with what changed
  sightline index ~/Pictures ~/Phone                     two library folders in one index
  sightline index photos --captions photos/captions.jsonl
  sightline index --captions words.txt                   a list of captions of no picture
  sightline index --model my-clip                        change the model of the index

A text beside a picture (photo.txt beside photo.jpg) gives it captions, one a line. Rules in
.sightlineignore or .ignore files, written as in .gitignore, leave files out. Ctrl-C stops after
what is under way, a second Ctrl-C quits at once; the next run goes on from there.

An index goes on with the model that made it. --model NEW embeds all that it holds again, beside
it, and switches to that when complete; until then searches use the old model, and the same command
goes on with what was begun.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that can be given or not"
)]
pub(super) struct IndexArgs {
    /// Folders to index, with all their sub-folders
    #[arg(value_name = "FOLDER")]
    pub(super) folders: Vec<PathBuf>,
    /// Captions: JSON lines {"image": relative path, "captions": […]}, or plain text, one a line
    #[arg(long, value_name = "FILE")]
    pub(super) captions: Vec<PathBuf>,
    /// Remove what is gone even when a whole folder is missing or empty
    #[arg(long)]
    pub(super) prune: bool,
    /// Pictures in a batch [default: found by measuring the first ones]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) batch: Option<u16>,
    /// Encode one batch at a time with all threads: a little slower for many pictures, less memory
    #[arg(long)]
    pub(super) no_split: bool,
    /// Threads that read and decode [default: --threads]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) decoders: Option<u16>,
    #[command(flatten)]
    pub(super) decode: DecodeArgs,
    /// Language of captions and names, by which "beaches" finds "beach"; the index keeps it
    /// [default: that of the index; en for a new one]
    #[arg(long, value_name = "CODE", value_parser = language_parser())]
    pub(super) language: Option<Language>,
    /// Pictures or captions after which what is finished is committed; every 10 s it is all the same
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) commit_every: u32,
    /// Name every skipped file, not only the first ones
    #[arg(long)]
    pub(super) list_skipped: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl IndexArgs {
    /// Whether neither a folder nor a captions file is given.
    pub(super) fn names_nothing(&self) -> bool {
        self.folders.is_empty() && self.captions.is_empty()
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline search \"red bicycle against a wall\"
  sightline search --by words IMG_2023          by captions, names, camera, date and places alone
  sightline search --image beach.jpg -k 20      pictures like this one
  sightline search \"sunset\" --html sunset.html  a page with thumbnails
  sightline search \"cat\" --paths -0 | xargs -0 -I{} cp {} cats/
  sightline search \"birthday\" --find captions   captions instead of pictures")]
#[command(group = ArgGroup::new("query").args(["text", "image"]).required(true))]
pub(super) struct SearchArgs {
    /// What to look for, in words
    #[arg(value_name = "TEXT")]
    pub(super) text: Option<String>,
    /// Look for pictures like this one
    #[arg(long, short, value_name = "FILE")]
    pub(super) image: Option<PathBuf>,
    /// What counts as a match [default: both for words, meaning for a picture]
    #[arg(long, value_enum)]
    pub(super) by: Option<ByArg>,
    /// What to find
    #[arg(long, value_enum, default_value_t = FindArg::Images)]
    pub(super) find: FindArg,
    #[command(flatten)]
    pub(super) decode: DecodeArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline captions photo.jpg
  sightline captions photo.jpg -k 3 --json

The picture need not be in the index. Captions come from `sightline index --captions` and from
texts beside pictures.")]
pub(super) struct CaptionsArgs {
    /// The picture
    #[arg(value_name = "IMAGE")]
    pub(super) image: PathBuf,
    #[command(flatten)]
    pub(super) decode: DecodeArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// How pictures are decoded.
#[derive(Debug, Args)]
pub(super) struct DecodeArgs {
    /// Decode large JPEGs at full size: several times slower, nearly the same vectors
    #[arg(long)]
    full_decode: bool,
}

impl DecodeArgs {
    pub(super) fn options(&self) -> DecodeOptions {
        DecodeOptions {
            full_decode: self.full_decode,
            ..DecodeOptions::default()
        }
    }
}

/// How results are shown.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that can be given or not"
)]
#[command(group = ArgGroup::new("form").args(["json", "paths"]))]
pub(super) struct OutputArgs {
    /// Show at most this many
    #[arg(short = 'k', long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) top: u32,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Print only paths, one a line
    #[arg(long)]
    pub(super) paths: bool,
    /// End each path with a NUL byte instead of a new line, for xargs -0
    #[arg(short = '0', long, requires = "paths")]
    pub(super) null: bool,
    /// Write the results as a page with thumbnails inside
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Add to the page of --html instead of replacing it
    #[arg(long, requires = "html")]
    pub(super) append: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline status
  sightline status --json
  sightline status --formats                             which pictures this build reads")]
pub(super) struct StatusArgs {
    /// Show which picture formats this build reads, instead of the index
    #[arg(long)]
    pub(super) formats: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline eval flickr8k/captions_test.jsonl
  sightline eval coco/val.jsonl --json --model ~/models/clip-vit-b-32

Each line of the data set is {\"image\": path relative to the file, \"captions\": […]}. A text
query is right when its picture, an image query when any of its captions, is within K.")]
pub(super) struct EvalArgs {
    /// The data set, JSON lines
    #[arg(value_name = "DATASET.jsonl")]
    pub(super) dataset: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ByArg {
    /// What the picture shows, as the model sees it
    Meaning,
    /// Keywords in captions, file and folder names, camera, date and places
    Words,
    /// Both rankings joined
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FindArg {
    /// Pictures
    Images,
    /// Captions
    Captions,
}

/// Takes the codes of the languages, and names them when it is given another.
fn language_parser() -> impl TypedValueParser<Value = Language> {
    let codes = Language::ALL.map(Language::code);
    PossibleValuesParser::new(codes).try_map(|code| code.parse::<Language>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
