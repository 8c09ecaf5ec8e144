//! Shows hits: lines for people, JSON and paths for programs, a page with thumbnails.

use std::time::Instant;

use anyhow::Result;

use super::args::OutputArgs;
use super::exit::ExitStatus;
use super::gallery;
use super::hints;
use super::printer::{Printer, Style};
use super::rows::{Hits, Row};
use crate::answers::FoundAnswer;
use crate::engine::{By, Engine, Query, Reading};
use crate::workspace::Workspace;

/// How many of a picture's captions are printed below it.
const N_CAPTIONS_SHOWN: usize = 1;

/// Characters of a caption that are printed; JSON has all of it.
const MAX_SHOWN: usize = 400;

/// Width of rank and similarity, below which further lines of a hit are indented.
const INDENT: usize = 13;

/// The hits of a query, best first.
pub(super) struct Found<'a> {
    pub(super) query: &'a Query,
    pub(super) by: By,
    /// What the model made of the text of each part; none where no text was encoded.
    pub(super) readings: Vec<Option<Reading>>,
    pub(super) began: Instant,
    pub(super) hits: Hits,
}

/// `1 file`, `2 files`
pub(super) fn counted(n: impl TryInto<u64>, what: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {what}{plural}", indicatif::HumanCount(n))
}

/// Shows hits in the form that was asked for.
pub(super) fn show(
    found: &Found<'_>,
    args: &OutputArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let rows = found.hits.rows(printer);
    if let Some(page) = &args.html {
        gallery::write(page, args.append, found.query, &rows)?;
        printer.note(format_args!("wrote {}", printer.shown(page)));
    }
    if args.json {
        let Found {
            query,
            by,
            readings,
            began,
            hits,
        } = found;
        printer.json(&FoundAnswer::new(
            query,
            *by,
            readings,
            began.elapsed(),
            hits.answers(),
        ))?;
    } else if args.paths {
        print_paths(&rows, args.null, printer)?;
    } else {
        print_lines(&rows, printer)?;
    }
    if rows.is_empty() {
        note_nothing_found(&found.hits, workspace, printer);
        return Ok(ExitStatus::Nothing);
    }
    Ok(ExitStatus::Found)
}

/// A caption as a line shows it.
fn shortened(caption: &str) -> String {
    match caption.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => Printer::safe(&caption[..end]) + "…",
        None => Printer::safe(caption),
    }
}

fn print_lines(rows: &[Row<'_>], printer: &mut Printer) -> Result<()> {
    for row in rows {
        let rank = printer.paint(Style::Bold, &format!("{:>3}", row.rank));
        let similarity = match row.similarity {
            Some(similarity) => format!("{similarity:>6.3}"),
            None => "     –".to_owned(),
        };
        let note = printer.paint(Style::Dim, &row.note);
        let Some(path) = row.picture else {
            let text = shortened(&row.texts.concat());
            printer.line(format_args!("{rank}  {similarity}  {text}  {note}"))?;
            continue;
        };
        let path = printer.paint(Style::Green, &printer.shown(path));
        printer.line(format_args!("{rank}  {similarity}  {path}  {note}"))?;
        let others = row.paths.iter().skip(1);
        let others = others.map(|path| format!("also {}", printer.shown(path)));
        let lines: Vec<String> = others.chain(row.details.clone()).collect();
        for line in lines {
            printer.line(printer.paint(Style::Dim, &format!("{:INDENT$}{line}", "")))?;
        }
        for caption in row.texts.iter().take(N_CAPTIONS_SHOWN) {
            printer.line(format_args!("{:INDENT$}“{}”", "", shortened(caption)))?;
        }
    }
    Ok(())
}

/// Of a picture its first path, of a caption those of all its pictures.
fn print_paths(rows: &[Row<'_>], null: bool, printer: &mut Printer) -> Result<()> {
    for row in rows {
        let n = row.picture.map_or(row.paths.len(), |_| 1);
        for path in row.paths.iter().take(n) {
            printer.bytes(path.as_os_str().as_encoded_bytes())?;
            printer.bytes(if null { b"\0" } else { b"\n" })?;
        }
    }
    Ok(())
}

fn note_nothing_found(hits: &Hits, workspace: &Workspace, printer: &Printer) {
    let (what, arguments, also) = match hits {
        Hits::Images(_) => ("picture", "index ~/Pictures", ""),
        Hits::Captions(_) => (
            "caption",
            "index --captions FILE",
            ", or text files beside pictures",
        ),
    };
    printer.note(format_args!("no {what} found"));
    let is_empty = Engine::status(workspace.index()).is_ok_and(|status| match hits {
        Hits::Images(_) => status.n_images == 0,
        Hits::Captions(_) => status.n_captions == 0,
    });
    if is_empty {
        printer.hint(format_args!(
            "the index has no {what}s yet; add some with `{}`{also}",
            hints::command(arguments, workspace.named_index())
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_captions_are_shortened_between_characters() {
        let caption = "é".repeat(MAX_SHOWN);
        assert_eq!(shortened(&caption), caption);
        assert_eq!(shortened(&format!("{caption}é")), format!("{caption}…"));
    }
}
