//! `sightline embed`

use anyhow::{Result, bail};

use crate::cli::args::EmbedArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;

pub(in crate::cli) fn run(
    args: &EmbedArgs,
    _settings: &Settings,
    _printer: &mut Printer,
) -> Result<ExitStatus> {
    bail!("not there yet: {args:?}")
}
