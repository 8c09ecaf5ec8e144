//! Options of `serve`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::watch::duration;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline serve --open                            show the page in the browser
  sightline serve --port 8080
  sightline serve --mcp                             for assistants: http://127.0.0.1:7878/mcp
  sightline serve --bind 192.168.1.20 --token-file token.txt
  sightline serve --bind 0.0.0.0 --host photos.local
  sightline serve --allow-copy ~/Selected           pictures can be copied into this folder

Only this machine can connect, unless --bind names another address: then each request has to show a
token. The API is described in docs/api.md and at /openapi.json. Ctrl-C finishes the requests in
progress; Ctrl-C again quits at once.")]
pub(in crate::cli) struct ServeArgs {
    /// Port to listen at [default: 7878, or the next that is not taken]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) port: Option<u16>,
    /// Address to listen at [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub(in crate::cli) bind: Option<IpAddr>,
    /// Another name that the server is reached by, such as photos.local or localhost:8080;
    /// repeatable
    #[arg(long, value_name = "NAME[:PORT]")]
    pub(in crate::cli) host: Vec<String>,
    /// Folder that selected pictures may be copied into; each request has to show a token then
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) allow_copy: Option<PathBuf>,
    /// File with the token that requests have to show [default with --bind and --allow-copy: one
    /// that is made and printed]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) token_file: Option<PathBuf>,
    /// Answer assistants at /mcp, too (Model Context Protocol over HTTP)
    #[arg(long)]
    pub(in crate::cli) mcp: bool,
    /// Open the page in the browser
    #[arg(long)]
    pub(in crate::cli) open: bool,
    /// Keep the index up to date while its library folders change, as `sightline watch` does
    #[arg(long)]
    pub(in crate::cli) watch: bool,
    /// Time between two scans of everything: 90s, 10m, 1h, 2d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration,
          requires = "watch")]
    pub(in crate::cli) every: Duration,
}
