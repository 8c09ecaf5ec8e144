//! `--preview`

use clap::ValueEnum;

/// How pictures are shown in the terminal.
// Without a description of each, so that the help stays short; the cookbook has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PreviewArg {
    Auto,
    Kitty,
    Iterm,
    Sixel,
    Blocks,
}
