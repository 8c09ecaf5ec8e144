//! `sightline captions`

use std::time::Instant;

use anyhow::Result;

use crate::cli::args::CaptionsArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::output::{self, Found};
use crate::cli::printer::Printer;
use crate::cli::rows::Hits;
use crate::engine::{By, Query};
use crate::workspace::Workspace;

pub(in crate::cli) fn run(
    args: &CaptionsArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let began = Instant::now();
    let hits = workspace
        .engine()?
        .with_decode_options(args.decode.options())
        .captions(&args.image, args.output.top as usize)?;
    let found = Found {
        query: &Query::Picture(args.image.clone()),
        by: By::Meaning,
        began,
        hits: Hits::Captions(hits),
    };
    output::show(&found, &args.output, workspace, printer)
}
