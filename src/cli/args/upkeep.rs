//! Options of `sightline status`, `check`, `compact`, `remove`, `export` and `import`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline status
  sightline status --json
  sightline status --formats                        list the supported picture formats")]
pub(in crate::cli) struct StatusArgs {
    /// List the picture formats this build can read, instead of showing the index
    #[arg(long)]
    pub(in crate::cli) formats: bool,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline remove ~/Pictures/holiday/blurred.jpg
  sightline remove ~/Pictures/holiday               the folder and everything below it
  sightline remove words.txt                        the captions read from this file

Files on disk are not touched, and need not exist. A removed library folder is forgotten. Indexing a
folder again brings its files back, unless a rule in .sightlineignore leaves them out. Exit status 1
means that a path is not in the index.")]
pub(in crate::cli) struct RemoveFilesArgs {
    /// Files and folders to remove, by their paths on disk
    #[arg(value_name = "PATH", required = true)]
    pub(in crate::cli) paths: Vec<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline check
  sightline check --repair
  sightline check --discard-damaged
  sightline check --json

Reads the whole index and compares its parts. --repair rebuilds everything derived from the records,
keeps all records that can be read, and lists what is lost; `sightline index` restores that from the
files. Damaged records are kept beside the repaired ones in damaged-1, damaged-2 and so on, until
--discard-damaged deletes them. Exit status: 0 no problems, 2 problems found.")]
pub(in crate::cli) struct CheckIndexArgs {
    /// Repair the problems found
    #[arg(long)]
    pub(in crate::cli) repair: bool,
    /// If there are no problems, delete the damaged data that repairs have kept
    #[arg(long, conflicts_with = "repair")]
    pub(in crate::cli) discard_damaged: bool,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline compact
  sightline compact --json

Rebuilds graphs that have new or removed items, and drops removed and replaced data from the records
and the word index. Searches can run meanwhile.")]
pub(in crate::cli) struct CompactArgs {
    /// Print the report as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline export ~/index-export
  sightline export ~/index-export --force           replace an earlier export

Writes index.json (model and library folders), items.jsonl (one line per item) and vectors.npy (f32,
one row per item). In Python: numpy.load('vectors.npy').")]
pub(in crate::cli) struct ExportArgs {
    /// Folder to create
    #[arg(value_name = "DIR")]
    pub(in crate::cli) to: PathBuf,
    /// Replace an existing export
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline import ~/index-export
  sightline import ~/index-export --index ~/new-index

Creates a new index, or adds to an existing one of the same model. Images that are already in the
index keep their vectors. The whole export is checked before anything is written.")]
pub(in crate::cli) struct ImportArgs {
    /// Folder written by `sightline export`
    #[arg(value_name = "DIR")]
    pub(in crate::cli) from: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
