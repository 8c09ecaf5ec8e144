//! `sightline models check`

use anyhow::{Result, bail};

use crate::cli::args::CheckArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;

pub(super) fn run(
    args: &CheckArgs,
    _settings: &Settings,
    _printer: &mut Printer,
) -> Result<ExitStatus> {
    bail!("not there yet: {args:?}")
}
