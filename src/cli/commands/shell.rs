//! `sightline completions` and `man`: what the definition of the command line says, for shells and
//! for `man`.

use std::io;
use std::path::Path;

use anyhow::Result;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::args::{Cli, CompletionsArgs, ManArgs};
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;

pub(in crate::cli) fn completions(
    args: &CompletionsArgs,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let mut command = Cli::definition();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    printer.bytes(&script)?;
    Ok(ExitStatus::Found)
}

pub(in crate::cli) fn man(args: &ManArgs, printer: &mut Printer) -> Result<ExitStatus> {
    let mut command = Cli::definition().disable_help_subcommand(true);
    // Sets the names of the commands: `sightline-models-list`.
    command.build();
    match &args.folder {
        None => printer.bytes(&page(command)?)?,
        Some(folder) => {
            fs_err::create_dir_all(folder)?;
            let n_pages = write_pages(&command, folder)?;
            printer.note(format_args!("wrote {n_pages} pages"));
        }
    }
    Ok(ExitStatus::Found)
}

/// Writes the pages of a command and of all below it, and returns how many.
fn write_pages(command: &clap::Command, folder: &Path) -> io::Result<usize> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    fs_err::write(folder.join(format!("{name}.1")), page(command.clone())?)?;
    let mut n_pages = 1;
    for below in command.get_subcommands() {
        n_pages += write_pages(below, folder)?;
    }
    Ok(n_pages)
}

fn page(command: clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let source = format!("sightline {}", env!("CARGO_PKG_VERSION"));
    let below = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command.after_help(None))
        .source(source)
        .manual("Sightline");
    man.render(&mut page)?;
    if let Some(below) = below {
        examples_and_notes(&below).to_writer(&mut page)?;
    }
    Ok(page)
}

/// What `--help` has below the options, with examples and tables line by line.
fn examples_and_notes(text: &str) -> Roff {
    let mut roff = Roff::new();
    let mut has_notes = false;
    for block in text.split("\n\n") {
        let mut lines = block.lines().peekable();
        if lines.next_if_eq(&"Examples:").is_some() {
            roff.control("SH", ["EXAMPLES"]);
        } else if has_notes {
            roff.control("PP", []);
        } else {
            roff.control("SH", ["NOTES"]);
            has_notes = true;
        }
        let is_table = block.lines().any(|line| line.starts_with("  "));
        if is_table {
            roff.control("nf", []);
        }
        for line in lines {
            roff.text([roman(line)]);
        }
        if is_table {
            roff.control("fi", []);
        }
    }
    roff
}
