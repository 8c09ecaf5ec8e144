//! Hits as a self-contained HTML page, with its style and thumbnails inside.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use base64::Engine as _;
use sightline_picture::{DecodeLimits, Thumbnail};

use super::rows::Row;
use crate::atomic::AtomicFile;
use crate::engine::{Part, PartContent, Query};

/// Longest side of a thumbnail, in pixels: sharp on a dense screen at the width of a card.
const THUMBNAIL_SIDE: u32 = 480;
const STYLE: &str = include_str!("gallery.css");
/// Marks where `--append` inserts the next section. A page without it is refused.
const END: &str = "<!-- sightline: next section here -->";

/// Writes hits as a page, or with `append` adds them to an existing one.
///
/// # Errors
/// When the page cannot be written, or an existing file of its name was not written by Sightline.
pub(super) fn write(page: &Path, append: bool, query: &Query, rows: &[Row<'_>]) -> Result<()> {
    let section = section(query, rows);
    let before = if page.is_file() {
        fs_err::read(page)?
    } else {
        Vec::new()
    };
    let text = std::str::from_utf8(&before).ok();
    let parts = text.and_then(|text| text.rsplit_once(END));
    if parts.is_none() && !before.is_empty() {
        let what = if append { "add to" } else { "replace" };
        bail!(
            "{}: not a page that Sightline wrote; refusing to {what} it",
            page.display()
        );
    }
    let html = if let Some((head, tail)) = parts.filter(|_| append) {
        format!("{head}{section}{tail}")
    } else {
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Sightline</title>\n<style>\n{STYLE}</style>\n\
             <header><h1>Sightline</h1></header>\n<main>\n{section}\n</main>\n</html>\n"
        )
    };
    if page.exists() && !page.is_file() {
        // A pipe or a device, which nothing can take the place of.
        fs_err::write(page, html)?;
    } else {
        // A link stays one, and the page that it leads to is replaced.
        let target = fs_err::canonicalize(page).unwrap_or_else(|_| page.to_path_buf());
        let mut file = AtomicFile::create(&target)?;
        file.write_all(html.as_bytes())?;
        file.commit()?;
    }
    Ok(())
}

