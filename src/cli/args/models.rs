//! What was typed after `sightline models`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{PullArgs, QuantizeArgs};

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

An index keeps to the model that made it, whatever the default is."
)]
pub(in crate::cli) struct ModelsArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ModelsCommand {
    /// Show the models that --model knows by name
    List(ListArgs),
    /// Show what is in a model: inputs, outputs, preprocessing, precisions
    Info(InfoArgs),
    /// Make a model folder known by a name
    Add(AddArgs),
    /// Download a model from the Hugging Face hub
    Pull(PullArgs),
    /// Write an int8 copy of a model, smaller and faster
    Quantize(QuantizeArgs),
    /// Forget a model, and delete Sightline's own copy of it
    Remove(RemoveArgs),
    /// Run a model on built-in pictures and texts: does it work, how fast, how precise
    Check(CheckArgs),
    /// Show or set the model that is used when --model is not given
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
    /// A model's name, or its folder [default: the default model]
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
  sightline models add /mnt/models/clip-large --link      use it where it is

The model is checked first, as by `sightline models check`. Only the files that it needs are copied.")]
pub(in crate::cli) struct AddArgs {
    /// The model folder
    #[arg(value_name = "FOLDER")]
    pub(in crate::cli) folder: PathBuf,
    /// Name to know it by: letters, digits, and . _ - [default: the model's own name]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// Do not copy it, use it where it is
    #[arg(long)]
    pub(in crate::cli) link: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline models remove siglip

The files of a model added with --link stay where they are.")]
pub(in crate::cli) struct RemoveArgs {
    /// The model's name
    #[arg(value_name = "NAME")]
    pub(in crate::cli) name: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline models check                    the default model
  sightline models check siglip --json
  sightline models check siglip --precision int8

A smaller copy of a model's graphs (int8, fp16) becomes the one that is used when all its embeddings
are within cosine 0.99 of the full one's, and it is faster on this machine.")]
pub(in crate::cli) struct CheckArgs {
    /// A model's name, or its folder [default: the default model]
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
  sightline models default starter          back to the built-in one

An index keeps to the model that made it; the default is for new ones.")]
pub(in crate::cli) struct DefaultArgs {
    /// The name of the model to use from now on
    #[arg(value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
}
