//! Shows hits: lines for people, JSON and paths for programs, a page with thumbnails.

use std::time::Instant;

use anyhow::Result;

use super::args::OutputArgs;
pub(super) use super::count::counted;
use super::deliver;
use super::exit::ExitStatus;
use super::fit;
use super::gallery;
use super::hints;
use super::preview::Graphics;
use super::printer::{Printer, Style};
use super::rows::{Hits, Row};
use crate::answers::csv::{
    CAPTION_COLUMNS, IMAGE_COLUMNS, PHRASE_COLUMNS, caption_cells, image_cells, phrase_cells,
};
use crate::answers::{FoundAnswer, HitAnswer};
use crate::engine::{By, Confidence, Engine, Query, Reading, Strength};
use crate::workspace::Workspace;

/// How many of a picture's captions are printed below it.
const N_CAPTIONS_SHOWN: usize = 1;

/// Characters of a caption that are printed; JSON has all of it.
const MAX_SHOWN: usize = 400;

/// Width of rank and similarity, below which further lines of a hit are indented.
const INDENT: usize = 13;

/// Columns that are used behind the indentation, however narrow the terminal is.
const MIN_ROOM: usize = 24;

/// Columns for pictures where the terminal does not say how many there are.
const COLUMNS: usize = 80;

/// The hits of a query, best first.
pub(super) struct FoundHits<'a> {
    pub(super) query: &'a Query,
    pub(super) by: By,
    /// What the model made of the text of each part; none where no text was encoded.
    pub(super) readings: Vec<Option<Reading>>,
    pub(super) began: Instant,
    pub(super) hits: Hits,
}

/// Shows hits in the form that was asked for.
pub(super) fn show(
    found: &FoundHits<'_>,
    args: &OutputArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let rows = found.hits.rows(printer);
    if let Some(page) = &args.html {
        gallery::write(page, args.append, found.query, &rows)?;
        printer.note(format_args!("wrote {}", printer.shown(page)));
    }
    print(found, &rows, false, args, printer)?;
    if rows.is_empty() {
        note_nothing_found(&found.hits, workspace, printer);
        return Ok(ExitStatus::Nothing);
    }
    // The results come before the notes on what is done with them.
    printer.flush()?;
    let status = deliver::deliver(&rows, args, printer)?;
    if status == ExitStatus::Found && note_if_unlikely(&rows, printer) {
        return Ok(ExitStatus::Nothing);
    }
    Ok(status)
}

/// Shows the hits of these ranks, from 1, of a search that goes on: JSON on one line.
pub(super) fn show_some(
    found: &FoundHits<'_>,
    ranks: &dyn Fn(usize) -> bool,
    args: &OutputArgs,
    printer: &mut Printer,
) -> Result<()> {
    if args.json {
        let answers = (1..).zip(found.hits.answers());
        let answers = answers.filter(|(rank, _)| ranks(*rank));
        let answer = found.answer(answers.map(|(_, answer)| answer).collect());
        // Sorted by name, as in answers of several lines.
        printer.json_line(&serde_json::to_value(answer)?)?;
    } else {
        let rows = found.hits.rows(printer);
        let (shown, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| ranks(row.rank));
        let first = shown.first().map_or(0, |row| row.rank);
        let before = others.iter().find(|row| row.rank + 1 == first);
        print(
            found,
            &shown,
            before.is_some_and(is_less_likely),
            args,
            printer,
        )?;
    }
    Ok(printer.flush()?)
}

/// Says that even the best of some hits is unlikely, if it is.
pub(super) fn note_if_unlikely(rows: &[Row<'_>], printer: &Printer) -> bool {
    let is_unlikely =
        |row: &Row<'_>| row.confidence.map(Confidence::strength) == Some(Strength::Unlikely);
    let is_none_likely = rows.iter().all(is_unlikely);
    if is_none_likely {
        printer.note("probably nothing fits: even the best hit is unlikely");
    }
    is_none_likely
}

impl FoundHits<'_> {
    fn answer<'a>(&'a self, hits: Vec<HitAnswer<'a>>) -> FoundAnswer<'a> {
        FoundAnswer::new(
            self.query,
            self.by,
            &self.readings,
            self.began.elapsed(),
            hits,
        )
    }
}

