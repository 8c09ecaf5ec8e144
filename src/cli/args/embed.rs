//! What was typed after `sightline embed`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline embed photo.jpg                        {\"input\": \"photo.jpg\", \"vector\": […]}
  sightline embed --text \"a dog\" \"two dogs\"
  sightline embed photos/*.jpg --npy photos.npy    rows for numpy, their files on stdout
  sightline embed --text - < captions.txt          one text a line

Vectors have length 1, so the dot product of two is their cosine. Files that cannot be read are
named on stderr and left out; the exit status is then 2.")]
#[command(group = ArgGroup::new("what").args(["files", "text"]).required(true))]
#[command(group = ArgGroup::new("form").args(["json", "npy"]))]
pub(in crate::cli) struct EmbedArgs {
    /// Pictures
    #[arg(value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Texts; a single - reads them from stdin, one a line
    #[arg(long, value_name = "TEXT", num_args = 1..)]
    pub(in crate::cli) text: Vec<String>,
    /// Print JSON lines, which is the default
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Write the vectors to a NumPy file, f32 [n, dimension], and print which row is which input
    #[arg(long, value_name = "OUT")]
    pub(in crate::cli) npy: Option<PathBuf>,
}
