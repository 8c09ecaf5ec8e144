//! What was typed after `sightline models pull` and `sightline models quantize`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline models pull --list
  sightline models pull clip-vit-b-32
  sightline models pull siglip2-base --precision int8     only the quantised copy
  sightline models pull Xenova/clip-vit-base-patch16 --name clip-16

A model is a name from the list, or OWNER/REPO on the Hugging Face hub, in a layout that
`sightline models add` understands. Its fp32 and int8 graphs are taken. Each file is compared with
its SHA-256. A download that was stopped or cut goes on when the same command is run again. HF_ENDPOINT
names another hub, HF_TOKEN is sent to the hub for models that need it. This is the only command that
uses the network.")]
pub(in crate::cli) struct PullArgs {
    /// A name from the list, or OWNER/REPO
    #[arg(value_name = "NAME", required_unless_present = "list")]
    pub(in crate::cli) which: Option<String>,
    /// Name to know it by: letters, digits, and . _ - [default: the name in the list, or REPO]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// Replace the model of that name
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Show the models that have a short name
    #[arg(long, conflicts_with_all = ["which", "name", "force"])]
    pub(in crate::cli) list: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline models quantize clip-vit-b-32
  sightline models quantize ~/models/my-clip --json

Writes X_int8.onnx beside each fp32 graph X.onnx: the weights of MatMul and Gemm as int8, a scale for
each column; two to three times as fast on most processors, and a quarter of the size. The copy is
then compared with fp32, as by `sightline models check`, and used when it comes near enough.")]
pub(in crate::cli) struct QuantizeArgs {
    /// A model's name, or its folder [default: the default model]
    #[arg(value_name = "NAME|FOLDER")]
    pub(in crate::cli) which: Option<std::path::PathBuf>,
    /// Replace int8 copies that came with the model
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