/// Prints hits in the form that was asked for. `was_less_likely`: whether the hit before them is.
fn print(
    found: &FoundHits<'_>,
    rows: &[Row<'_>],
    was_less_likely: bool,
    args: &OutputArgs,
    printer: &mut Printer,
) -> Result<()> {
    if args.json {
        return Ok(printer.json(&found.answer(found.hits.answers()))?);
    }
    if args.csv {
        return print_csv(&found.hits, printer);
    }
    if args.paths {
        return print_paths(rows, args.null, printer);
    }
    let graphics = args
        .preview
        .map(|asked| printer.graphics(asked))
        .transpose();
    if let Err(reason) = graphics {
        printer.note(format_args!("no pictures are shown: {reason}"));
    }
    let graphics = graphics.unwrap_or_default();
    print_lines(rows, was_less_likely, args.why, graphics, printer)
}

/// A caption as a line shows it.
fn shortened(caption: &str) -> String {
    match caption.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => Printer::safe(&caption[..end]) + "…",
        None => Printer::safe(caption),
    }
}

/// Whether a hit is below the bound from which hits are as likely right as wrong.
fn is_less_likely(row: &Row<'_>) -> bool {
    row.confidence
        .is_some_and(|confidence| !confidence.strength().is_likely())
}

/// The confidence in a hit, coloured by its strength; of an uncalibrated model the similarity.
fn value(row: &Row<'_>, printer: &Printer) -> String {
    let Some(confidence) = row.confidence else {
        return match row.similarity {
            Some(similarity) => format!("{similarity:>6.3}"),
            None => "     –".to_owned(),
        };
    };
    let value = format!("{:>6.2}", confidence.value());
    match confidence.strength() {
        Strength::Strong => printer.paint(Style::Green, &value),
        Strength::Fair => value,
        Strength::Weak | Strength::Unlikely => printer.paint(Style::Dim, &value),
    }
}

fn print_reasons(row: &Row<'_>, why: bool, printer: &mut Printer) -> Result<()> {
    for reason in row.reasons.iter().filter(|_| why) {
        printer.line(printer.paint(Style::Dim, &format!("{:INDENT$}{reason}", "")))?;
    }
    Ok(())
}

/// Fits a text into a number of columns.
type Fit = fn(&str, usize) -> String;

/// The text and the note of a hit within what `columns` leave for them. The note gives way first,
/// down to two fifths.
fn fitted(
    (text, fit_text): (&str, Fit),
    (note, fit_note): (&str, Fit),
    columns: Option<usize>,
) -> (String, String) {
    let (wide, note_wide) = (fit::width(text), fit::width(note));
    let room = columns.map_or(usize::MAX, |columns| room(columns).saturating_sub(2));
    if wide.saturating_add(note_wide) <= room {
        return (text.to_owned(), note.to_owned());
    }
    let for_note = room.saturating_sub(wide).max(room * 2 / 5);
    let note = fit_note(note, for_note);
    (fit_text(text, room - fit::width(&note)), note)
}

/// Columns behind the indentation.
fn room(columns: usize) -> usize {
    columns.saturating_sub(INDENT).max(MIN_ROOM)
}

/// A caption, or as much of it as fits.
fn quoted(caption: &str, columns: Option<usize>) -> String {
    let caption = shortened(caption);
    match columns {
        Some(columns) => format!("“{}”", fit::cut(&caption, room(columns) - 2)),
        None => format!("“{caption}”"),
    }
}

