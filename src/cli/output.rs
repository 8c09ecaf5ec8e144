//! Shows hits: lines for people, JSON and paths for programs, a page with thumbnails.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::args::{FindArg, OutputArgs};
use super::exit::ExitStatus;
use super::gallery::{Card, Gallery};
use super::printer::{Printer, Style};
use super::settings::Settings;
use crate::engine::{By, CaptionHit, Details, Engine, Query, SearchHit, Skipped};

/// How many of a picture's captions a line of results shows.
const N_CAPTIONS_SHOWN: usize = 1;

/// What the hits answer.
pub(super) struct Asked<'a> {
    pub(super) query: &'a Query,
    pub(super) by: By,
    pub(super) began: Instant,
}

impl Asked<'_> {
    fn by(&self) -> &'static str {
        match self.by {
            By::Meaning => "meaning",
            By::Words => "words",
            By::Both => "both",
        }
    }

    fn json(&self, hits: &[Value]) -> Value {
        let query = match self.query {
            Query::Text(text) => json!({ "text": text }),
            Query::Picture(path) => json!({ "image": path_json(path) }),
        };
        let milliseconds = (self.began.elapsed().as_secs_f64() * 1e4).round() / 10.0;
        json!({ "query": query, "by": self.by(), "took_ms": milliseconds, "hits": hits })
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

/// `{"path": …}`, and when the path is not UTF-8 its exact bytes as `path_base64` too.
pub(super) fn path_json(path: &Path) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert("path".into(), json!(path.to_string_lossy()));
    if let Some(encoded) = path_base64(path) {
        entry.insert("path_base64".into(), json!(encoded));
    }
    entry
}

/// The exact bytes of a path that is not UTF-8.
pub(super) fn path_base64(path: &Path) -> Option<String> {
    path.to_str().is_none().then(|| {
        let bytes = path.as_os_str().as_encoded_bytes();
        base64::engine::general_purpose::STANDARD.encode(bytes)
    })
}

/// Files left out, each with its `reason`.
pub(super) fn skipped_json(skipped: &[Skipped]) -> Vec<Map<String, Value>> {
    let one = |skipped: &Skipped| {
        let mut entry = path_json(&skipped.path);
        entry.insert("reason".into(), json!(skipped.reason));
        entry
    };
    skipped.iter().map(one).collect()
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
        let hits: Vec<_> = hits
            .iter()
            .enumerate()
            .map(|(place, hit)| image_json(place + 1, hit))
            .collect();
        printer.json(&asked.json(&hits))?;
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
        let hits: Vec<_> = hits
            .iter()
            .enumerate()
            .map(|(place, hit)| caption_json(place + 1, hit))
            .collect();
        printer.json(&asked.json(&hits))?;
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

fn image_json(rank: usize, hit: &SearchHit) -> Value {
    let mut by = Vec::new();
    if hit.rank_by_meaning.is_some() {
        by.push("meaning");
    }
    if hit.rank_by_words.is_some() {
        by.push("words");
    }
    let mut entry = Map::new();
    entry.insert("rank".into(), json!(rank));
    entry.extend(path_json(hit.path()));
    let others: Vec<_> = hit
        .paths
        .iter()
        .skip(1)
        .map(|path| path_json(path))
        .collect();
    entry.insert("other_paths".into(), json!(others));
    entry.insert("similarity".into(), json!(hit.similarity));
    entry.insert("by".into(), json!(by));
    entry.insert("words".into(), json!(hit.words));
    entry.insert("captions".into(), json!(hit.captions));
    entry.insert("width".into(), json!(hit.width));
    entry.insert("height".into(), json!(hit.height));
    let Details {
        camera,
        taken,
        places,
    } = &hit.details;
    entry.insert("camera".into(), json!(camera));
    let taken = taken.map(|taken| taken.to_string());
    entry.insert("taken".into(), json!(taken));
    entry.insert("places".into(), json!(places));
    Value::Object(entry)
}

fn caption_json(rank: usize, hit: &CaptionHit) -> Value {
    let pictures: Vec<_> = hit.pictures.iter().map(|path| path_json(path)).collect();
    json!({
        "rank": rank,
        "text": hit.text,
        "similarity": hit.similarity,
        "words": hit.words,
        "images": pictures,
        "source": path_json(&hit.source),
    })
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
