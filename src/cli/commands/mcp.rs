//! `sightline mcp`

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;

use crate::cli::args::McpArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::mcp::McpServer;
use crate::platform;
use crate::workspace::Workspace;

/// How often the index is checked for a newer generation.
const CHECK_EVERY: Duration = Duration::from_secs(1);

pub(in crate::cli) fn run(args: &McpArgs, workspace: &Arc<Workspace>) -> Result<ExitStatus> {
    let McpArgs {} = args;
    platform::limit_heaps();
    let engine = Arc::new(workspace.engine()?);
    engine.follow(CHECK_EVERY)?;
    let server = McpServer::new(engine, Arc::clone(workspace));
    exit::catch_ctrl_c();
    let runtime = Runtime::new()?;
    let ended = runtime.block_on(server.run_on_stdio(exit::stopped()));
    // A call that still runs, or a read that waits for input, must not keep the program.
    runtime.shutdown_background();
    ended.context("standard input is not a client of MCP")?;
    Ok(ExitStatus::Found)
}
