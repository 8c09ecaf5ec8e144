//! Adds keywords to an XMP packet (ISO 16684-1) by inserting text where they belong.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::ops::Range;

use resvg::usvg::roxmltree::Node;

use super::xmp::{DUBLIN_CORE, document, trimmed};

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

/// A packet that says nothing.
pub(super) const EMPTY: &str = "<?xpacket begin='\u{feff}' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end='w'?>
";

/// The packet with the keywords that it does not have; `None` if it has them all.
pub(super) fn added(
    packet: &str,
    keywords: &[&str],
    max_nodes: u32,
) -> Result<Option<String>, String> {
    let text = trimmed(packet);
    let before = packet.find(text).unwrap_or_default();
    let document = document(text, max_nodes)?;
    let rdf = elements(document.root_element(), RDF, "RDF").next();
    let rdf = rdf.ok_or("no `rdf:RDF` element")?;
    let is_attribute = |node: Node<'_, '_>| node.attribute((DUBLIN_CORE, "subject")).is_some();
    if rdf.descendants().any(is_attribute) {
        return Err("its keywords are in an attribute, which XMP does not allow".to_owned());
    }
    let subject = elements(rdf, DUBLIN_CORE, "subject").next();
    let texts = subject
        .into_iter()
        .flat_map(|subject| subject.descendants());
    let texts = texts.filter(Node::is_text).filter_map(|node| node.text());
    let mut known: HashSet<String> = texts.map(|text| text.trim().to_lowercase()).collect();
    let mut missing = Vec::new();
    for keyword in keywords {
        if keyword.is_empty() || keyword.contains(|letter: char| letter.is_control()) {
            return Err(format!("not a keyword: `{}`", keyword.escape_debug()));
        }
        if known.insert(keyword.to_lowercase()) {
            missing.push(*keyword);
        }
    }
    if missing.is_empty() {
        return Ok(None);
    }
    let (place, inserted) = edit(text, rdf, subject, &missing)?;
    let mut changed = packet.to_owned();
    changed.replace_range(before + place.start..before + place.end, &inserted);
    Ok(Some(changed))
}

/// What to replace with what, so that the packet has the keywords.
fn edit(
    text: &str,
    rdf: Node<'_, '_>,
    subject: Option<Node<'_, '_>>,
    keywords: &[&str],
) -> Result<(Range<usize>, String), String> {
    let prefix = prefix_of(text, rdf);
    let lists = ["Bag", "Seq", "Alt"];
    let Some(subject) = subject else {
        let bag = bag(&prefix, keywords);
        let subject = format!("<dc:subject xmlns:dc='{DUBLIN_CORE}'>{bag}</dc:subject>\n");
        let mut described = elements(rdf, RDF, "Description");
        // Not one inside a property of another.
        let described = described.find(|node| node.parent() == Some(rdf));
        return Ok(if let Some(node) = described {
            inside(text, node, &subject)
        } else {
            let begin = format!("<{prefix}Description {prefix}about=''>\n");
            let described = format!("{begin}{subject}</{prefix}Description>\n");
            inside(text, rdf, &described)
        });
    };
    let mut children = subject.children().filter(Node::is_element);
    let is_list = |node: &Node<'_, '_>| {
        let name = node.tag_name();
        name.namespace() == Some(RDF) && lists.contains(&name.name())
    };
    match (children.next(), children.next()) {
        (Some(list), None) if is_list(&list) => {
            Ok(inside(text, list, &items(&prefix_of(text, list), keywords)))
        }
        // A single keyword without a list.
        (None, None) => {
            let texts = subject.descendants().filter(Node::is_text);
            let own: String = texts.filter_map(|node| node.text()).collect();
            let own = Some(own.trim()).filter(|own| !own.is_empty());
            let all: Vec<&str> = own.into_iter().chain(keywords.iter().copied()).collect();
            let bag = bag(&prefix, &all);
            let range = subject.range();
            let element = &text[range.clone()];
            let name = name_of(element);
            let begin = match element.find('>') {
                Some(end) => element[..end].trim_end_matches('/').trim_end(),
                None => return Err("a malformed `dc:subject`".to_owned()),
            };
            Ok((range, format!("{begin}>{bag}</{name}>")))
        }
        _ => Err("its keywords are in no list that XMP knows".to_owned()),
    }
}

/// Inserts text at the end of an element.
fn inside(text: &str, node: Node<'_, '_>, inserted: &str) -> (Range<usize>, String) {
    let range = node.range();
    let element = &text[range.clone()];
    if let Some(begin) = element.strip_suffix("/>") {
        let name = name_of(element);
        let begin = begin.trim_end();
        return (range, format!("{begin}>{inserted}</{name}>"));
    }
    let place = range.start + element.rfind("</").unwrap_or(element.len());
    (place..place, inserted.to_owned())
}

/// The name of an element as it is written, with its prefix.
fn name_of(element: &str) -> &str {
    let name = element.strip_prefix('<').unwrap_or(element);
    let end = name.find(|letter: char| letter.is_whitespace() || "/>".contains(letter));
    &name[..end.unwrap_or(name.len())]
}

/// `rdf:`, or whatever stands before the name of an element.
fn prefix_of(text: &str, node: Node<'_, '_>) -> String {
    let name = name_of(&text[node.range()]);
    name.rfind(':').map_or("", |end| &name[..=end]).to_owned()
}

fn bag(prefix: &str, keywords: &[&str]) -> String {
    format!("<{prefix}Bag>{}</{prefix}Bag>", items(prefix, keywords))
}

