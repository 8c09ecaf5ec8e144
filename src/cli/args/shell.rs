//! Options of `completions` and `man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline completions bash > ~/.local/share/bash-completion/completions/sightline
  sightline completions fish > ~/.config/fish/completions/sightline.fish
  sightline completions zsh > ~/.zfunc/_sightline   for a folder in fpath, before compinit

`make install` installs them for bash, fish and zsh.")]
pub(in crate::cli) struct CompletionsArgs {
    /// Shell to complete in
    #[arg(value_name = "SHELL")]
    pub(in crate::cli) shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline man | man -l -                          read the page of the program
  sightline man ~/.local/share/man/man1             write the pages of all commands

Files of these names in DIR are replaced: sightline.1, sightline-search.1 and so on.")]
pub(in crate::cli) struct ManArgs {
    /// Folder to write one page per command into [default: print the page of the program]
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: Option<PathBuf>,
}
