//! What was typed after `sightline bench`.

use std::path::PathBuf;

use clap::Args;

use super::DecodeArgs;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline bench --photos ~/Pictures/2023
  sightline bench --photos photos --model ~/models/clip-vit-b-32 --rounds 5 --json
  sightline bench --photos many --only-index --rounds 1     memory over a long run

E is the encoder alone, D reading and decoding alone, P indexing, each on all cores, in pictures a
second. Both kinds of work on the same cores can at best reach 1 / (1/E + 1/D), the ideal. The
index is a temporary one; yours is not touched.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that can be given or not"
)]
pub(in crate::cli) struct BenchArgs {
    /// Folder of pictures to measure with; some hundreds are best
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) photos: PathBuf,
    /// How often each rate is measured, in turn; the middle one counts
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(in crate::cli) rounds: u16,
    /// Measure indexing alone
    #[arg(long)]
    pub(in crate::cli) only_index: bool,
    /// Pictures in a batch [default: found by measuring]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(in crate::cli) batch: Option<u16>,
    /// Encode one batch at a time with all threads: a little slower for many pictures, less memory
    #[arg(long)]
    pub(in crate::cli) no_split: bool,
    /// Threads that read and decode [default: --threads]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(in crate::cli) decoders: Option<u16>,
    #[command(flatten)]
    pub(in crate::cli) decode: DecodeArgs,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
