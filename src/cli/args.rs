//! The command line's options. Parsing touches no file, so `--help` always works.

mod dashed;
mod explain;
#[cfg(feature = "serve")]
mod mcp;
mod models;
mod preview;
mod query;
#[cfg(feature = "serve")]
mod serve;
mod shell;
mod tag;
mod upkeep;
#[cfg(feature = "serve")]
mod watch;
mod words;

use std::any::TypeId;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgGroup, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::engine::{Confidence, DecodeOptions, IndexRequest, Language, TextLanguage};
use crate::models::{Device, Precision};

pub(super) use explain::ExplainArgs;
#[cfg(feature = "serve")]
pub(super) use mcp::McpArgs;
pub(super) use models::{
    AddArgs, CheckArgs, DefaultArgs, InfoArgs, ListArgs, ModelsArgs, ModelsCommand, PullArgs,
    QuantizeArgs, RemoveArgs,
};
pub(super) use preview::PreviewArg;
pub(super) use query::{FilterArgs, QueryArgs};
#[cfg(feature = "serve")]
pub(super) use serve::ServeArgs;
pub(super) use shell::{CompletionsArgs, ManArgs};
pub(super) use tag::TagArgs;
pub(super) use upkeep::{
    CheckIndexArgs, CompactArgs, ExportArgs, ImportArgs, RemoveFilesArgs, StatusArgs,
};
#[cfg(feature = "serve")]
pub(super) use watch::WatchArgs;

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

Exit status: 0 found, 1 nothing found, 2 error, 130 interrupted by Ctrl-C."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

impl Cli {
    /// The commands and options. A search may begin without a query if one is asked for later.
    pub(super) fn definition() -> clap::Command {
        let command = Self::command();
        let command = numbers_may_be_negative(command);
        let command = command.mut_subcommand("search", |search| {
            search.mut_group("query", |query| query.arg("interactive"))
        });
        command.mut_subcommand("refine", |refine| {
            let refine = refine.mut_group("query", |query| query.required(false));
            // Its stdin holds what is typed.
            refine.mut_arg("image", |image| {
                image.help("Add the picture in a file to the query")
            })
        })
    }

