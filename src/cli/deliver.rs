//! What is done with hits besides printing them: copies, links, the system's viewer.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::slice;

use anyhow::{Result, anyhow};

use super::args::OutputArgs;
use super::count::counted;
use super::exit::ExitStatus;
use super::printer::Printer;
use super::rows::Row;
use crate::engine::{GatherReport, How, gather};

/// Copies, links and opens the pictures of the hits, as far as that was asked for.
pub(super) fn deliver(
    rows: &[Row<'_>],
    args: &OutputArgs,
    printer: &Printer,
) -> Result<ExitStatus> {
    let mut status = ExitStatus::Found;
    let folders = [
        (How::Copy, args.copy_to.as_deref()),
        (How::Link, args.link_to.as_deref()),
    ];
    for (how, folder) in folders {
        if let Some(folder) = folder
            && gather_in(folder, how, &pictures(rows), printer)? == ExitStatus::Error
        {
            status = ExitStatus::Error;
        }
    }
    for files in pictures(rows).iter().take(args.open.map_or(0, usize::from)) {
        open_in_viewer(files)?;
    }
    Ok(status)
}

/// Copies or links pictures, each with all of its files, into a folder.
pub(super) fn gather_in(
    folder: &Path,
    how: How,
    pictures: &[&[PathBuf]],
    printer: &Printer,
) -> Result<ExitStatus> {
    let report = gather(pictures, folder, how)?;
    show(&report, how, folder, printer);
    Ok(if report.skipped.is_empty() {
        ExitStatus::Found
    } else {
        ExitStatus::Error
    })
}

/// Opens the first of a picture's files that exists.
///
/// # Errors
/// When the system has no program that opens files, or that program refuses this one.
pub(super) fn open_in_viewer(files: &[PathBuf]) -> Result<()> {
    let file = files.iter().find(|file| file.exists()).or(files.first());
    if let Some(file) = file {
        open::that_detached(file).map_err(|error| not_opened(file, &error))?;
    }
    Ok(())
}

/// What kept a file from being opened. The library's own words name its commands in Rust's syntax.
fn not_opened(file: &Path, error: &io::Error) -> anyhow::Error {
    let why = match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::NotFound, _) => "no program that opens pictures was found".to_owned(),
        (_, Some(_)) => error.to_string(),
        _ => "the program that opens pictures failed".to_owned(),
    };
    anyhow!("{}: cannot be opened in a viewer: {why}", file.display())
}

/// The files of each picture: of a hit that is one, all that have its content; of a caption, those
/// of its pictures.
fn pictures<'a>(rows: &'a [Row<'_>]) -> Vec<&'a [PathBuf]> {
    let mut pictures = Vec::new();
    for row in rows {
        match row.picture {
            Some(_) => pictures.push(row.paths),
            None => pictures.extend(row.paths.iter().map(slice::from_ref)),
        }
    }
    pictures
}

/// `8 pictures copied to cats, 2 were there already`
fn show(report: &GatherReport, how: How, folder: &Path, printer: &Printer) {
    let (done, verb) = match how {
        How::Copy => ("copied", "copy"),
        How::Link => ("linked", "link"),
    };
    for skipped in &report.skipped {
        let reason = Printer::safe(&skipped.reason);
        let path = printer.shown(&skipped.path);
        printer.error(format_args!("cannot {verb} {path}: {reason}"), None);
    }
    let pictures = counted(report.n_done as u64, "picture");
    let mut summary = format!("{done} {pictures} to {}", printer.shown(folder));
    if report.n_there > 0 {
        let were = if report.n_there == 1 { "was" } else { "were" };
        let _ = write!(summary, ", {} {were} there already", report.n_there);
    }
    if !report.skipped.is_empty() {
        let _ = write!(summary, ", {} failed", report.skipped.len());
    }
    printer.note(summary);
}
