//! XMP packets (ISO 16684-1; IPTC Photo Metadata Standard 2023).

use resvg::usvg::roxmltree::{Document, Node, ParsingOptions};

use super::fields::{Fields, MAX_PLACES, Taken, clean, date};

/// Maximum length of a packet in bytes: longer ones hold editing histories and thumbnails. A JPEG
/// segment holds at most half of this.
pub(super) const MAX_BYTES: usize = 128 << 10;

const PHOTOSHOP: &str = "http://ns.adobe.com/photoshop/1.0/";
const IPTC_CORE: &str = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/";
const IPTC_EXTENSION: &str = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";
const EXIF: &str = "http://ns.adobe.com/exif/1.0/";
const TIFF: &str = "http://ns.adobe.com/tiff/1.0/";
const XMP: &str = "http://ns.adobe.com/xap/1.0/";

/// Reads a packet. Properties may be written as elements or as attributes.
pub(super) fn read(bytes: &[u8]) -> Fields {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let text = text.trim_matches(['\u{feff}', '\0', ' ', '\n', '\r', '\t']);
    if text.len() > MAX_BYTES {
        return Fields::default();
    }
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: 1 << 15,
        ..ParsingOptions::default()
    };
    let Ok(document) = Document::parse_with_options(text, options) else {
        return Fields::default();
    };
    let mut found = Found::default();
    for node in document.descendants().filter(Node::is_element) {
        for attribute in node.attributes() {
            found.property(attribute.namespace(), attribute.name(), &|| {
                attribute.value().to_owned()
            });
        }
        let name = node.tag_name();
        found.property(name.namespace(), name.name(), &|| text_of(node));
    }
    found.places.sort_by_key(|&(rank, _)| rank);
    found.fields.places = found.places.into_iter().map(|(_, place)| place).collect();
    found.fields
}

/// The first text inside an element; of a name in several languages the first one.
fn text_of(node: Node<'_, '_>) -> String {
    let mut texts = node.descendants().filter(Node::is_text);
    let is_text = |text: &Node<'_, '_>| text.text().is_some_and(|text| !text.trim().is_empty());
    let text = texts.find(is_text).and_then(|text| text.text());
    text.unwrap_or_default().to_owned()
}

#[derive(Default)]
struct Found {
    fields: Fields,
    /// Names with their rank: 0 for a spot, 3 for a country.
    places: Vec<(u8, String)>,
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
