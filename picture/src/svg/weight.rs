//! Memory of a parsed drawing once all its references are expanded.
//!
//! The parser copies an element to every place that uses it, with everything that it uses itself:
//! ten elements that each use the previous one ten times become a thousand million shapes. Here the
//! copies are counted without being made. The result is an upper estimate.

use std::collections::HashMap;

use resvg::usvg::roxmltree::{Document, Node, NodeId};

/// Bytes of a parsed element without its attributes.
const ELEMENT_BYTES: u64 = 600;

/// Bytes per character of an attribute: coordinates become numbers, in several copies.
const CHARACTER_BYTES: u64 = 8;

/// Maximum number of elements visited for one file, each as often as it is referenced.
const MAX_VISITS: u64 = 5_000_000;

/// Bytes of the drawing's elements; `u64::MAX` when there are too many to count.
pub(super) fn estimate(document: &Document<'_>) -> u64 {
    let mut weigher = Weigher::new(document);
    let total = weigher.subtree(document.root_element());
    if weigher.n_visits > MAX_VISITS {
        return u64::MAX;
    }
    total
}

struct Weigher<'a, 'input> {
    by_id: HashMap<&'a str, Node<'a, 'input>>,
    known: HashMap<NodeId, u64>,
    /// What style sheets reference: any element may use it.
    everywhere: Vec<&'a str>,
    /// Weight of the heaviest marker, which may stand at every corner of a line.
    marker: u64,
    n_visits: u64,
}

impl<'a, 'input> Weigher<'a, 'input> {
    fn new(document: &'a Document<'input>) -> Self {
        let elements = || document.descendants().filter(Node::is_element);
        let by_id = elements().filter_map(|node| Some((node.attribute("id")?, node)));
        let styles = elements().filter(|node| node.tag_name().name() == "style");
        let mut weigher = Self {
            by_id: by_id.collect(),
            known: HashMap::new(),
            everywhere: styles
                .filter_map(|s| s.text())
                .flat_map(references)
                .collect(),
            marker: 0,
            n_visits: 0,
        };
        // Markers on markers are not drawn.
        let markers = elements().filter(|node| node.tag_name().name() == "marker");
        let heaviest = markers.map(|marker| weigher.subtree(marker)).max();
        weigher.known.clear();
        weigher.marker = heaviest.unwrap_or(0);
        weigher
    }

    /// Weight of an element with its descendants and everything that these reference.
    fn subtree(&mut self, top: Node<'a, 'input>) -> u64 {
        if let Some(&weight) = self.known.get(&top.id()) {
            return weight;
        }
        // The parser drops circular references too.
        self.known.insert(top.id(), 0);
        let mut weight = 0u64;
        for node in top.descendants().filter(Node::is_element) {
            self.n_visits += 1;
            if self.n_visits > MAX_VISITS {
                break;
            }
            weight = weight.saturating_add(self.element(node));
        }
        self.known.insert(top.id(), weight);
        weight
    }

    fn element(&mut self, node: Node<'a, 'input>) -> u64 {
        let mut weight = ELEMENT_BYTES;
        let mut referred = Vec::new();
        let mut n_corners = 0;
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            match name {
                "href" => referred.extend(value.strip_prefix('#')),
                "d" | "points" => n_corners = value.len() as u64 / 2,
                _ => referred.extend(references(value)),
            }
            // Embedded pictures are checked when they are decoded.
            let is_picture = name == "href" && value.starts_with("data:");
            if !is_picture {
                weight = weight.saturating_add(CHARACTER_BYTES * value.len() as u64);
            }
        }
        if node.has_attribute("class") {
            referred.extend(&self.everywhere);
        }
        for id in referred {
            if let Some(&target) = self.by_id.get(id) {
                weight = weight.saturating_add(self.subtree(target));
            }
        }
        let has_markers = |node: Node<'_, '_>| {
            node.attributes().any(|a| {
                a.name().starts_with("marker")
                    || a.name() == "style" && a.value().contains("marker")
            })
        };
        if self.marker > 0
            && n_corners > 0
            && (node.has_attribute("class") || node.ancestors().any(has_markers))
        {
            weight = weight.saturating_add(self.marker.saturating_mul(n_corners));
        }
        weight
    }
}

/// The names in every `url(#name)` of a text.
fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("url(").skip(1).filter_map(|rest| {
        let rest = rest.trim_start_matches(['"', '\'', ' ']);
        let name = rest.strip_prefix('#')?;
        name.split(['"', '\'', ' ', ')']).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(text: &str) -> u64 {
        estimate(&Document::parse(text).unwrap())
    }

    #[test]
    fn every_copy_of_a_used_element_counts() {
        let plain = weight("<svg><g id='a'><path d='M0 0'/></g></svg>");
        assert_eq!(plain, 3 * ELEMENT_BYTES + CHARACTER_BYTES * (1 + 4));
        let mut text = String::from("<svg><defs><path id='a0' d='M0 0L1 1'/>");
        for n in 1..10 {
            let before = n - 1;
            let uses = format!("<use href='#a{before}'/>").repeat(10);
            text.extend(["<g id='a", &n.to_string(), "'>", &uses, "</g>"]);
        }
        text += "</defs><use href='#a9'/></svg>";
        assert!(weight(&text) > 1_000_000_000 * ELEMENT_BYTES);
    }

    #[test]
    fn circular_references_end_and_styles_and_markers_are_followed() {
        assert!(weight("<svg><g id='a'><use href='#a'/></g></svg>") < 10_000);
        let pattern = format!("<pattern id='p'>{}</pattern>", "<rect/>".repeat(1000));
        let used = |how: &str| weight(&format!("<svg>{pattern}{}</svg>", how.repeat(1000)));
        let unused = used("<rect/>");
        assert!(unused < 3000 * ELEMENT_BYTES);
        for how in [
            "<rect fill='url(#p)'/>",
            "<rect style='fill:url( \"#p\")'/>",
        ] {
            assert!(used(how) > 1_000_000 * ELEMENT_BYTES, "{how}");
        }
        let style = "<style>.x { fill: url('#p') }</style>";
        let styled = format!(
            "<svg>{pattern}{style}{}</svg>",
            "<rect class='x'/>".repeat(1000)
        );
        assert!(weight(&styled) > 1_000_000 * ELEMENT_BYTES);
        let marker = format!("<marker id='m'>{}</marker>", "<rect/>".repeat(1000));
        let line = format!("<polyline points='{}'/>", "0 0 ".repeat(1000));
        let drawing = format!("<svg>{marker}<g marker-mid='url(#m)'>{line}</g></svg>");
        assert!(weight(&drawing) > 1_000_000 * ELEMENT_BYTES);
    }
}
