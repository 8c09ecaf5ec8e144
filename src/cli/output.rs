//! Shows hits: lines for people, JSON and paths for programs, a page with thumbnails.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::args::{FindArg, OutputArgs};
use super::exit::ExitStatus;
use super::gallery::{Card, Gallery};
use super::printer::{Printer, Style};
use super::settings::Settings;
use crate::answers::{FoundAnswer, HitAnswer};
use crate::engine::{By, CaptionHit, Details, Engine, Query, SearchHit};

/// How many of a picture's captions a line of results shows.
const N_CAPTIONS_SHOWN: usize = 1;

/// What the hits answer.
pub(super) struct Asked<'a> {
    pub(super) query: &'a Query,
    pub(super) by: By,
    pub(super) began: Instant,
}

impl Asked<'_> {
    fn answer<'b>(&'b self, hits: Vec<HitAnswer<'b>>) -> FoundAnswer<'b> {
        FoundAnswer::new(self.query, self.by, self.began.elapsed(), hits)
    }
}

/// `1 file`, `2 files`
pub(super) fn counted(n: u64, what: &str) -> String {
    let number = indicatif::HumanCount(n);
    match (n, what.split_once(' ')) {
        (1, _) => format!("{number} {what}"),
        (_, Some((first, rest))) => format!("{number} {first}s {rest}"),
        (_, None) => format!("{number} {what}s"),
    }
}

/// Shows pictures found.
pub(super) fn images(
    hits: &[SearchHit],
    asked: &Asked<'_>,
    args: &OutputArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    if let Some(page) = &args.html {
        let mut gallery = Gallery::new(asked.query);
        for (place, hit) in hits.iter().enumerate() {
            gallery.push(&Card {
                rank: place + 1,
                picture: Some(hit.path()),
                similarity: hit.similarity,
                why: why(hit),
                texts: hit.captions.iter().map(String::as_str).collect(),
            });
        }
        write_page(gallery, page, args.append, settings, printer)?;
    }
    if args.json {
        let hits = (1..).zip(hits).map(HitAnswer::image).collect();
        printer.json(&asked.answer(hits))?;
    } else if args.paths {
        print_paths(hits.iter().map(SearchHit::path), args, printer)?;
    } else {
        for (place, hit) in hits.iter().enumerate() {
            let similarity = shown_similarity(hit.similarity);
            let rank = printer.paint(Style::Bold, &format!("{:>3}", place + 1));
            let why = why(hit);
            let why = printer.paint(Style::Dim, &why);
            let path = printer.paint(Style::Green, &settings.shown(hit.path()));
            printer.line(format_args!("{rank}  {similarity}  {path}  {why}"))?;
            for path in hit.paths.iter().skip(1) {
                let path = settings.shown(path);
                printer.line(printer.paint(Style::Dim, &format!("{:13}also {path}", "")))?;
            }
            if let Some(details) = details(&hit.details) {
                printer.line(printer.paint(Style::Dim, &format!("{:13}{details}", "")))?;
            }
            for caption in hit.captions.iter().take(N_CAPTIONS_SHOWN) {
                printer.line(format_args!("{:13}“{}”", "", Printer::safe(caption)))?;
            }
        }
    }
    Ok(finish(hits.len(), FindArg::Images, settings, printer))
}

/// Shows captions found.
pub(super) fn captions(
    hits: &[CaptionHit],
    asked: &Asked<'_>,
    args: &OutputArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    if let Some(page) = &args.html {
        let mut gallery = Gallery::new(asked.query);
        for (place, hit) in hits.iter().enumerate() {
            gallery.push(&Card {
                rank: place + 1,
                picture: None,
                similarity: hit.similarity,
                why: String::new(),
                texts: vec![hit.text.as_str()],
            });
        }
        write_page(gallery, page, args.append, settings, printer)?;
    }
    if args.json {
        let hits = (1..).zip(hits).map(HitAnswer::caption).collect();
        printer.json(&asked.answer(hits))?;
    } else if args.paths {
        print_paths(
            hits.iter().flat_map(|hit| &hit.pictures).map(AsRef::as_ref),
            args,
            printer,
        )?;
    } else {
        for (place, hit) in hits.iter().enumerate() {
            let similarity = shown_similarity(hit.similarity);
            let rank = printer.paint(Style::Bold, &format!("{:>3}", place + 1));
            let of = hit.pictures.first().unwrap_or(&hit.source);
            let of = printer.paint(Style::Dim, &settings.shown(of));
            let text = Printer::safe(&hit.text);
            printer.line(format_args!("{rank}  {similarity}  {text}  {of}"))?;
        }
    }
    Ok(finish(hits.len(), FindArg::Captions, settings, printer))
}

fn write_page(
    gallery: Gallery,
    page: &Path,
    append: bool,
    settings: &Settings,
    printer: &Printer,
) -> Result<()> {
    gallery.write(page, append)?;
    printer.note(format_args!("wrote {}", settings.shown(page)));
    Ok(())
}

fn finish(n: usize, find: FindArg, settings: &Settings, printer: &Printer) -> ExitStatus {
    if n > 0 {
        return ExitStatus::Found;
    }
    let (what, way_on) = match find {
        FindArg::Images => ("picture", "sightline index ~/Pictures"),
        FindArg::Captions => (
            "caption",
            "sightline index --captions FILE, or texts beside pictures",
        ),
    };
    printer.note(format_args!("no {what} found"));
    let is_empty = Engine::status(settings.index()).is_ok_and(|status| match find {
        FindArg::Images => status.n_images == 0,
        FindArg::Captions => status.n_captions == 0,
    });
    if is_empty {
        printer.note(format_args!(
            "\nhint: the index has no {what}s yet; add some with: {way_on}"
        ));
    }
    ExitStatus::Nothing
}

fn shown_similarity(similarity: Option<f32>) -> String {
    similarity.map_or_else(
        || "     –".to_owned(),
        |similarity| format!("{similarity:>6.3}"),
    )
}

/// `meaning + words (dog, beach)`
fn why(hit: &SearchHit) -> String {
    let words = || format!("words ({})", hit.words.join(", "));
    match (hit.rank_by_meaning, hit.rank_by_words) {
        (Some(_), Some(_)) => format!("meaning + {}", words()),
        (None, Some(_)) => words(),
        _ => "meaning".to_owned(),
    }
}

/// `2023-08-14, Nikon D750, Kyoto`: what the file says, where it says something.
fn details(details: &Details) -> Option<String> {
    let date = details.taken.map(|taken| {
        let (year, month, day) = (taken.year(), taken.month(), taken.day());
        format!("{year:04}-{month:02}-{day:02}")
    });
    let camera = details.camera.clone();
    let known: Vec<String> = date
        .into_iter()
        .chain(camera)
        .chain(details.places.iter().cloned())
        .collect();
    (!known.is_empty()).then(|| Printer::safe(&known.join(", ")))
}

fn print_paths<'a>(
    paths: impl Iterator<Item = &'a Path>,
    args: &OutputArgs,
    printer: &mut Printer,
) -> Result<()> {
    for path in paths {
        printer.bytes(path.as_os_str().as_encoded_bytes())?;
        printer.bytes(if args.null { b"\0" } else { b"\n" })?;
    }
    Ok(())
}
