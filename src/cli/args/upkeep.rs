//! What was typed after the commands that look after an index.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline remove ~/Pictures/holiday/blurred.jpg
  sightline remove ~/Pictures/holiday                    all that is below it
  sightline remove words.txt                             the captions that came from it

Nothing on disk is touched, and nothing need be there any more. A library folder that is removed is
forgotten. What lies in a folder that is indexed again comes back; name it in .sightlineignore to
keep it out. Exit status 1: something named is not in the index.")]
pub(in crate::cli) struct RemoveFilesArgs {
    /// Files and folders, as they are called on disk
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
  sightline check --json

Reads every byte of the index and compares its parts. --repair makes anew what follows from the
rest, keeps all records that can be read, and names what is lost; `sightline index` brings that back
from the files. Exit status: 0 sound, 2 there are problems.")]
pub(in crate::cli) struct CheckIndexArgs {
    /// Put in order what is wrong
    #[arg(long)]
    pub(in crate::cli) repair: bool,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline compact
  sightline compact --json

Builds graphs with new or removed items anew, and drops what was removed or replaced from the
records and the word index. Searches may go on meanwhile.")]
pub(in crate::cli) struct CompactArgs {
    /// Print the report as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline export ~/index-export
  sightline export ~/index-export --force                replace the one that is there

Writes index.json (model and library folders), items.jsonl (one line an item) and vectors.npy (f32,
one row an item). In Python: numpy.load('vectors.npy').")]
pub(in crate::cli) struct ExportArgs {
    /// The folder to make
    #[arg(value_name = "DIR")]
    pub(in crate::cli) to: PathBuf,
    /// Replace an export that is there
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

Makes a new index, or adds to one of the same model. Images that are known keep their vectors.
Everything is checked before anything is written.")]
pub(in crate::cli) struct ImportArgs {
    /// The folder that `sightline export` made
    #[arg(value_name = "DIR")]
    pub(in crate::cli) from: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