/// A query with its hits.
fn section(query: &Query, rows: &[Row<'_>]) -> String {
    let pictures: String = query.parts.iter().filter_map(asked).collect();
    let title = match &query.parts[..] {
        [Part { content, .. }] if query.is_plain() => match content {
            PartContent::Text(text) => format!("“{text}”"),
            PartContent::Picture(path) | PartContent::Item(path) => name_of(path),
            _ => query.to_string(),
        },
        _ => query.to_string(),
    };
    let title = format!("<h2>{}</h2>", escape(&title));
    let heading = if pictures.is_empty() {
        title
    } else {
        format!("<div class=\"asked\">{pictures}{title}</div>")
    };
    let body = if rows.is_empty() {
        "<p class=\"none\">nothing found</p>".to_owned()
    } else {
        let with_pictures = rows.iter().any(|row| row.picture.is_some());
        let class = if with_pictures { "pictures" } else { "texts" };
        let cards: String = rows.iter().map(card).collect();
        format!("<ol class=\"{class}\">\n{cards}</ol>")
    };
    format!("<section>\n{heading}\n{body}\n</section>\n{END}")
}

/// The thumbnail of a picture in the query.
fn asked(part: &Part) -> Option<String> {
    let alt = "query picture";
    match &part.content {
        PartContent::Picture(path) | PartContent::Item(path) => Some(thumbnail(path, alt)),
        PartContent::Bytes(bytes) => Some(thumbnail_of(bytes, alt)),
        _ => None,
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// One hit as a list item.
fn card(row: &Row<'_>) -> String {
    let text = row.texts.first().map(String::as_str);
    let mut html = String::from("<li>");
    if let Some(path) = row.picture {
        let (url, image) = (file_url(path), thumbnail(path, text.unwrap_or_default()));
        let _ = write!(html, "<a href=\"{url}\">{image}</a>");
    }
    let rank = row.rank;
    let _ = write!(
        html,
        "<div class=\"about\"><span class=\"rank\">{rank}</span>"
    );
    let value = row
        .confidence
        .map(|confidence| format!("{:.2}", confidence.value()));
    let value = value.or_else(|| row.similarity.map(|similarity| format!("{similarity:.3}")));
    if let Some(value) = value {
        let _ = write!(html, "<span class=\"similarity\">{value}</span>");
    }
    if row.picture.is_some() {
        let _ = write!(html, "<span class=\"why\">{}</span>", escape(&row.note));
    }
    html.push_str("</div>");
    if let Some(text) = text {
        let _ = write!(html, "<p>{}</p>", escape(text));
    }
    if let Some(path) = row.picture {
        let (name, full) = (escape(&name_of(path)), escape(&path.to_string_lossy()));
        let _ = write!(html, "<p class=\"path\" title=\"{full}\">{name}</p>");
    }
    html.push_str("</li>\n");
    html
}

/// An `<img>` with the thumbnail inside, or a note when the picture is unavailable.
fn thumbnail(path: &Path, alt: &str) -> String {
    thumbnail_of(&fs_err::read(path).unwrap_or_default(), alt)
}

fn thumbnail_of(bytes: &[u8], alt: &str) -> String {
    let limits = DecodeLimits::default();
    match sightline_picture::thumbnail(bytes, &limits, THUMBNAIL_SIDE) {
        Ok(Thumbnail {
            jpeg,
            width,
            height,
        }) => format!(
            "<img src=\"data:image/jpeg;base64,{}\" width=\"{width}\" height=\"{height}\" \
             alt=\"{}\" loading=\"lazy\">",
            base64::engine::general_purpose::STANDARD.encode(jpeg),
            escape(alt)
        ),
        Err(_) => "<div class=\"missing\">picture unavailable</div>".to_owned(),
    }
}

/// A `file:` URL, with reserved bytes percent-encoded (RFC 3986).
fn file_url(path: &Path) -> String {
    let mut url = String::from("file://");
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::SearchHit;

    fn page_of(query: &str, folder: &Path, append: bool) -> Result<String> {
        let page = folder.join("page.html");
        let picture = folder.join("a \"b\"<i>.png");
        image::RgbImage::from_pixel(900, 300, image::Rgb([10, 120, 10])).save(&picture)?;
        let hit = SearchHit {
            paths: vec![picture],
            similarity: Some(0.25),
            rank_by_meaning: Some(1),
            captions: vec!["grass & <script>".to_owned()],
            ..SearchHit::default()
        };
        let rows = [Row::image((1, &hit))];
        write(&page, append, &Query::text(query), &rows)?;
        Ok(fs_err::read_to_string(&page)?)
    }

    #[test]
    fn pages_are_self_contained_and_escape_all_text() {
        let folder = tempfile::tempdir().unwrap();
        let page = page_of("green <b>", folder.path(), false).unwrap();
        assert!(page.contains("“green &lt;b&gt;”"));
        assert!(page.contains("grass &amp; &lt;script&gt;") && !page.contains("<script>"));
        assert!(page.contains("a &quot;b&quot;&lt;i&gt;.png"));
        assert!(page.contains("a%20%22b%22%3Ci%3E.png"));
        assert!(page.contains("width=\"480\" height=\"160\""));
        assert!(!page.contains("http://") && !page.contains("https://"));
    }

    #[test]
    fn append_adds_sections_in_order_and_only_to_pages_of_sightline() {
        let folder = tempfile::tempdir().unwrap();
        page_of("first", folder.path(), true).unwrap();
        let page = page_of("second", folder.path(), true).unwrap();
        assert!(page.find("“first”").unwrap() < page.find("“second”").unwrap());
        assert_eq!(
            (page.matches("<section>").count(), page.matches(END).count()),
            (2, 1)
        );
        assert!(page.trim_end().ends_with("</html>"));
        fs_err::write(folder.path().join("page.html"), "my own page").unwrap();
        let error = page_of("third", folder.path(), true)
            .unwrap_err()
            .to_string();
        assert!(error.contains("not a page that Sightline wrote"), "{error}");
    }
}
