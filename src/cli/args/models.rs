//! Options of `sightline models`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  sightline models list
  sightline models pull clip-vit-b-32
  sightline models add ~/Downloads/clip-vit-base-patch32
  sightline models check clip-vit-base-patch32
  sightline models default clip-vit-base-patch32
  sightline search \"a red bicycle\" --model clip-vit-base-patch32

An index keeps the model it was built with, whatever the default is."
)]
pub(in crate::cli) struct ModelsArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ModelsCommand {
    /// List the models that --model knows by name
    List(ListArgs),
    /// Show a model's inputs, outputs, preprocessing and precisions
    Info(InfoArgs),
    /// Add a model folder under a name
    Add(AddArgs),
    /// Download a model from the Hugging Face Hub
    Pull(PullArgs),
    /// Write an int8 copy of a model, which is smaller and faster
    Quantize(QuantizeArgs),
    /// Remove a model, and delete Sightline's copy of its files
    Remove(RemoveArgs),
    /// Run a model on built-in pictures and texts, and measure its speed and precision
    Check(CheckArgs),
    /// Show or set the model that is used without --model
    Default(DefaultArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline models list
  sightline models list --json")]
pub(in crate::cli) struct ListArgs {
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline models info starter
  sightline models info ~/Downloads/siglip-base --json")]
pub(in crate::cli) struct InfoArgs {
    /// Name or folder of the model [default: the default model]
    #[arg(value_name = "NAME|FOLDER")]
    pub(in crate::cli) which: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline models add ~/Downloads/clip-vit-base-patch32
  sightline models add ~/Downloads/siglip-base --name siglip
  sightline models add ~/Downloads/siglip-base --quantize  write an int8 copy too
  sightline models add /mnt/models/clip-large --link      use it in place, without a copy
  sightline models add clip-ViT-B-32-vision --text clip-ViT-B-32-text

The model is first checked as by `sightline models check`, and refused if it finds the pictures of
the built-in texts no better than by chance. Only the files it needs are copied.")]
pub(in crate::cli) struct AddArgs {
    /// Model folder to add
    #[arg(value_name = "FOLDER")]
    pub(in crate::cli) folder: PathBuf,
    /// Name of letters, digits and . _ - [default: the model's own name]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// Folder of the text tower, if FOLDER holds an image tower only
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) text: Option<PathBuf>,
    /// Use the folder in place instead of copying it
    #[arg(long)]
    pub(in crate::cli) link: bool,
    /// Write an int8 copy of fp32 graphs too; with --link, into FOLDER
    #[arg(long)]
    pub(in crate::cli) quantize: bool,
    /// Add a model that finds pictures no better than by chance
    #[arg(long)]
    pub(in crate::cli) anyway: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline models pull --list
  sightline models pull clip-vit-b-32
  sightline models pull siglip2-base --precision int8     the quantized copy only
  sightline models pull Xenova/clip-vit-base-patch16 --name clip-16

A model is a name from the list, or OWNER/REPO on the Hugging Face Hub in a layout that `sightline
models add` supports. Its fp32 and int8 graphs are downloaded, and each file is verified by its
SHA-256 checksum. Files that are in the Hugging Face cache (HF_HUB_CACHE or HF_HOME) with that
checksum are copied from there. The same command resumes an interrupted download. HF_ENDPOINT
selects another hub, HF_TOKEN is sent to the hub for models that require it. No other command uses
the network.")]
pub(in crate::cli) struct PullArgs {
    /// Name from the list, or OWNER/REPO
    #[arg(value_name = "NAME", required_unless_present = "list")]
    pub(in crate::cli) which: Option<String>,
    /// Name of letters, digits and . _ - [default: the name in the list, or REPO]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// Replace an existing model of that name
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Add a model that finds pictures no better than by chance
    #[arg(long)]
    pub(in crate::cli) anyway: bool,
    /// List the models that have a short name
    #[arg(long, conflicts_with_all = ["which", "name", "force", "anyway"])]
    pub(in crate::cli) list: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline models quantize clip-vit-b-32
  sightline models quantize ~/models/my-clip --json

Writes X_int8.onnx beside each fp32 graph X.onnx, with the weights of MatMul and Gemm as int8 and
one scale per column: a quarter of the size, and two to three times as fast on most processors. The
copy is then compared with fp32, as by `sightline models check`, and used if it is close enough.")]
pub(in crate::cli) struct QuantizeArgs {
    /// Name or folder of the model [default: the default model]
    #[arg(value_name = "NAME|FOLDER")]
    pub(in crate::cli) which: Option<PathBuf>,
    /// Replace int8 copies that came with the model
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline models remove siglip

The files of a model that was added with --link are not deleted.")]
pub(in crate::cli) struct RemoveArgs {
    /// Name of the model
    #[arg(value_name = "NAME")]
    pub(in crate::cli) name: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline models check                    the default model
  sightline models check siglip --json
  sightline models check siglip --precision int8

The model must find the pictures of enough built-in texts that chance would do so in 1 % of cases
only; otherwise the exit status is 2.

From then on a copy at a lower precision (int8, fp16) is used if it is faster on this machine and
each of its embeddings has a cosine of at least 0.99 with that at full precision.")]
pub(in crate::cli) struct CheckArgs {
    /// Name or folder of the model [default: the default model]
    #[arg(value_name = "NAME|FOLDER")]
    pub(in crate::cli) which: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline models default
  sightline models default siglip
  sightline models default starter          use the built-in model again

An index keeps the model it was built with; the default applies to new ones.")]
pub(in crate::cli) struct DefaultArgs {
    /// Name of the model to use from now on
    #[arg(value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
}