    /// Parses the arguments, the program's name first.
    pub(super) fn parse_arguments(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::definition();
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let matches = command
            .try_get_matches_from_mut(&arguments)
            .map_err(|mut error| {
                dashed::correct_tip(&mut error, &command, &arguments);
                words::add_tip(&mut error, &arguments);
                error
            })?;
        let mut cli =
            Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        let source = matches.value_source("model");
        cli.global.model_is_typed = source == Some(ValueSource::CommandLine);
        if let Command::Index(index) = &cli.command
            && index.has_no_input()
            && !cli.global.model_is_typed
        {
            let what = "nothing to index: give folders, captions with --captions, or --model to \
                        change the model of the index";
            // The error shows the usage of `index`, not that of the program.
            return Err(match command.find_subcommand_mut("index") {
                Some(index) => index.error(ErrorKind::MissingRequiredArgument, what),
                None => command.error(ErrorKind::MissingRequiredArgument, what),
            });
        }
        Ok(cli)
    }
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Index folder [default: sightline/index in the user's data folder]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "SIGHTLINE_INDEX",
        hide_env_values = true
    )]
    pub(super) index: Option<PathBuf>,
    /// Model to use: a name from `sightline models list`, or a folder [default: the model of the
    /// index, else that of `sightline models default`]
    #[arg(
        long,
        global = true,
        value_name = "NAME|FOLDER",
        env = "SIGHTLINE_MODEL",
        hide_env_values = true
    )]
    pub(super) model: Option<PathBuf>,
    /// Whether `model` was given as `--model`, not in the environment.
    #[arg(skip)]
    pub(super) model_is_typed: bool,
    /// Precision of the model: fp32, fp16 or int8 [default: that of the index, else the one chosen
    /// by `sightline models check`]
    #[arg(long, global = true, value_name = "PRECISION")]
    pub(super) precision: Option<Precision>,
    /// Device to run the model on: cpu, cuda, coreml or directml (all but cpu are cargo features)
    #[arg(long, global = true, value_name = "DEVICE", default_value_t)]
    pub(super) device: Device,
    /// Number of threads for the model and for decoding [default: one per core]
    #[arg(long, global = true, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,
    /// Print only errors on stderr
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Index photo folders, or update their index
    Index(IndexArgs),
    /// Find pictures by text or by a picture
    Search(Box<SearchArgs>),
    /// Find pictures step by step: more like this one, but at night
    Refine(Box<RefineArgs>),
    /// Find the captions or phrases that fit a picture (reverse lookup)
    Captions(CaptionsArgs),
    /// Tag pictures: say what is in them, in words of a fixed list
    Tag(TagArgs),
    /// Find pictures similar to a picture, without that one
    Similar(SimilarArgs),
    /// Show which parts of a picture and which words of a text make them match
    Explain(ExplainArgs),
    /// Find files that show the same picture, and suggest which to keep
    Duplicates(DuplicatesArgs),
    /// Serve a page for the browser and an API, to this machine
    #[cfg(feature = "serve")]
    Serve(ServeArgs),
    /// Answer an assistant that speaks the Model Context Protocol
    #[cfg(feature = "serve")]
    Mcp(McpArgs),
    /// Keep the index up to date while its folders change
    #[cfg(feature = "serve")]
    Watch(WatchArgs),
    /// Show what the index contains
    Status(StatusArgs),
    /// Remove files or folders from the index, but not from disk
    Remove(RemoveFilesArgs),
    /// Check the index for damage, and repair it
    Check(CheckIndexArgs),
    /// Compact the index, for less disk space and faster searches
    Compact(CompactArgs),
    /// Export the index as NumPy and JSON Lines files
    Export(ExportArgs),
    /// Import an exported index
    Import(ImportArgs),
    /// Measure Recall@K on a captioned data set, by exact scan
    Eval(EvalArgs),
    /// List, add, download, check and choose models
    Models(ModelsArgs),
    /// Compute the embeddings of pictures or texts
    Embed(EmbedArgs),
    /// Measure indexing throughput on this machine
    Bench(BenchArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print or write manual pages
    Man(ManArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline index ~/Pictures                        index a folder, or update its index
  sightline index ~/Pictures ~/Phone                two library folders in one index
  sightline index photos --captions photos/captions.jsonl
  sightline index coco/val2017 --captions coco/annotations/captions_val2017.json
  sightline index --captions words.txt              captions without pictures
  sightline index ~/Pictures --reread               read all files again
  sightline index ~/Pictures --tag                  tag the pictures on the way
  sightline index --model my-clip                   change the model of the index

A text file beside a picture (photo.txt beside photo.jpg) holds its captions, one per line. XMP and
Google Takeout's JSON beside a picture, and what is written in its own file, are read as well. Files
that match a rule in .sightlineignore or .ignore (.gitignore syntax) are left out. Ctrl-C stops as
soon as the work in progress is committed; a second Ctrl-C quits at once. The next run resumes.

An index keeps the model it was built with. --model NEW embeds all of its items again, beside the
old vectors, and switches when that is complete. Until then searches use the old model; the same
command resumes an interrupted change.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that can be given or not"
)]
pub(super) struct IndexArgs {
    /// Folders to index, subfolders included
    #[arg(value_name = "FOLDER")]
    pub(super) folders: Vec<PathBuf>,
    /// Captions file: JSON lines {"image": relative path, "captions": […]}, CSV or TSV, the
    /// captions of a public data set, or plain text with one caption per line
    #[arg(long, value_name = "FILE")]
    pub(super) captions: Vec<PathBuf>,
    /// Format of the captions files [default: recognized by their content]
    #[arg(long, value_name = "FORMAT", value_enum, requires = "captions")]
    pub(super) captions_format: Option<CaptionsFormatArg>,
    /// Remove missing files from the index even if a whole folder is missing or empty
    #[arg(long)]
    pub(super) prune: bool,
    /// Read all files again, not only those with another size or time; only those with new content
    /// are decoded and embedded
    #[arg(long)]
    pub(super) reread: bool,
    /// Tag the pictures of the index that were never tagged, as `sightline tag` does; found by
    /// tag:TAG and as words
    #[arg(long)]
    pub(super) tag: bool,
    #[command(flatten)]
    pub(super) pipeline: PipelineArgs,
    /// Language of captions and file names, by which "beaches" finds "beach", and of captions and
    /// queries too short to tell; stored in the index [default: that of the index, or en for a new
    /// one]
    #[arg(long, value_name = "CODE", value_parser = language_parser())]
    pub(super) language: Option<Language>,
    /// Commit after this many items (and at least every 10 s)
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) commit_every: u32,
    /// List all skipped files, not only the first 10
    #[arg(long)]
    pub(super) list_skipped: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Command {
    /// Whether a model is loaded for one query at most.
    pub(super) fn is_one_query(&self) -> bool {
        match self {
            Self::Search(args) => !args.interactive,
            // Without captions, the bank's phrases may have to be encoded.
            Self::Captions(args) => args.from == Some(FromArg::Captions),
            Self::Similar(_) => true,
            _ => false,
        }
    }
}

