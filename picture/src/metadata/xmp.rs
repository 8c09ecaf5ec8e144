//! XMP packets (ISO 16684-1; IPTC Photo Metadata Standard 2023).

use std::borrow::Cow;

use resvg::usvg::roxmltree::{Document, Error, Node, ParsingOptions};

use super::described::MAX_KEYWORDS;
use super::fields::{Fields, MAX_PLACES, Taken, clean, date};

/// Maximum length of a packet in bytes: longer ones hold editing histories and thumbnails. A JPEG
/// segment holds at most half of this.
pub(super) const MAX_BYTES: usize = 128 << 10;

/// Maximum number of elements and texts in a packet, and of elements inside one another. Lists in
/// lists in lists need about ten.
const MAX_NODES: u32 = 1 << 15;
const MAX_DEPTH: usize = 64;

pub(super) const DUBLIN_CORE: &str = "http://purl.org/dc/elements/1.1/";
const PHOTOSHOP: &str = "http://ns.adobe.com/photoshop/1.0/";
const IPTC_CORE: &str = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/";
const IPTC_EXTENSION: &str = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";
const EXIF: &str = "http://ns.adobe.com/exif/1.0/";
const TIFF: &str = "http://ns.adobe.com/tiff/1.0/";
const XMP: &str = "http://ns.adobe.com/xap/1.0/";

/// Reads a packet; empty if it is malformed or too long.
pub(super) fn read(bytes: &[u8]) -> Fields {
    if bytes.len() > MAX_BYTES {
        return Fields::default();
    }
    parse(bytes, MAX_NODES).unwrap_or_default()
}

/// Reads a packet of at most `max_nodes` elements and texts, or says why it cannot be read.
/// Properties may be written as elements or as attributes.
pub(super) fn parse(bytes: &[u8], max_nodes: u32) -> Result<Fields, String> {
    let text = decoded(bytes).ok_or("not UTF-8 text")?;
    let document = document(trimmed(&text), max_nodes)?;
    let mut found = Found::default();
    for node in document.descendants().filter(Node::is_element) {
        for attribute in node.attributes() {
            found.property(attribute.namespace(), attribute.name(), &|| {
                attribute.value().to_owned()
            });
        }
        let name = node.tag_name();
        if (name.namespace(), name.name()) == (Some(DUBLIN_CORE), "subject") {
            let keywords = texts_of(node).take(MAX_KEYWORDS).map(ToOwned::to_owned);
            found.fields.keywords.extend(keywords);
            continue;
        }
        found.property(name.namespace(), name.name(), &|| text_of(node));
    }
    found.places.sort_by_key(|&(rank, _)| rank);
    found.fields.places = found.places.into_iter().map(|(_, place)| place).collect();
    found.texts.sort_by_key(|&(rank, _)| rank);
    found.fields.texts = found.texts.into_iter().map(|(_, text)| text).collect();
    let position = found.latitude.zip(found.longitude);
    found.fields.position = position;
    Ok(found.fields)
}

/// A packet without what some programs write around it.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(['\u{feff}', '\0', ' ', '\n', '\r', '\t'])
}

/// The elements of a packet, or why it cannot be read.
pub(super) fn document(text: &str, max_nodes: u32) -> Result<Document<'_>, String> {
    if is_deep(text) {
        return Err(format!("elements inside one another beyond {MAX_DEPTH}"));
    }
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: max_nodes,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options).map_err(|error| match error {
        Error::NodesLimitReached => format!("more than {max_nodes} elements and texts"),
        error => error.to_string(),
    })
}

/// A packet as text: UTF-8, or UTF-16 with a byte order mark.
fn decoded(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let (units, from_bytes): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xFF, 0xFE, units @ ..] => (units, u16::from_le_bytes),
        [0xFE, 0xFF, units @ ..] => (units, u16::from_be_bytes),
        _ => return std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
    };
    let (pairs, _) = units.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|&pair| from_bytes(pair)).collect();
    String::from_utf16(&units).ok().map(Cow::Owned)
}

