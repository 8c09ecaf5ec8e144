//! Options of `mcp`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline mcp                                     as the command of a server in an assistant
  sightline --index ~/photos.index mcp

An assistant starts it and speaks the Model Context Protocol with it on standard input and output:
there is nothing to type. It can search and look at the pictures of the index, and change nothing.
docs/mcp.md shows how common assistants are set up. It ends when its input does.")]
pub(in crate::cli) struct McpArgs {}