impl IndexArgs {
    /// Whether neither folders nor captions files are given.
    pub(super) fn has_no_input(&self) -> bool {
        self.folders.is_empty() && self.captions.is_empty()
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline search \"red bicycle against a wall\"
  sightline search --by words IMG_2023          match captions, names, camera, date and places only
  sightline search --image beach.jpg -k 20      find similar pictures
  sightline search \"sunset\" --html sunset.html  write a page with thumbnails
  sightline search \"cat\" -k 50 --copy-to cats    copy the pictures found into a folder
  sightline search \"sunset\" --preview            show the pictures in the terminal
  sightline search \"birthday\" --find captions   find captions instead of pictures
  sightline search \"beach\" --plus sunset.jpg --minus \"people\"
  sightline search \"dog after:2023 -cat\" --camera nikon --in ~/Pictures/Italy
  sightline search -i \"dog\"                    refine the search step by step

TEXT may contain \"exact phrases\", -excluded words and filters: in:FOLDER after:DATE before:DATE
date:DATE camera:TEXT place:TEXT near:TOWN near:LAT,LON,KM type:EXT orientation:SHAPE min-size:N
tag:TAG has:caption is:duplicate. A value with spaces is quoted: camera:\"canon eos\". Several
values of one filter mean any of them, different filters all of them, and a dash in front the
opposite: -type:png. In English, \"beach without people\" subtracts the people. Filters alone list
pictures, the newest first.")]
#[command(override_usage = "sightline search [OPTIONS] [TEXT]")]
pub(super) struct SearchArgs {
    #[command(flatten)]
    pub(super) query: QueryArgs,
    /// Refine the search step by step, as `sightline refine` does
    #[arg(short, long, conflicts_with_all = ["find", "csv", "open", "copy_to", "link_to", "html"])]
    pub(super) interactive: bool,
    /// Rank by meaning, words or both [default: both for a text, meaning for a picture]
    #[arg(long, value_enum)]
    pub(super) by: Option<ByArg>,
    /// What to find
    #[arg(long, value_enum, default_value_t = FindArg::Images)]
    pub(super) find: FindArg,
    /// Language of the text, for a model with several text towers [default: chosen by its script,
    /// letters and words, else that of the index]
    #[arg(long, value_name = "CODE", requires = "texts")]
    pub(super) language: Option<TextLanguage>,
    #[command(flatten)]
    pub(super) decode: DecodeArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) filters: FilterArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline refine \"a dog on the beach\"
  sightline refine --image ~/Pictures/sunset.jpg --preview
  printf 'more like 2\\nonly 2023\\n' | sightline refine \"a dog\" --paths

Then type, after each list of hits:
  more like 3, +3          more like the third hit; also several: more like 3 and 5, or 2-4
  less like 2, -2          less like the second hit
  but at night             adds a text to the query
  no people                subtracts one
  only 2023                filters: a date, only in FOLDER, camera:nikon, -type:png
  undo, redo, reset        go back and forth, or to the query as it was asked
  next, show 30            more hits
  open 3, why 3            open a hit in the viewer, or show why it was found
  copy DIR, copy 3 to DIR  copy hits into a folder
  help, quit               quit with Ctrl-D, too

Anything else is a new query. After each step, the `sightline search` command with the same hits is
shown. Commands are read from stdin, line by line, if it is not a terminal; the exit status is then
2 if one was refused. --json prints one answer per step, on one line.")]
#[command(override_usage = "sightline refine [OPTIONS] [TEXT]")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that can be given or not"
)]
pub(super) struct RefineArgs {
    #[command(flatten)]
    pub(super) query: QueryArgs,
    /// Rank by meaning, words or both [default: both for a text, meaning for a picture]
    #[arg(long, value_enum)]
    pub(super) by: Option<ByArg>,
    /// Language of the texts, for a model with several text towers [default: chosen by their
    /// script, letters and words, else that of the index]
    #[arg(long, value_name = "CODE")]
    pub(super) language: Option<TextLanguage>,
    #[command(flatten)]
    pub(super) decode: DecodeArgs,
    /// Number of hits in each list
    #[arg(short = 'k', long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_HITS)))]
    pub(super) top: u32,
    /// Leave out hits of lower confidence, 0 to 1
    #[arg(long, value_name = "C", value_parser = confidence)]
    pub(super) min_confidence: Option<f32>,
    /// Show below each hit its similarity and ranks, and the caption by which it was found
    #[arg(long)]
    pub(super) why: bool,
    /// Print one JSON answer per step, on one line
    #[arg(long)]
    pub(super) json: bool,
    /// Print only paths, one per line
    #[arg(long, conflicts_with = "json")]
    pub(super) paths: bool,
    /// End each path with NUL instead of a newline
    #[arg(short = '0', long, requires = "paths")]
    pub(super) null: bool,
    /// Show the pictures in the terminal
    #[arg(long, value_name = "HOW", conflicts_with_all = ["json", "paths"], num_args = 0..=1,
          require_equals = true, default_missing_value = "auto")]
    pub(super) preview: Option<PreviewArg>,
    #[command(flatten)]
    pub(super) filters: FilterArgs,
}