fn items(prefix: &str, keywords: &[&str]) -> String {
    let mut items = String::new();
    for keyword in keywords {
        let escaped = keyword
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let _ = write!(items, "<{prefix}li>{escaped}</{prefix}li>");
    }
    items
}

fn elements<'a, 'input>(
    below: Node<'a, 'input>,
    namespace: &'static str,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    let is_one = move |node: &Node<'_, '_>| node.has_tag_name((namespace, name));
    below.descendants().filter(is_one)
}

#[cfg(test)]
mod tests {
    use super::super::{sidecar_metadata, with_keywords};
    use super::*;

    fn keywords_of(packet: &str) -> Vec<String> {
        sidecar_metadata(packet.as_bytes()).unwrap().keywords
    }

    fn in_rdf(inner: &str) -> String {
        format!(
            "\u{feff}<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>\r\n\
             <x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='{RDF}' \
             xmlns:dc='{DUBLIN_CORE}' xmlns:me='http://example.org/'>{inner}</rdf:RDF></x:xmpmeta>\
             \n<?xpacket end='w'?>   \n"
        )
    }

    #[test]
    fn keywords_are_inserted_and_nothing_else_changes() {
        let rows = [
            ("", vec!["sea", "a < b & c"]),
            ("<rdf:Description rdf:about=''/>", vec!["sea", "a < b & c"]),
            (
                "<rdf:Description rdf:about='' me:rating='5'><me:x>1</me:x></rdf:Description>",
                vec!["sea", "a < b & c"],
            ),
            (
                "<rdf:Description><dc:subject><rdf:Bag><rdf:li>dog</rdf:li></rdf:Bag></dc:subject>\
                 </rdf:Description><rdf:Description me:y='2'/>",
                vec!["dog", "sea", "a < b & c"],
            ),
            (
                "<rdf:Description><dc:subject><rdf:Seq/></dc:subject></rdf:Description>",
                vec!["sea", "a < b & c"],
            ),
            (
                "<rdf:Description><dc:subject>dog</dc:subject></rdf:Description>",
                vec!["dog", "sea", "a < b & c"],
            ),
            (
                "<rdf:Description><dc:subject /></rdf:Description>",
                vec!["sea", "a < b & c"],
            ),
        ];
        assert_eq!(rows.len(), 7);
        for (inner, expected) in rows {
            let before = in_rdf(inner);
            let wanted = ["sea", "a < b & c"];
            let after = with_keywords(Some(before.as_bytes()), &wanted)
                .unwrap()
                .unwrap();
            assert_eq!(keywords_of(&after), expected, "{after}");
            // Idempotent, whatever the case.
            assert_eq!(with_keywords(Some(after.as_bytes()), &["SEA"]), Ok(None));
            let end = "</rdf:RDF></x:xmpmeta>\n<?xpacket end='w'?>   \n";
            assert!(after.ends_with(end) && after.starts_with(&before[..60]));
            for kept in ["me:rating='5'", "<me:x>1</me:x>", "me:y='2'"] {
                assert_eq!(after.contains(kept), before.contains(kept));
            }
            // What was inserted is all that is new.
            let common = before
                .bytes()
                .zip(after.bytes())
                .take_while(|(a, b)| a == b)
                .count();
            let tail = before.bytes().rev().zip(after.bytes().rev());
            let tail = tail.take_while(|(a, b)| a == b).count();
            assert!(common + tail + 40 >= before.len(), "{after}");
        }
    }

    #[test]
    fn a_new_sidecar_is_complete() {
        let new = with_keywords(None, &["dog", "海滩"]).unwrap().unwrap();
        assert_eq!(keywords_of(&new), ["dog", "海滩"]);
        assert_eq!(with_keywords(Some(new.as_bytes()), &["dog"]), Ok(None));
    }

    #[test]
    fn other_prefixes_are_kept() {
        let packet = format!(
            "<r:RDF xmlns:r='{RDF}'><r:Description xmlns:d='{DUBLIN_CORE}'><d:subject><r:Bag>\
             <r:li>dog</r:li></r:Bag></d:subject></r:Description></r:RDF>"
        );
        let after = with_keywords(Some(packet.as_bytes()), &["sea"])
            .unwrap()
            .unwrap();
        assert_eq!(keywords_of(&after), ["dog", "sea"]);
        let expected = packet.replace("</r:Bag>", "<r:li>sea</r:li></r:Bag>");
        assert_eq!(after, expected);
    }

    #[test]
    fn what_is_no_xmp_is_refused() {
        let odd = in_rdf("<rdf:Description dc:subject='dog'/>");
        let list = in_rdf("<rdf:Description><dc:subject><me:x/></dc:subject></rdf:Description>");
        let rows: [(&[u8], &str); 6] = [
            (b"<a></b>", ""),
            (b"", ""),
            (b"<a/>", "no `rdf:RDF` element"),
            (b"\xff\xfe<\0", "not UTF-8 text"),
            (odd.as_bytes(), "its keywords are in an attribute"),
            (
                list.as_bytes(),
                "its keywords are in no list that XMP knows",
            ),
        ];
        assert_eq!(rows.len(), 6);
        for (packet, reason) in rows {
            let error = with_keywords(Some(packet), &["dog"]).unwrap_err();
            assert!(error.starts_with(reason), "{error}");
        }
        let error = with_keywords(None, &["a\0b"]).unwrap_err();
        assert_eq!(error, "not a keyword: `a\\0b`");
    }
}