fn print_lines(
    rows: &[Row<'_>],
    mut was_less_likely: bool,
    why: bool,
    graphics: Option<Graphics>,
    printer: &mut Printer,
) -> Result<()> {
    let columns = Printer::width();
    let within = |text: &str, before: usize, fit: Fit| match columns {
        Some(columns) => fit(text, room(columns) - before),
        None => text.to_owned(),
    };
    for row in rows {
        let note = Printer::safe(&row.note);
        let rank = printer.paint(Style::Bold, &format!("{:>3}", row.rank));
        if is_less_likely(row) && !was_less_likely && row.rank > 1 {
            let line = format!("{:INDENT$}less likely from here", "");
            printer.line(printer.paint(Style::Dim, &line))?;
        }
        was_less_likely = is_less_likely(row);
        let value = value(row, printer);
        if let Some(path) = row.picture {
            let path = printer.shown(path);
            let (path, note) = fitted((&path, fit::shorten), (&note, fit::cut), columns);
            let path = printer.paint(Style::Green, &path);
            let note = printer.paint(Style::Dim, &note);
            printer.line(format_args!("{rank}  {value}  {path}  {note}"))?;
            print_reasons(row, why, printer)?;
            let others = row.paths.iter().skip(1).map(|path| printer.shown(path));
            let others = others.map(|path| format!("also {}", within(&path, 5, fit::shorten)));
            let details = row
                .details
                .iter()
                .map(|details| within(details, 0, fit::cut));
            let lines: Vec<String> = others.chain(details).collect();
            for line in lines {
                printer.line(printer.paint(Style::Dim, &format!("{:INDENT$}{line}", "")))?;
            }
            for caption in row.texts.iter().take(N_CAPTIONS_SHOWN) {
                printer.line(format_args!("{:INDENT$}{}", "", quoted(caption, columns)))?;
            }
        } else {
            let text = shortened(&row.texts.concat());
            let (text, note) = fitted((&text, fit::cut), (&note, fit::shorten), columns);
            let note = printer.paint(Style::Dim, &note);
            printer.line(format_args!("{rank}  {value}  {text}  {note}"))?;
            print_reasons(row, why, printer)?;
        }
        if let Some((graphics, path)) = graphics.zip(row.paths.first()) {
            match graphics.drawing(path, INDENT, columns.unwrap_or(COLUMNS)) {
                Ok(drawing) => printer.bytes(drawing.as_bytes())?,
                Err(reason) => {
                    let line = format!("{:INDENT$}(no preview: {})", "", Printer::safe(&reason));
                    printer.line(printer.paint(Style::Dim, &line))?;
                }
            }
        }
    }
    Ok(())
}

/// The hits with all that CSV has of them, a header first.
fn print_csv(hits: &Hits, printer: &mut Printer) -> Result<()> {
    match hits {
        Hits::Images(hits) => printer.csv(&IMAGE_COLUMNS, (1..).zip(hits).map(image_cells))?,
        Hits::Captions(hits) => {
            printer.csv(&CAPTION_COLUMNS, (1..).zip(hits).map(caption_cells))?;
        }
        Hits::Phrases(hits) => {
            printer.csv(&PHRASE_COLUMNS, (1..).zip(hits).map(phrase_cells))?;
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

/// Says that nothing was found, and why if the index is empty.
pub(super) fn note_nothing_found(hits: &Hits, workspace: &Workspace, printer: &Printer) {
    let (what, arguments, also) = match hits {
        Hits::Images(_) => ("picture", "index ~/Pictures", ""),
        Hits::Captions(_) => (
            "caption",
            "index --captions FILE",
            ", or text files beside pictures",
        ),
        // The bank is never empty.
        Hits::Phrases(_) => return printer.note("no phrase found"),
    };
    printer.note(format_args!("no {what} found"));
    let is_empty = Engine::status(workspace.index()).is_ok_and(|status| match hits {
        Hits::Images(_) => status.n_images == 0,
        Hits::Captions(_) | Hits::Phrases(_) => status.n_captions == 0,
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
    fn text_and_note_of_a_hit_share_a_line() {
        let rows = [
            (
                None,
                "photos/2023/holiday/IMG_1.jpg",
                "meaning + words (dog, beach)",
            ),
            (
                Some(80),
                "photos/2023/holiday/IMG_1.jpg",
                "meaning + words (dog, beach)",
            ),
            (
                Some(60),
                "photos/2023/h…day/IMG_1.jpg",
                "meaning + words (…",
            ),
            (Some(50), "photos/202…/IMG_1.jpg", "meaning + wor…"),
            (Some(40), "phot…/IMG_1.jpg", "meaning +…"),
            (Some(1), "pho…/IMG_1.jpg", "meaning…"),
        ];
        assert_eq!(rows.len(), 6);
        let (_, path, note) = rows[0];
        for (columns, expected_path, expected_note) in rows {
            let found = fitted((path, fit::shorten), (note, fit::cut), columns);
            assert_eq!(
                (found.0.as_str(), found.1.as_str()),
                (expected_path, expected_note)
            );
        }
    }

    #[test]
    fn long_captions_are_shortened_between_characters() {
        let caption = "é".repeat(MAX_SHOWN);
        assert_eq!(shortened(&caption), caption);
        assert_eq!(shortened(&format!("{caption}é")), format!("{caption}…"));
    }
}