/// `search --interactive` with the same options.
impl From<RefineArgs> for SearchArgs {
    fn from(args: RefineArgs) -> Self {
        Self {
            query: args.query,
            interactive: true,
            by: args.by,
            find: FindArg::Images,
            language: args.language,
            decode: args.decode,
            output: OutputArgs {
                top: args.top,
                min_confidence: args.min_confidence,
                why: args.why,
                json: args.json,
                paths: args.paths,
                null: args.null,
                preview: args.preview,
                ..OutputArgs::default()
            },
            filters: args.filters,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline captions photo.jpg
  sightline captions photo.jpg -k 3 --json
  sightline captions photo.jpg --from bank          phrases of the built-in bank

The picture need not be in the index. Captions come from `sightline index --captions` and from text
files beside pictures. Where the index has none, or there is no index, answers come from a bank of
5,600 English phrases, which is encoded once per model.")]
pub(super) struct CaptionsArgs {
    /// Picture to find captions for; - reads one from stdin
    #[arg(value_name = "IMAGE")]
    pub(super) image: PathBuf,
    /// Where answers come from [default: captions if the index has any, else bank]
    #[arg(long, value_name = "SOURCE", value_enum)]
    pub(super) from: Option<FromArg>,
    #[command(flatten)]
    pub(super) decode: DecodeArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline similar photo.jpg
  sightline similar photo.jpg -k 30 --html similar.html
  sightline similar photo.jpg --open=3              open the three most similar pictures

The picture need not be in the index. If it is there and was not changed since, its vector is taken
from the index, even if the file is on a disk that is not mounted. Copies with the same content are
left out.")]
pub(super) struct SimilarArgs {
    /// Picture to start from
    #[arg(value_name = "IMAGE")]
    pub(super) image: PathBuf,
    #[command(flatten)]
    pub(super) decode: DecodeArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline duplicates                              all groups, with the file to keep in each
  sightline duplicates ~/Phone                      only groups with a file in this folder
  sightline duplicates --exact                      only files with the same content
  sightline duplicates --paths -0 | xargs -0 -I{} mv -n {} ~/to-check/

Files in a group have the same content (exact), or look the same (near): another size, format or
compression of one picture. Pictures of a burst are not duplicates of each other, unless nothing in
them moved. Each file of a group is compared with the one to keep, which is the camera RAW, or has
more pixels, a lossless format, a larger file, an earlier date or a plainer name. Nothing is ever
deleted. Files that are missing or were changed since they were indexed are left out.

--paths prints all files of all groups except those to keep, also those outside of FOLDER. Exit
status 1 means that there are no duplicates.")]
#[command(group = ArgGroup::new("form").args(["json", "paths"]))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that can be given or not"
)]
pub(super) struct DuplicatesArgs {
    /// Show only groups with a file in this folder or below it
    #[arg(value_name = "FOLDER")]
    pub(super) folder: Option<PathBuf>,
    /// Find only files with the same content; reads no picture
    #[arg(long)]
    pub(super) exact: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Print only the paths of the files not to keep, one per line
    #[arg(long)]
    pub(super) paths: bool,
    /// End each path with NUL instead of a newline, for xargs -0
    #[arg(short = '0', long, requires = "paths", conflicts_with = "json")]
    pub(super) null: bool,
}

/// How pictures are read, decoded and encoded.
#[derive(Debug, Args)]
pub(super) struct PipelineArgs {
    /// Pictures per batch [default: chosen by measuring the first batches]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: Option<u16>,
    /// Encode one batch at a time on all threads: less memory, slightly slower for many pictures
    #[arg(long)]
    no_split: bool,
    /// Number of threads that read and decode [default: --threads]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    decoders: Option<u16>,
    #[command(flatten)]
    pub(super) decode: DecodeArgs,
}

impl PipelineArgs {
    /// A request for nothing yet, with these options. `n_threads`: those of `--threads`.
    pub(super) fn request(&self, n_threads: Option<usize>) -> IndexRequest {
        IndexRequest {
            batch_size: self.batch.map(usize::from),
            no_split: self.no_split,
            n_decoders: self.decoders.map(usize::from).or(n_threads),
            ..IndexRequest::default()
        }
    }
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

/// The longest list of hits.
pub(super) const MAX_HITS: u32 = 10_000;

/// Output options of the commands that print hits.
#[derive(Debug, Clone, Default, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that can be given or not"
)]
#[command(group = ArgGroup::new("form").args(["json", "csv", "paths"]))]
pub(super) struct OutputArgs {
    /// Maximum number of results
    #[arg(short = 'k', long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_HITS)))]
    pub(super) top: u32,
    /// Leave out hits of lower confidence, 0 to 1
    #[arg(long, value_name = "C", value_parser = confidence)]
    pub(super) min_confidence: Option<f32>,
    /// Show below each hit its similarity and ranks, and the caption by which it was found
    #[arg(long)]
    pub(super) why: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Print only paths, one per line
    #[arg(long)]
    pub(super) paths: bool,
    /// End each path with NUL instead of a newline, for xargs -0
    #[arg(short = '0', long, requires = "paths")]
    pub(super) null: bool,
    /// Print CSV with a header
    #[arg(long)]
    pub(super) csv: bool,
    /// Show the pictures in the terminal
    #[arg(long, value_name = "HOW", conflicts_with = "form", num_args = 0..=1,
          require_equals = true, default_missing_value = "auto")]
    pub(super) preview: Option<PreviewArg>,
    /// Open the first N hits in the system's viewer [default: 1]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true,
          default_missing_value = "1", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(super) open: Option<u16>,
    /// Copy the pictures found into a folder; nothing in it is replaced
    #[arg(long, value_name = "DIR")]
    pub(super) copy_to: Option<PathBuf>,
    /// Put symbolic links to the pictures found into a folder; nothing in it is replaced
    #[arg(long, value_name = "DIR")]
    pub(super) link_to: Option<PathBuf>,
    /// Write the results to an HTML page with embedded thumbnails
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Append to the page given with --html instead of replacing it
    #[arg(long, requires = "html")]
    pub(super) append: bool,
}

