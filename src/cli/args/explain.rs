//! Options of `sightline explain`.

use std::path::PathBuf;

use clap::Args;

use super::{DecodeArgs, PreviewArg};
use crate::engine::TextLanguage;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline explain dog.jpg \"a dog on the beach\"
  sightline explain dog.jpg \"a dog on the beach\" -o heat.png
  sightline explain dog.jpg beach --preview         show the map in the terminal

Parts of the picture are masked, one after the other, and what the similarity falls by is what they
contribute. The picture is encoded about 60 times for that, and the text once more for each of its
words, without that word. The picture need not be in the index, and no index is needed. TEXT is
taken as it stands. In the map, lighter parts contribute more, from blue over orange to yellow, and
what the model does not see is dark.")]
pub(in crate::cli) struct ExplainArgs {
    /// Picture to explain; - reads one from stdin
    #[arg(value_name = "IMAGE")]
    pub(in crate::cli) image: PathBuf,
    /// Words that it is compared with
    #[arg(value_name = "TEXT")]
    pub(in crate::cli) text: String,
    /// Language of the text, for a model with several text towers [default: chosen by its script,
    /// letters and words, else that of the index]
    #[arg(long, value_name = "CODE")]
    pub(in crate::cli) language: Option<TextLanguage>,
    #[command(flatten)]
    pub(in crate::cli) decode: DecodeArgs,
    /// Write the picture with the map over it as a PNG; of existing files, only those that explain
    /// wrote are replaced
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Show the picture with the map over it in the terminal
    #[arg(long, value_name = "HOW", conflicts_with = "json", num_args = 0..=1,
          require_equals = true, default_missing_value = "auto")]
    pub(in crate::cli) preview: Option<PreviewArg>,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