/// Whether elements are nested deeper than in any packet, so that no parser's stack is tried. Tags
/// in comments and texts count too.
fn is_deep(text: &str) -> bool {
    let mut depth = 0usize;
    for tag in text.split('<').skip(1) {
        let is_closed = tag.split('>').next().is_some_and(|tag| tag.ends_with('/'));
        match tag.as_bytes().first() {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'?' | b'!') | None => {}
            Some(_) if is_closed => {}
            Some(_) => depth += 1,
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// Reads `48,51.5022N`, `48,51,30N` or `-48.8583`: degrees, minutes, seconds, and one of two sides,
/// `NS` or `EW`.
fn degrees(text: &str, [positive, negative]: [char; 2]) -> Option<f64> {
    let text = text.trim();
    let side = text.chars().last()?.to_ascii_uppercase();
    let (numbers, is_negative) = if side == positive || side == negative {
        (&text[..text.len() - 1], side == negative)
    } else {
        (text, false)
    };
    let mut degrees = 0.0;
    let mut unit = 1.0;
    for number in numbers.split(',') {
        degrees += number.trim().parse::<f64>().ok()? / unit;
        unit *= 60.0;
    }
    Some(if is_negative { -degrees } else { degrees })
}

/// The first text inside an element; of a name in several languages the first one.
fn text_of(node: Node<'_, '_>) -> String {
    texts_of(node).next().unwrap_or_default().to_owned()
}

/// All texts inside an element that are not blank.
fn texts_of<'a>(node: Node<'a, '_>) -> impl Iterator<Item = &'a str> {
    let texts = node.descendants().filter(Node::is_text);
    let texts = texts.filter_map(|text| text.text());
    texts.filter(|text| !text.trim().is_empty())
}

#[derive(Default)]
struct Found {
    fields: Fields,
    /// Names with their rank: 0 for a spot, 3 for a country.
    places: Vec<(u8, String)>,
    /// Titles and descriptions with their rank: 0 for a title.
    texts: Vec<(u8, String)>,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl Found {
    fn property(&mut self, namespace: Option<&str>, name: &str, value: &dyn Fn() -> String) {
        let Some(namespace) = namespace else {
            return;
        };
        let fields = &mut self.fields;
        let rank = match (namespace, name) {
            (IPTC_CORE, "Location") | (IPTC_EXTENSION, "Sublocation" | "LocationName") => 0,
            (PHOTOSHOP | IPTC_EXTENSION, "City") => 1,
            (PHOTOSHOP, "State") | (IPTC_EXTENSION, "ProvinceState") => 2,
            (PHOTOSHOP, "Country") | (IPTC_EXTENSION, "CountryName") => 3,
            (EXIF, "DateTimeOriginal") => {
                fields.taken = Taken::merged(date(&value()), fields.taken);
                return;
            }
            (PHOTOSHOP, "DateCreated") => {
                fields.taken = Taken::merged(fields.taken, date(&value()));
                return;
            }
            (XMP, "CreateDate") => {
                fields.changed = Taken::merged(fields.changed, date(&value()));
                return;
            }
            (DUBLIN_CORE, "title") => return self.texts.push((0, value())),
            (PHOTOSHOP, "Headline") => return self.texts.push((1, value())),
            (DUBLIN_CORE, "description") | (TIFF, "ImageDescription") => {
                return self.texts.push((2, value()));
            }
            (EXIF, "UserComment") => return self.texts.push((3, value())),
            (EXIF, "GPSLatitude") => {
                self.latitude = self.latitude.or_else(|| degrees(&value(), ['N', 'S']));
                return;
            }
            (EXIF, "GPSLongitude") => {
                self.longitude = self.longitude.or_else(|| degrees(&value(), ['E', 'W']));
                return;
            }
            (TIFF, "Make") => {
                fields.make = fields.make.take().or_else(|| clean(&value()));
                return;
            }
            (TIFF, "Model") => {
                fields.model = fields.model.take().or_else(|| clean(&value()));
                return;
            }
            _ => return,
        };
        if self.places.len() < MAX_PLACES
            && let Some(place) = clean(&value())
        {
            self.places.push((rank, place));
        }
    }
}