impl OutputArgs {
    /// Whether something is to be done with the files of the hits.
    pub(super) fn wants_files(&self) -> bool {
        let to_folder = self.copy_to.is_some() || self.link_to.is_some();
        self.paths || self.open.is_some() || to_folder
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ByArg {
    /// Similarity of the embeddings
    Meaning,
    /// Keywords in captions, file and folder names, camera, date and places
    Words,
    /// Both, weighed by how likely they make a hit
    Both,
}

// Without a description of each, so that the help of `index` stays short; the cookbook has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CaptionsFormatArg {
    Text,
    Jsonl,
    Csv,
    Tsv,
    Tokens,
    Coco,
    Karpathy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FromArg {
    /// Captions of the index
    Captions,
    /// Phrases of the built-in bank
    Bank,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FindArg {
    /// Pictures
    Images,
    /// Captions
    Captions,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline eval flickr8k/captions_test.jsonl
  sightline eval coco/val.jsonl --json --model ~/models/clip-vit-b-32

Each line of the data set is {\"image\": path relative to the file, \"captions\": […]}. A text query
is correct if its picture is among the first K hits, a picture query if any of its captions is.")]
pub(super) struct EvalArgs {
    /// Data set in JSON Lines format
    #[arg(value_name = "DATASET.jsonl")]
    pub(super) dataset: PathBuf,
    /// Language of all captions, for a model with several text towers [default: chosen for each by
    /// its script, letters and words]
    #[arg(long, value_name = "CODE")]
    pub(super) language: Option<TextLanguage>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline embed photo.jpg                         {\"input\": \"photo.jpg\", \"vector\": […]}
  sightline embed --text \"a dog\" \"two dogs\"
  sightline embed photos/*.jpg --npy photos.npy     write a NumPy file, print its row for each file
  sightline embed --text - < captions.txt           one text per line

Vectors have unit length, so the dot product of two is their cosine similarity. Files that cannot be
read are reported on stderr and left out; the exit status is then 2.")]
#[command(group = ArgGroup::new("what").args(["files", "text"]).required(true))]
#[command(group = ArgGroup::new("form").args(["json", "npy"]))]
pub(super) struct EmbedArgs {
    /// Pictures to embed
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Texts to embed; a single - reads them from stdin, one per line
    #[arg(long, value_name = "TEXT", num_args = 1..)]
    pub(super) text: Vec<String>,
    /// Language of the texts, for a model with several text towers [default: chosen for each by its
    /// script, letters and words]
    #[arg(long, value_name = "CODE", conflicts_with = "files")]
    pub(super) language: Option<TextLanguage>,
    /// Print JSON lines (the default)
    #[arg(long)]
    pub(super) json: bool,
    /// Write the vectors to a NumPy file, f32 [n, dimension], and print the row of each input
    #[arg(long, value_name = "OUT")]
    pub(super) npy: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline bench --photos ~/Pictures/2023
  sightline bench --photos photos --model ~/models/clip-vit-b-32 --rounds 5 --json
  sightline bench --photos many --only-index --rounds 1     memory use over a long run

Measures the rates of encoding alone (E), reading and decoding alone (D) and indexing (P), each on
all cores, in pictures per second. As encoding and decoding share the cores, P cannot exceed
1 / (1/E + 1/D), the ideal. The index is a temporary one; yours is not touched.")]
pub(super) struct BenchArgs {
    /// Folder of pictures to measure with, preferably several hundred
    #[arg(long, value_name = "DIR")]
    pub(super) photos: PathBuf,
    /// Number of measurements of each rate, in turn; the median is reported
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(super) rounds: u16,
    /// Measure indexing only
    #[arg(long)]
    pub(super) only_index: bool,
    #[command(flatten)]
    pub(super) pipeline: PipelineArgs,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Lets options for numbers take a negative one, so that the error names the numbers that they can
/// have, and does not take it for another option.
fn numbers_may_be_negative(command: clap::Command) -> clap::Command {
    let is_number = |arg: &clap::Arg| {
        let id = arg.get_value_parser().type_id();
        id == TypeId::of::<u16>() || id == TypeId::of::<u32>() || id == TypeId::of::<f32>()
    };
    let command = command.mut_args(|arg| {
        let is_number = arg.get_action().takes_values() && is_number(&arg);
        if is_number {
            arg.allow_negative_numbers(true)
        } else {
            arg
        }
    });
    command.mut_subcommands(numbers_may_be_negative)
}

fn confidence(text: &str) -> Result<f32, String> {
    let value = text.parse().ok().and_then(Confidence::new);
    value
        .map(Confidence::value)
        .ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

/// Accepts the known language codes, and lists them if it is given another.
fn language_parser() -> impl TypedValueParser<Value = Language> {
    let codes = Language::ALL.map(Language::code);
    PossibleValuesParser::new(codes).try_map(|code| code.parse::<Language>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_accepts_the_definitions() {
        Cli::definition().debug_assert();
    }
}
