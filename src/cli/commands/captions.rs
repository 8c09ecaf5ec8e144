//! `sightline captions`

use std::time::Instant;

use anyhow::Result;

use crate::cli::args::CaptionsArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::output::{self, Found};
use crate::cli::printer::Printer;
use crate::cli::rows::Hits;
use crate::cli::settings::Settings;
use crate::engine::{By, Query};

pub(in crate::cli) fn run(
    args: &CaptionsArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let began = Instant::now();
    let hits = settings
        .engine()?
        .with_decode_options(args.decode.options())
        .captions(&args.image, args.output.top as usize)?;
    let found = Found {
        query: &Query::Picture(args.image.clone()),
        by: By::Meaning,
        began,
        hits: Hits::Captions(hits),
    };
    output::show(&found, &args.output, settings, printer)
}
